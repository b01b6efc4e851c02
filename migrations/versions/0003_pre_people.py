"""People become records: users, roles and grants, captured like everything else; what they log in with stays apart.

Written from the catalogue of its day (`sync_server/store/tables.py`, `erp_core/access.py`), then frozen. `app_user` stays
until no program reads it any more; a `post` migration drops it.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.capture import install_capture, remove_capture
from migrations.script import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CAPTURED = ("users", "roles", "grants")

TABLES = """
CREATE TABLE users (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  username TEXT NOT NULL,
  name TEXT NOT NULL,
  phone TEXT,
  email TEXT,
  branch_id TEXT,
  language TEXT DEFAULT 'en' NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT users_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT users_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT users_username_key UNIQUE (org_id, username),
  CONSTRAINT users_phone_key UNIQUE (org_id, phone),
  CONSTRAINT users_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT users_language_check CHECK (language IN ('en', 'hi', 'gu'))
);
CREATE INDEX users_branch_id_idx ON users (org_id, branch_id);

CREATE TABLE roles (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  codes TEXT[] DEFAULT '{}' NOT NULL,
  external BOOLEAN DEFAULT false NOT NULL,
  ships BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT roles_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT roles_title_key UNIQUE (org_id, title),
  CONSTRAINT roles_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$')
);

