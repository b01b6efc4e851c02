"""Devices that are wiped, that were copied, or that pass from hand to hand.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTED = """
ALTER TABLE device ADD COLUMN push_digest bytea;
ALTER TABLE device ADD COLUMN push_counted_at timestamptz;
COMMENT ON COLUMN device.push_counter IS 'The number that the newest push carried, of installations that number their pushes.';
COMMENT ON COLUMN device.push_digest IS 'Which push that was: it alone may carry its number again.';
"""

PAST = """
CREATE TABLE device_past (
  org_id text NOT NULL,
  device_id text NOT NULL,
  until bigint NOT NULL,
  since bigint NOT NULL,
  user_id text NOT NULL,
  PRIMARY KEY (org_id, device_id, until),
  FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE device_past IS 'Whose an installation was before, from a position to a position: a cursor from then is that user''s. Forgotten when the device is shut out.';
"""

WIPES = """
CREATE TABLE wipe (
  org_id text NOT NULL,
  id text NOT NULL,
  device_id text NOT NULL,
  user_id text NOT NULL,
  ordered_by text NOT NULL,
  ordered_at timestamptz NOT NULL DEFAULT now(),
  immediately boolean NOT NULL,
  held bigint,
  drains integer NOT NULL DEFAULT 0,
  first_drain bigint,
  drained_at timestamptz,
  clears integer NOT NULL DEFAULT 0,
  first_clear bigint,
  clear bigint,
  cleared_at timestamptz,
  pushed_since boolean NOT NULL DEFAULT false,
  proven_at timestamptz,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX wipe_under_way ON wipe (org_id, device_id) WHERE proven_at IS NULL;
CREATE INDEX wipe_of_device ON wipe (org_id, device_id, ordered_at);
COMMENT ON TABLE wipe IS 'One row per order to wipe a device: how far it has come, and when it was proven.';
COMMENT ON COLUMN wipe.user_id IS 'Whose device it was when the wipe was ordered: what is on it is what this user could see.';
COMMENT ON COLUMN wipe.held IS 'The cursor that the device came with first: what it holds is what its user saw there.';
COMMENT ON COLUMN wipe.first_drain IS 'The position in the first answer that asked for nothing but what is unsent; first_clear: in the first that said that everything is gone.';
COMMENT ON COLUMN wipe.clear IS 'The position in the newest answer that said that everything is gone. No other answer ever carries it, so who comes with it has applied that answer.';
COMMENT ON COLUMN wipe.pushed_since IS 'Whether the device pushed anything since that answer: then it held something still.';

CREATE TABLE impounded (
  org_id text NOT NULL,
  id text NOT NULL,
  device_id text NOT NULL,
  wipe_id text NOT NULL,
  user_id text NOT NULL,
  session_id text NOT NULL,
  born bigint NOT NULL,
  cursor bigint,
  base bigint,
  digest bytea NOT NULL,
  body bytea NOT NULL,
  records text[] NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'released', 'discarded')),
  decided_by text,
  decided_at timestamptz,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, device_id, user_id, digest),
  FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, wipe_id) REFERENCES wipe (org_id, id) ON DELETE CASCADE
);
CREATE INDEX impounded_of_wipe ON impounded (org_id, wipe_id);
COMMENT ON TABLE impounded IS 'What a device pushed while it was being wiped, as it was sent; nothing of it is applied before somebody releases it.';
COMMENT ON COLUMN impounded.base IS 'The cursor up to which the device had really been told: the positions in a wipe''s answers tell it nothing.';
COMMENT ON COLUMN impounded.records IS 'What the push names, as table/id, as far as it could be read.';
"""


def upgrade() -> None:
    run_script(COUNTED)
    run_script(PAST)
    run_script(WIPES)


def downgrade() -> None:
    op.execute("DROP TABLE impounded")
    op.execute("DROP TABLE wipe")
    op.execute("DROP TABLE device_past")
    op.execute("ALTER TABLE device DROP COLUMN push_counted_at, DROP COLUMN push_digest")
    op.execute("COMMENT ON COLUMN device.push_counter IS NULL")
