"""What lists and repeated requests need: indexes for search over names, and the answers of requests by their key.

A program from before goes on working: it uses neither. The extensions stay when this is undone: others may use them.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script
from migrations.searching import MAKE_SEARCH_V1, SEARCH_NAMES_V1, TABLES_WITH_NAMES
from migrations.walls import open_function, tear_down, wall

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEYS = """
CREATE TABLE idempotency_key (
  org_id text NOT NULL,
  user_id text NOT NULL,
  key text NOT NULL,
  digest bytea NOT NULL,
  status integer NOT NULL DEFAULT 0,
  headers json NOT NULL DEFAULT '{}',
  body bytea NOT NULL DEFAULT '',
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, user_id, key)
);
CREATE INDEX idempotency_key_at ON idempotency_key (at);
COMMENT ON TABLE idempotency_key IS 'The answer that a request with an Idempotency-Key got, written with what it changed: its repetition gets the same, for a day.';
COMMENT ON COLUMN idempotency_key.digest IS 'Of method, path and body: the same key of another request is a mistake.';
"""


def upgrade() -> None:
    run_script(MAKE_SEARCH_V1)
    run_script(SEARCH_NAMES_V1)
    open_function("search_names(text, text[])")
    run_script(f"SELECT install_search(found.tgrelid) FROM ({TABLES_WITH_NAMES}) AS found")
    run_script(KEYS)
    wall("idempotency_key", "SELECT, INSERT, UPDATE (status, headers, body)")


def downgrade() -> None:
    tear_down(["idempotency_key"])
    op.execute("DROP TABLE idempotency_key")
    run_script(f"SELECT remove_search(found.tgrelid) FROM ({TABLES_WITH_NAMES}) AS found")
    op.execute("DROP FUNCTION search_names(text, text[])")
    op.execute("DROP FUNCTION remove_search(regclass)")
    op.execute("DROP FUNCTION install_search(regclass)")
    op.execute("DROP FUNCTION search_expression(regclass)")
