"""Sessions of registered devices.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DEVICES = """
CREATE TABLE device (
  org_id text NOT NULL,
  id text NOT NULL,
  user_id text NOT NULL,
  born bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'active',
  registered_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    run_script(DEVICES)


def downgrade() -> None:
    op.execute("DROP TABLE device")
