"""The second wall: the server works as a role that owns nothing, inside one organisation at a time.

A program from before goes on working: it connects as the owner, whom the policies do not hold.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script
from migrations.walls import close_functions, make_role, open_function, open_table, tear_down, wall

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RECORDS = (
    "organisations",
    "branches",
    "users",
    "roles",
    "grants",
    "units",
    "locations",
    "commodities",
    "varieties",
    "business_partners",
    "partner_locations",
    "partner_contacts",
    "availabilities",
    "requirements",
    "trades",
    "quality_inspections",
    "dispatches",
    "settings",
    "sync_issues",
)

MACHINERY = {
    # What only triggers write, which act with their owner's rights, the server cannot change whatever it is told.
    "event": "SELECT",
    "feed": "SELECT",
    "label": "SELECT",
    "assignment": "SELECT",
    "epoch_fork": "SELECT",
    # It ticks for corrections and holds; the epoch, the floor and who was assigned are not its to say.
    "org_clock": "SELECT, INSERT (org_id, seq), UPDATE (seq, rights)",
    "hold": "SELECT, INSERT, UPDATE (until)",
    "correction": "SELECT, INSERT",
    "push_receipt": "SELECT, INSERT, UPDATE (answer), DELETE",
    "credential": "SELECT, INSERT, UPDATE (password_hash, password_changed_at)",
    "password_reset": "SELECT, INSERT, UPDATE, DELETE",
    "totp": "SELECT, INSERT, UPDATE, DELETE",
    "recovery_code": "SELECT, INSERT, DELETE",
    "session": "SELECT, INSERT, UPDATE (expires_at, revoked_at, ended_by, renewed_at, must_enrol)",
    "refresh_token": "SELECT, INSERT, UPDATE (used_at, salt)",
    "device": "SELECT, INSERT, UPDATE",
    "device_past": "SELECT, INSERT, DELETE",
    "wipe": "SELECT, INSERT, UPDATE",
    "impounded": "SELECT, INSERT, UPDATE (state, decided_by, decided_at)",
    "security_event": "SELECT, INSERT",
    # The directory of all organisations is asked through functions, name by name; app_user is read by nobody any more.
    "login_name": "",
    "app_user": "",
}

BEFORE_ANY_ORGANISATION = {
    # Before it is known whose name or number it is.
    "login_guess": "SELECT, INSERT, UPDATE, DELETE",
    "code_budget": "SELECT, INSERT, UPDATE",
    "schema_stamp": "SELECT",
    "alembic_version": "SELECT",
}

ACROSS = """
CREATE FUNCTION find_login(login text, installation text) RETURNS TABLE (
  org_id text, user_id text, username text, password_hash text, is_active boolean, trust_hash bytea
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  -- Whose a login name is, over all organisations, with what a login is checked against: look-ups by key.
  SELECT u.org_id, u.id, u.username, c.password_hash, u.is_active, d.trust_hash
  FROM login_name n JOIN users u ON u.org_id = n.org_id AND u.id = n.user_id
  LEFT JOIN credential c ON c.org_id = u.org_id AND c.user_id = u.id
  LEFT JOIN device d ON d.org_id = u.org_id AND d.id = installation AND d.user_id = u.id AND d.state = 'active'
  WHERE n.username = login
$$;

CREATE FUNCTION find_login_holder(login text) RETURNS TABLE (org_id text, user_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT n.org_id, n.user_id FROM login_name n WHERE n.username = login
$$;

CREATE FUNCTION find_people_by_phone(number text, most integer) RETURNS TABLE (org_id text, user_id text, org_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  -- The active users who have this number, at most one in an organisation.
  SELECT u.org_id, u.id, coalesce(o.legal_name, u.org_id) FROM users u
  LEFT JOIN organisations o ON o.org_id = u.org_id AND o.id = u.org_id
  WHERE u.phone = number AND u.is_active ORDER BY u.org_id LIMIT most
$$;

CREATE FUNCTION is_known_installation(installation text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT FROM device d WHERE d.id = installation)
$$;

ALTER FUNCTION list_login_name() SECURITY DEFINER SET search_path = public, pg_temp;
"""

OPEN = (
    "find_login(text, text)",
    "find_login_holder(text)",
    "find_people_by_phone(text, integer)",
    "is_known_installation(text)",
)


def upgrade() -> None:
    make_role()
    run_script("GRANT USAGE ON SCHEMA public TO cotton_app;")
    for table in RECORDS:
        wall(table, "SELECT, INSERT, UPDATE, DELETE")
    for table, rights in MACHINERY.items():
        wall(table, rights)
    # Its org_id is empty for a login: it says who wants to move to a number, not whose row it is.
    wall("code_request", "SELECT, INSERT, UPDATE (tries, used_at, delivery, attempts)", rows="true")
    for table, rights in BEFORE_ANY_ORGANISATION.items():
        open_table(table, rights)
    run_script(ACROSS)
    close_functions()
    for signature in OPEN:
        open_function(signature)


def downgrade() -> None:
    run_script("ALTER FUNCTION list_login_name() SECURITY INVOKER RESET search_path;")
    for signature in OPEN:
        op.execute(f"DROP FUNCTION {signature}")
    for table in BEFORE_ANY_ORGANISATION:
        op.execute(f"REVOKE ALL ON {table} FROM cotton_app")
    tear_down((*RECORDS, *MACHINERY, "code_request"))
    op.execute("REVOKE USAGE ON SCHEMA public FROM cotton_app")
