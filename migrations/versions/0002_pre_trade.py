"""The tables of the trade, captured from their first row.

Written from the catalogue of its day (`sync_server/store/tables.py`), then frozen.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.capture import install_capture, remove_capture
from migrations.script import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CAPTURED = (
    # table, the column with the user who alone sees a row
    ("organisations", None),
)

TABLES = """
CREATE TABLE organisations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  legal_name TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT organisations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT organisations_own_organisation_check CHECK (org_id = id)
);
"""


def upgrade() -> None:
    run_script(TABLES)
    for table, owner in CAPTURED:
        install_capture(table, owner=owner)


def downgrade() -> None:
    for table, _ in reversed(CAPTURED):
        remove_capture(table)
        op.execute(f"DROP TABLE {table}")
