"""What became of mutations beside what was written, and what a person needs to decide about those that wait.

A program from before goes on working: the new columns of sync_issues may be empty, and it does not know the table.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations import scoped_capture
from migrations.capture import rebuild_payloads
from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

RESOLUTION = """
CREATE TABLE resolution (
  org_id text NOT NULL,
  entity text NOT NULL,
  record_id text NOT NULL,
  push text NOT NULL,
  user_id text NOT NULL,
  device_id text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('accepted', 'merged', 'parked', 'refused', 'duplicate')),
  authored timestamptz NOT NULL,
  outcomes json NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, entity, record_id, push)
);
COMMENT ON TABLE resolution IS 'What became of a mutation, where there is more to tell than its event: a row per record and push. event.push says which event is its.';
COMMENT ON COLUMN resolution.authored IS 'When its author wrote it, by the server''s clock: what the device said, corrected by how far its clock is off, never later than receipt.';
COMMENT ON COLUMN resolution.outcomes IS 'What both sides changed: column, policy, base, ours, theirs, kept, why it waits.';
"""

ISSUES = """
ALTER TABLE sync_issues ADD COLUMN branch_id text, ADD COLUMN device_id text, ADD COLUMN base jsonb, ADD COLUMN theirs jsonb,
  ADD COLUMN outcomes jsonb;
COMMENT ON COLUMN sync_issues.branch_id IS 'Whose branch the record is in: who may resolve there sees the issue.';
"""

LABELS = "array_remove(ARRAY['user:' || n.author_id, 'branch', 'branch:' || n.branch_id], NULL)"
LABELS_BEFORE = "array_remove(ARRAY['user:' || n.author_id], NULL)"

RELABEL = """
-- Whoever resolves across branches sees the issues from before over REST at once; a phone hears of one when it moves.
UPDATE feed f SET scopes = f.scopes || ARRAY['branch'] WHERE f.entity = 'sync_issues' AND f.payload IS NOT NULL;
"""

UNLABEL = """
UPDATE feed f SET scopes = {labels} FROM sync_issues n
  WHERE f.org_id = n.org_id AND f.entity = 'sync_issues' AND f.id = n.id;
DELETE FROM label l WHERE l.entity = 'sync_issues' AND l.scope LIKE 'branch:%';
"""


def upgrade() -> None:
    run_script(RESOLUTION)
    wall("resolution", "SELECT, INSERT")
    run_script(ISSUES)
    scoped_capture.install_capture("sync_issues", labels=LABELS)
    rebuild_payloads("sync_issues")
    run_script(RELABEL)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE sync_issues DROP COLUMN branch_id, DROP COLUMN device_id, DROP COLUMN base, DROP COLUMN theirs,"
        " DROP COLUMN outcomes"
    )
    scoped_capture.install_capture("sync_issues", labels=LABELS_BEFORE)
    rebuild_payloads("sync_issues")
    run_script(UNLABEL.format(labels=LABELS_BEFORE))
    tear_down(["resolution"])
    op.execute("DROP TABLE resolution")
