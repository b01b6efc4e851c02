"""The order of a device's pushes: from which pull the newest one that was let in came, and when it arrived.

A program from before goes on working: it leaves the columns as they are, and lets in what comes late, as it did.

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE device ADD COLUMN push_cursor bigint NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN push_arrived_at timestamptz NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN device.push_cursor IS 'The cursor of the newest push, of installations that do not number their pushes: an older one comes too late.';
COMMENT ON COLUMN device.push_arrived_at IS 'When that push arrived: among pushes from one cursor it says which is the newest.';
"""


def upgrade() -> None:
    run_script(COLUMNS)


def downgrade() -> None:
    run_script("ALTER TABLE device DROP COLUMN push_arrived_at, DROP COLUMN push_cursor")
