"""The foundation: clock, log, feed, corrections, receipts, change capture, and the people who log in.

Revision ID: 0001
Revises:
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations import capture
from migrations.script import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "session",
    "login_name",
    "app_user",
    "schema_stamp",
    "push_receipt",
    "correction",
    "feed",
    "event",
    "epoch_fork",
    "org_clock",
)

LOG = """
CREATE TABLE org_clock (
  org_id text PRIMARY KEY,
  epoch integer NOT NULL DEFAULT 2 CHECK (epoch BETWEEN 2 AND 8191),
  seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0 AND seq < 1099511627776),
  floor bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE org_clock IS 'One row per organisation: (epoch, seq) is the newest position given to a change; its row lock orders commits.';
COMMENT ON COLUMN org_clock.floor IS 'Tombstones at or below this position are purged; a cursor below it gets a replacement.';

CREATE TABLE epoch_fork (
  org_id text NOT NULL,
  epoch integer NOT NULL,
  forked_at bigint NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, epoch)
);
COMMENT ON TABLE epoch_fork IS 'Where history was cut back when an epoch began: cursors of older epochs above forked_at name changes that are gone.';

CREATE TABLE event (
  org_id text NOT NULL,
  position bigint NOT NULL,
  previous bigint,
  entity text NOT NULL,
  record_id text NOT NULL,
  op "char" NOT NULL CHECK (op IN ('i', 'u', 'd')),
  new json,
  actor text,
  session text,
  push text,
  at timestamptz NOT NULL,
  PRIMARY KEY (org_id, position)
);
COMMENT ON TABLE event IS 'The log: one row per change, append-only. new is the record after it (NULL once deleted); the record before it is the event at previous.';

CREATE TABLE feed (
  org_id text NOT NULL,
  entity text NOT NULL,
  id text NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  author text,
  scope text NOT NULL,
  payload json,
  PRIMARY KEY (org_id, entity, id)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX feed_position ON feed (org_id, entity, position) WHERE position > 0;
COMMENT ON INDEX feed_position IS 'Partial on what always holds, so that a look-up by id cannot choose it: without statistics it costs the planner the same as the primary key, and the real cost is the whole table.';
COMMENT ON TABLE feed IS 'What a pull reads: each record once, at its newest position, as the JSON a phone gets; a tombstone has no payload.';

CREATE TABLE correction (
  org_id text NOT NULL,
  user_id text NOT NULL,
  position bigint NOT NULL,
  entity text NOT NULL,
  record_id text NOT NULL,
  revive boolean NOT NULL DEFAULT false,
  PRIMARY KEY (org_id, user_id, position)
);
COMMENT ON TABLE correction IS 'Records that did not move but that a user''s devices must be sent again, because they pushed something else.';

CREATE TABLE push_receipt (
  org_id text NOT NULL,
  user_id text NOT NULL,
  digest bytea NOT NULL,
  answer json NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, user_id, digest)
);
CREATE INDEX push_receipt_at ON push_receipt (at);
COMMENT ON TABLE push_receipt IS 'The answer each push got, by a digest of cursor and body: a repeated push gets the same answer and no second effect.';

CREATE TABLE schema_stamp (
  id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  revision text NOT NULL,
  fingerprint text NOT NULL,
  stamped_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE schema_stamp IS 'The catalogue as the last migration left it, as a digest: tells a schema that was altered by hand.';
"""

PEOPLE = """
CREATE TABLE app_user (
  org_id text NOT NULL,
  id text NOT NULL,
  username text NOT NULL,
  name text NOT NULL,
  role text NOT NULL,
  branch_id text,
  password_hash text,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX app_user_username ON app_user (org_id, username);

CREATE TABLE login_name (
  username text PRIMARY KEY,
  org_id text NOT NULL,
  user_id text NOT NULL,
  FOREIGN KEY (org_id, user_id) REFERENCES app_user (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE login_name IS 'The directory in which a login finds its organisation; the only name that is unique over all of them.';

CREATE TABLE session (
  org_id text NOT NULL,
  id text NOT NULL,
  user_id text NOT NULL,
  refresh_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, user_id) REFERENCES app_user (org_id, id) ON DELETE CASCADE
);
CREATE INDEX session_of_user ON session (org_id, user_id);
"""

LOG_IS_APPEND_ONLY = """
CREATE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is append-only: % of event is refused', TG_OP USING ERRCODE = 'feature_not_supported';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();
"""


def upgrade() -> None:
    for statement in (
        LOG,
        LOG_IS_APPEND_ONLY,
        PEOPLE,
        capture.PAYLOAD_EXPRESSIONS_V1,
        capture.INSTALL_CAPTURE_V1,
        capture.REBUILD_PAYLOADS_V1,
    ):
        run_script(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION rebuild_payloads(regclass)")
    op.execute("DROP FUNCTION install_capture(regclass, name)")
    op.execute("DROP FUNCTION remove_capture(regclass)")
    op.execute("DROP FUNCTION refuse_new_id()")
    op.execute("DROP FUNCTION refuse_truncate()")
    op.execute("DROP FUNCTION payload_expression(regtype, integer, text)")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_rewriting_history()")
