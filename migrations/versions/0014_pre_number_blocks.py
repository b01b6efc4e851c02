"""Numbers of documents: which device may give out which, which document has which, and why the others have none.

A program from before goes on working: it uses none of the tables, and what it numbers is not written down in them.

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-24
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE number_block (
  org_id text NOT NULL,
  id text NOT NULL,
  series_id text NOT NULL,
  device_id text NOT NULL,
  user_id text NOT NULL,
  first integer NOT NULL CHECK (first >= 1),
  last integer NOT NULL CHECK (last >= first),
  state text NOT NULL DEFAULT 'leased' CHECK (state IN ('leased', 'used_up', 'returned', 'reclaimed')),
  why text NOT NULL DEFAULT '',
  leased_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX number_block_first ON number_block (org_id, series_id, first);
CREATE INDEX number_block_of_device ON number_block (org_id, device_id) WHERE state = 'leased';
CREATE INDEX number_block_late ON number_block (expires_at) WHERE state = 'leased';
COMMENT ON TABLE number_block IS 'Numbers of a series that one device may give to its documents without asking. No two blocks overlap, and no number is ever leased again.';
COMMENT ON COLUMN number_block.why IS 'Of a block that was reclaimed: device_revoked, device_forked, wipe_ordered or late.';

CREATE TABLE number_use (
  org_id text NOT NULL,
  series_id text NOT NULL,
  number integer NOT NULL,
  table_name text NOT NULL,
  record_id text NOT NULL,
  instead_of text NOT NULL DEFAULT '',
  at timestamptz NOT NULL,
  PRIMARY KEY (org_id, series_id, number)
);
CREATE INDEX number_use_of_record ON number_use (org_id, table_name, record_id);
COMMENT ON TABLE number_use IS 'Which document has a number, for ever: a deleted document keeps it. That a number is there once keeps it from being given twice.';
COMMENT ON COLUMN number_use.instead_of IS 'What the document was numbered by its device, where another document had that already.';

CREATE TABLE number_gap (
  org_id text NOT NULL,
  series_id text NOT NULL,
  first integer NOT NULL CHECK (first >= 1),
  last integer NOT NULL CHECK (last >= first),
  reason text NOT NULL,
  user_id text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (org_id, series_id, first)
);
COMMENT ON TABLE number_gap IS 'Numbers that no document will have, and why, as a person said.';
"""
_LEASES = "SELECT, INSERT, UPDATE (last, state, why, ended_at)"


def upgrade() -> None:
    run_script(TABLES)
    wall("number_block", _LEASES)
    wall("number_use", "SELECT, INSERT")
    wall("number_gap", "SELECT, INSERT")


def downgrade() -> None:
    tear_down(["number_gap", "number_use", "number_block"])
    for table in ("number_gap", "number_use", "number_block"):
        op.execute(f"DROP TABLE {table}")
