"""Sessions of registered devices: devices, rotating refresh tokens, guesses at passwords, resets, and what happened.

Sessions that are open stay open: each gets a device of its own, and its refresh token becomes generation 1 of its family.

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
  name text NOT NULL DEFAULT '',
  platform text NOT NULL DEFAULT 'unknown',
  app_version text NOT NULL DEFAULT '',
  schema_version integer,
  public_key text,
  trust_hash bytea,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'revoked', 'wiping', 'wiped')),
  born bigint NOT NULL DEFAULT 0,
  registered_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  cursor bigint,
  pending integer,
  push_counter bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE,
  CONSTRAINT device_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$')
) WITH (fillfactor = 70);
CREATE INDEX device_of_user ON device (org_id, user_id);
CREATE INDEX device_elsewhere ON device (id);
COMMENT ON TABLE device IS 'One row per installation of the app and organisation: whose it is now, and how far it has come.';
COMMENT ON COLUMN device.born IS 'The position at which this user got this installation; a cursor below it is another''s. 0: the first user here.';
COMMENT ON COLUMN device.public_key IS 'P-256, PEM; with it, a refresh must be signed by the device.';
COMMENT ON COLUMN device.trust_hash IS 'SHA-256 of the secret that tells a device that has logged in before from a guesser.';
"""

SESSIONS = """
ALTER TABLE session ADD COLUMN device_id text;
ALTER TABLE session ADD COLUMN ended_by text;
ALTER TABLE session ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE session ALTER COLUMN refresh_hash SET DEFAULT '';
COMMENT ON COLUMN session.device_id IS 'NULL only in a session that an older program began while this one was rolled out.';
COMMENT ON COLUMN session.refresh_hash IS 'Not used any more: refresh_token has every generation.';

CREATE TABLE refresh_token (
  org_id text NOT NULL,
  session_id text NOT NULL,
  generation integer NOT NULL,
  hash bytea NOT NULL,
  salt bytea,
  used_at timestamptz,
  PRIMARY KEY (org_id, session_id, generation),
  UNIQUE (org_id, session_id, hash),
  FOREIGN KEY (org_id, session_id) REFERENCES session (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE refresh_token IS 'Every refresh token that a session was ever given, as a hash: the newest is good, any other shown again is stolen.';
COMMENT ON COLUMN refresh_token.salt IS 'While the successor is unused: what makes the successor of this token out of this token.';

INSERT INTO device (org_id, id, user_id, registered_at) SELECT org_id, id, user_id, created_at FROM session;
UPDATE session SET device_id = id;
INSERT INTO refresh_token (org_id, session_id, generation, hash) SELECT org_id, id, 1, refresh_hash FROM session;
-- Some thousands of rows, some milliseconds.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX session_of_device ON session (org_id, device_id);
"""

PASSWORDS = """
CREATE TABLE login_guess (
  name bytea NOT NULL,
  source text NOT NULL,
  level double precision NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, source)
);
COMMENT ON TABLE login_guess IS 'Failed logins by login name (hashed: people type passwords there) and source; before it is known whose, so without organisation.';

CREATE TABLE password_reset (
  org_id text NOT NULL,
  id text NOT NULL,
  user_id text NOT NULL,
  hash bytea NOT NULL,
  made_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, user_id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE password_reset IS 'At most one per user; used up by being deleted.';
"""

EVENTS = """
CREATE TABLE security_event (
  org_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL,
  user_id text NOT NULL DEFAULT '',
  session_id text NOT NULL DEFAULT '',
  device_id text NOT NULL DEFAULT '',
  address text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',
  PRIMARY KEY (org_id, id)
);
COMMENT ON TABLE security_event IS 'Who got in or did not, and what was ended or changed: append-only, and it outlives its people.';

CREATE FUNCTION refuse_rewriting_security() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of security_event is refused: it is append-only', TG_OP USING ERRCODE = 'feature_not_supported';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON security_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_security();
"""

DIRECTORY = """
CREATE OR REPLACE FUNCTION list_login_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever adds a user, the directory in which a login finds its organisation knows the name{how}.
  INSERT INTO login_name (username, org_id, user_id) VALUES ({name}, NEW.org_id, NEW.id);
  RETURN NULL;
END $$;
"""


def upgrade() -> None:
    for script in (DEVICES, SESSIONS, PASSWORDS, EVENTS):
        run_script(script)
    run_script(DIRECTORY.format(how=", as a login spells it", name="lower(normalize(btrim(NEW.username), NFKC))"))


def downgrade() -> None:
    run_script(DIRECTORY.format(how="", name="NEW.username"))
    for table in ("security_event", "password_reset", "login_guess"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_rewriting_security()")
    run_script(
        """
        UPDATE session s SET refresh_hash = (
          SELECT t.hash FROM refresh_token t WHERE t.org_id = s.org_id AND t.session_id = s.id
          ORDER BY t.generation DESC LIMIT 1
        ) WHERE EXISTS (SELECT FROM refresh_token t WHERE t.org_id = s.org_id AND t.session_id = s.id);
        ALTER TABLE session ALTER COLUMN refresh_hash DROP DEFAULT;
        DROP INDEX session_of_device;
        ALTER TABLE session DROP COLUMN device_id, DROP COLUMN ended_by, DROP COLUMN renewed_at;
        DROP TABLE refresh_token;
        DROP TABLE device;
        """
    )