CREATE TABLE grants (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role_id TEXT NOT NULL,
  branch_id TEXT,
  partner_id TEXT,
  agent_id TEXT,
  valid_from TIMESTAMP WITH TIME ZONE,
  valid_until TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT grants_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT grants_user_id_fkey FOREIGN KEY(org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE,
  CONSTRAINT grants_role_id_fkey FOREIGN KEY(org_id, role_id) REFERENCES roles (org_id, id),
  CONSTRAINT grants_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT grants_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT grants_agent_id_fkey FOREIGN KEY(org_id, agent_id) REFERENCES users (org_id, id),
  CONSTRAINT grants_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$')
);
CREATE INDEX grants_agent_id_idx ON grants (org_id, agent_id);
CREATE INDEX grants_branch_id_idx ON grants (org_id, branch_id);
CREATE INDEX grants_partner_id_idx ON grants (org_id, partner_id);
CREATE INDEX grants_role_id_idx ON grants (org_id, role_id);
CREATE INDEX grants_user_id_idx ON grants (org_id, user_id);
"""

CREDENTIALS = """
CREATE TABLE credential (
  org_id text NOT NULL,
  user_id text NOT NULL,
  password_hash text,
  password_changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, user_id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE credential IS 'What a user logs in with; apart from users, whose rows are in the log.';
"""

ROLES_THAT_SHIP = """
CREATE FUNCTION found_roles(organisation text) RETURNS void LANGUAGE sql AS $$
  -- The ten roles that every organisation begins with (domain.md, "Permissions").
  INSERT INTO roles (org_id, id, title, external, ships, codes)
  SELECT organisation, role.id, role.title, role.external, true, role.codes::text[] FROM (VALUES
    ('administrator', 'Administrator', false, '{audit.export,audit.read,branch.manage,branch.read_all,branch.write_all,commodity.manage,desk.read,desk.write,device.manage,dispatch.write,grant.give,grant.take,location.manage,organisation.update,partner.approve,partner.create,partner.delete,partner.read,partner.update,permission.read,privacy.consent,privacy.erase_approve,privacy.erase_request,privacy.export_any,privacy.export_own,privacy.retention,quality.write,role.create,role.delete,role.read,role.update,series.manage,session.read,session.revoke,setting.update,sync.resolve,sync.use,tax.manage,trade.approve,unit.manage,user.create,user.disable,user.read,user.update}'),
    ('manager', 'Manager', false, '{audit.read,branch.read_all,branch.write_all,desk.read,desk.write,device.manage,dispatch.write,location.manage,partner.approve,partner.create,partner.delete,partner.read,partner.update,permission.read,privacy.consent,privacy.erase_request,privacy.export_own,quality.write,role.read,session.read,session.revoke,setting.update,sync.resolve,sync.use,trade.approve,user.read}'),
    ('trader', 'Trader', false, '{desk.read,desk.write,dispatch.write,partner.create,partner.read,partner.update,privacy.consent,privacy.erase_request,privacy.export_own,sync.use,trade.approve}'),
    ('agent', 'Field agent', false, '{desk.read,desk.write,dispatch.write,partner.create,partner.read,partner.update,privacy.consent,privacy.erase_request,privacy.export_own,quality.write,sync.use}'),
    ('grader', 'Grader', false, '{partner.read,privacy.consent,privacy.erase_request,privacy.export_own,quality.write,sync.use}'),
    ('dispatcher', 'Dispatcher', false, '{dispatch.write,partner.read,privacy.consent,privacy.erase_request,privacy.export_own,sync.use}'),
    ('accountant', 'Accountant', false, '{audit.read,branch.read_all,desk.read,partner.read,privacy.consent,privacy.erase_request,privacy.export_own,series.manage,tax.manage}'),
    ('auditor', 'Auditor', false, '{audit.export,audit.read,branch.read_all,desk.read,partner.read,permission.read,privacy.consent,privacy.erase_request,privacy.export_own,role.read,session.read,user.read}'),
    ('external_buyer', 'External buyer', true, '{external.availability,external.document,external.requirement,external.trade,privacy.consent,privacy.erase_request,privacy.export_own,sync.use}'),
    ('external_seller', 'External seller', true, '{external.availability,external.document,external.trade,privacy.consent,privacy.erase_request,privacy.export_own,sync.use}')
  ) AS role(id, title, external, codes)
  ON CONFLICT DO NOTHING
$$;
"""

MOVE = """
SELECT found_roles(org_id) FROM organisations ORDER BY org_id;
INSERT INTO users (org_id, id, username, name, branch_id, is_active, created_at)
  SELECT u.org_id, u.id, u.username, u.name, b.id, u.is_active, u.created_at
  FROM app_user u LEFT JOIN branches b ON b.org_id = u.org_id AND b.id = u.branch_id ORDER BY u.org_id, u.id;
INSERT INTO credential (org_id, user_id, password_hash) SELECT org_id, id, password_hash FROM app_user;
INSERT INTO grants (org_id, id, user_id, role_id, branch_id)
  SELECT u.org_id, md5(u.org_id || '/' || u.id), u.id, r.id, b.id
  FROM app_user u JOIN roles r ON r.org_id = u.org_id AND r.id = u.role
  LEFT JOIN branches b ON b.org_id = u.org_id AND b.id = u.branch_id ORDER BY u.org_id, u.id;
-- login_name has one row per person, written when somebody is added: the scan takes milliseconds.
-- squawk-ignore ban-drop-constraint
ALTER TABLE login_name DROP CONSTRAINT login_name_org_id_user_id_fkey;
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE login_name ADD CONSTRAINT login_name_org_id_user_id_fkey
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE;
-- session has some rows per person, written when somebody logs in: the scan takes milliseconds.
-- squawk-ignore ban-drop-constraint
ALTER TABLE session DROP CONSTRAINT session_org_id_user_id_fkey;
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE session ADD CONSTRAINT session_org_id_user_id_fkey
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE;
"""

DIRECTORY = """
CREATE FUNCTION list_login_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Whoever adds a user, the directory in which a login finds its organisation knows the name.
  INSERT INTO login_name (username, org_id, user_id) VALUES (NEW.username, NEW.org_id, NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER list_login_name AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION list_login_name();
"""

MOVE_BACK = """
DELETE FROM login_name l WHERE NOT EXISTS (SELECT FROM app_user u WHERE u.org_id = l.org_id AND u.id = l.user_id);
DELETE FROM session s WHERE NOT EXISTS (SELECT FROM app_user u WHERE u.org_id = s.org_id AND u.id = s.user_id);
ALTER TABLE login_name DROP CONSTRAINT login_name_org_id_user_id_fkey;
ALTER TABLE login_name ADD CONSTRAINT login_name_org_id_user_id_fkey
  FOREIGN KEY (org_id, user_id) REFERENCES app_user (org_id, id) ON DELETE CASCADE;
ALTER TABLE session DROP CONSTRAINT session_org_id_user_id_fkey;
ALTER TABLE session ADD CONSTRAINT session_org_id_user_id_fkey
  FOREIGN KEY (org_id, user_id) REFERENCES app_user (org_id, id) ON DELETE CASCADE;
"""


def upgrade() -> None:
    run_script(TABLES)
    for table in CAPTURED:
        install_capture(table)
    run_script(CREDENTIALS)
    run_script(ROLES_THAT_SHIP)
    run_script(MOVE)
    run_script(DIRECTORY)


def downgrade() -> None:
    run_script(MOVE_BACK)
    op.execute("DROP TABLE credential")
    for table in reversed(CAPTURED):
        remove_capture(table)
        op.execute(f"DROP TABLE {table}")
        op.execute(f"DELETE FROM feed WHERE entity = '{table}'")
    op.execute("DROP FUNCTION list_login_name()")
    op.execute("DROP FUNCTION found_roles(text)")
