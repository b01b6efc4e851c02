"""One-time codes by phone, the budgets of sending them, TOTP with its recovery codes, and sessions that must enrol first.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CODES = """
CREATE TABLE code_request (
  id text PRIMARY KEY,
  phone text NOT NULL,
  asker text NOT NULL,
  device_id text NOT NULL DEFAULT '',
  digest bytea NOT NULL,
  org_id text NOT NULL DEFAULT '',
  user_id text NOT NULL DEFAULT '',
  session_id text NOT NULL DEFAULT '',
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  used_at timestamptz,
  delivery text NOT NULL DEFAULT 'waiting'
    CHECK (delivery IN ('waiting', 'sent', 'failed', 'nobody', 'over_budget')),
  attempts integer NOT NULL DEFAULT 0,
  CONSTRAINT code_request_id_check CHECK (id ~ '^[0-9a-f]{32}$')
);
CREATE INDEX code_request_of_phone ON code_request (phone, asked_at);
CREATE INDEX code_request_of_old ON code_request (asked_at);
COMMENT ON TABLE code_request IS 'One-time codes that were asked for, for numbers that belong to somebody or not: before it is known whose, so without organisation. Kept for two days.';
COMMENT ON COLUMN code_request.digest IS 'HMAC-SHA256 of id and code with a key outside the database: of a million codes a plain hash of any slowness is soon found.';
COMMENT ON COLUMN code_request.asker IS 'The device, or the network, that asked: it gets the same request again for a while.';
COMMENT ON COLUMN code_request.session_id IS 'Empty for a login; else the session whose user moves to this number.';

CREATE TABLE code_budget (
  name text PRIMARY KEY,
  filled_until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE code_budget IS 'How far into the future the sends of a prefix, an organisation or everybody have filled their budget: each send moves it on by its share.';

-- Some thousand people at most: writing them waits for milliseconds, and CONCURRENTLY could not be undone with the rest.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX users_by_phone ON users (phone) WHERE phone IS NOT NULL;
"""

TOTP = """
CREATE TABLE totp (
  org_id text NOT NULL,
  user_id text NOT NULL,
  secret bytea NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  confirmed_at timestamptz,
  last_step bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (org_id, user_id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN totp.secret IS 'AES-256-GCM with a key outside the database; the user is in the authenticated data, so it cannot be moved to another.';
COMMENT ON COLUMN totp.last_step IS 'The newest time step whose code was used: none is good twice.';

CREATE TABLE recovery_code (
  org_id text NOT NULL,
  user_id text NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (org_id, user_id, hash),
  FOREIGN KEY (org_id, user_id) REFERENCES totp (org_id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE recovery_code IS 'Used up by being deleted.';

ALTER TABLE session ADD COLUMN must_enrol boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN session.must_enrol IS 'True: this session may do nothing but enrol a second factor, which makes it false.';
"""


def upgrade() -> None:
    run_script(CODES)
    run_script(TOTP)


def downgrade() -> None:
    op.execute("ALTER TABLE session DROP COLUMN must_enrol")
    op.execute("DROP TABLE recovery_code")
    op.execute("DROP TABLE totp")
    op.execute("DROP INDEX users_by_phone")
    op.execute("DROP TABLE code_budget")
    op.execute("DROP TABLE code_request")
