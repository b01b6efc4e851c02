"""Notices: how far each organisation's log was followed for what people are to be told.

Of what happened before this, nobody is told. A program from before goes on working: it does not use the table.

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE notice_cursor (
  org_id text NOT NULL PRIMARY KEY,
  position bigint NOT NULL
);
COMMENT ON TABLE notice_cursor IS 'How far the log was followed: whoever was to be told of what is before it has a notification. No row: not at all yet.';
INSERT INTO notice_cursor (org_id, position) SELECT org_id, (epoch::bigint << 40) + seq FROM org_clock;
"""


def upgrade() -> None:
    run_script(TABLE)
    wall("notice_cursor", "SELECT, INSERT, UPDATE (position)")


def downgrade() -> None:
    tear_down(["notice_cursor"])
    run_script("DROP TABLE notice_cursor")
