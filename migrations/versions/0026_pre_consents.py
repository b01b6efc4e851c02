"""Consents: what people agreed to and took back, as a list that only grows.

Expands only.

Revision ID: 0026
Revises: 0025
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE consent (
  org_id text NOT NULL,
  user_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  purpose text NOT NULL,
  given boolean NOT NULL,
  version integer NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, user_id, id)
);
COMMENT ON TABLE consent IS 'What somebody said of a purpose, in the words of a version; the newest row of a purpose counts.';
"""


def upgrade() -> None:
    run_script(TABLE)
    wall("consent", "SELECT, INSERT")


def downgrade() -> None:
    tear_down(["consent"])
    run_script("DROP TABLE consent")
