"""Seals: a chain of digests over each organisation's log, and a log of which nothing can be deleted.

What is in the log already is sealed as it stands. A program from before goes on working: it does not use the tables.

Revision ID: 0023
Revises: 0022
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE event_seal (
  org_id text NOT NULL,
  position bigint NOT NULL,
  salt bytea CHECK (length(salt) = 16),
  leaf bytea NOT NULL CHECK (length(leaf) = 32),
  digest bytea NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (org_id, position)
);
COMMENT ON TABLE event_seal IS 'One row per event that was sealed: leaf is the SHA-256 of the salt and the event, digest that of the digest before it, position and leaf.';
COMMENT ON COLUMN event_seal.salt IS 'Random; without it nobody can try out what an event said. NULL: destroyed with the content of its event.';

CREATE TABLE seal_head (
  org_id text NOT NULL PRIMARY KEY,
  position bigint NOT NULL,
  sealed bigint NOT NULL DEFAULT 0,
  digest bytea CHECK (length(digest) = 32)
);
COMMENT ON TABLE seal_head IS 'The end of each chain. position: how far the log was followed; no event comes at or below it any more.';
COMMENT ON COLUMN seal_head.sealed IS 'The newest event that was sealed, digest its seal''s; 0 and NULL: none was yet.';
"""

GUARDS = """
CREATE FUNCTION refuse_rewriting_seals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'seals are append-only: % of event_seal is refused', TG_OP USING ERRCODE = 'feature_not_supported';
END $$;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON event_seal
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_seals();
CREATE TRIGGER only_the_salt_goes BEFORE UPDATE ON event_seal
  FOR EACH ROW WHEN (NEW.salt IS NOT NULL OR NEW.org_id <> OLD.org_id OR NEW.position <> OLD.position
    OR NEW.leaf <> OLD.leaf OR NEW.digest <> OLD.digest)
  EXECUTE FUNCTION refuse_rewriting_seals();
CREATE TRIGGER refuse_delete BEFORE DELETE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();
"""


def upgrade() -> None:
    run_script(TABLES)
    run_script(GUARDS)
    for table in ("event_seal", "seal_head"):
        wall(table, "")  # the owner seals; who serves requests has no hand in it


def downgrade() -> None:
    run_script("DROP TRIGGER refuse_delete ON event")
    tear_down(["seal_head", "event_seal"])
    run_script("DROP TABLE seal_head; DROP TABLE event_seal; DROP FUNCTION refuse_rewriting_seals()")
