"""Privacy: requests of persons, what was erased, and a log that lets go of what it says of them, and of nothing else.

Expands only: a program from before goes on working, and cannot rewrite the log.

Revision ID: 0024
Revises: 0023
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE privacy_request (
  org_id text NOT NULL,
  id text NOT NULL,
  entity text NOT NULL,
  record_id text NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'refused', 'done')),
  reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 1000),
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT now(),
  decided_by text,
  decided_at timestamptz,
  position bigint,
  proof json NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX privacy_request_open ON privacy_request (org_id, entity, record_id) WHERE state = 'open';
COMMENT ON TABLE privacy_request IS 'Who asked that a person be forgotten, who decided, and what was done. position: the last change that the erasure made.';

CREATE TABLE erased_record (
  org_id text NOT NULL,
  entity text NOT NULL,
  record_id text NOT NULL,
  fields text[] NOT NULL,
  request_id text NOT NULL,
  PRIMARY KEY (org_id, entity, record_id)
);
COMMENT ON TABLE erased_record IS 'Records, there or deleted, in which a person was forgotten: these fields take no value any more, and their events have lost it.';
"""

GUARDS = """
DROP TRIGGER append_only ON event;
CREATE TRIGGER append_only BEFORE TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();
CREATE FUNCTION refuse_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.new IS NOT NULL AND OLD.new IS NOT NULL
    AND (NEW.org_id, NEW.position, NEW.previous, NEW.entity, NEW.record_id, NEW.op, NEW.actor, NEW.session, NEW.push, NEW.at)
      IS NOT DISTINCT FROM
      (OLD.org_id, OLD.position, OLD.previous, OLD.entity, OLD.record_id, OLD.op, OLD.actor, OLD.session, OLD.push, OLD.at)
    AND EXISTS (SELECT FROM erased_record r
      WHERE r.org_id = OLD.org_id AND r.entity = OLD.entity AND r.record_id = OLD.record_id
        AND NEW.new::jsonb - r.fields = OLD.new::jsonb - r.fields)
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the log is append-only: % of event is refused', TG_OP USING ERRCODE = 'feature_not_supported';
END $$;
CREATE TRIGGER only_erasure BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION refuse_but_erasure();

DROP TRIGGER append_only ON security_event;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON security_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_security();
CREATE TRIGGER only_whence_goes BEFORE UPDATE ON security_event
  FOR EACH ROW WHEN (NEW.address <> '' OR NEW.detail <> '' OR NEW.org_id <> OLD.org_id OR NEW.id <> OLD.id
    OR NEW.at <> OLD.at OR NEW.kind <> OLD.kind OR NEW.user_id <> OLD.user_id OR NEW.session_id <> OLD.session_id
    OR NEW.device_id <> OLD.device_id)
  EXECUTE FUNCTION refuse_rewriting_security();
"""

UNDO = """
DROP TRIGGER only_whence_goes ON security_event;
DROP TRIGGER append_only ON security_event;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON security_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_security();
DROP TRIGGER only_erasure ON event;
DROP FUNCTION refuse_but_erasure();
DROP TRIGGER append_only ON event;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();
"""


def upgrade() -> None:
    run_script(TABLES)
    run_script(GUARDS)
    wall("privacy_request", "SELECT, INSERT, UPDATE (state, reason, decided_by, decided_at)")
    wall("erased_record", "SELECT")


def downgrade() -> None:
    run_script(UNDO)
    tear_down(["erased_record", "privacy_request"])
    run_script("DROP TABLE erased_record; DROP TABLE privacy_request")
