"""The second wall: a role that owns nothing, and a policy on every table that keeps it inside one organisation.

Owns: the role that the server works as (`cotton_app`), the policy that all tables of an organisation share, and the Python
helpers with which a migration gives the role what a table needs.
Must not know: the catalogue, which statement needs which right. A migration is frozen; the server goes on changing.
Invariant: the role sees and writes rows of the organisation in `cotton.org` only, none while that is not set, and has no
right that a migration did not name (tests/integration/test_walls.py).

A migration that makes a table with `org_id` calls `wall` for it: tests/architecture/test_schema.py fails until it does.
docs/decisions/0011-walls.md says why it is built this way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from migrations.script import run_script

ROLE: Final = "cotton_app"

OWN_ORGANISATION: Final = "org_id = (SELECT nullif(current_setting('cotton.org', true), ''))"
"""The subquery is evaluated once per statement, not once per row, also where it is no index condition."""

MAKE_ROLE_V1: Final = """
-- Roles belong to the whole cluster, and its databases may be migrated side by side: whoever loses a race tries again and
-- finds the role there.
DO $make$
DECLARE
  attempt integer := 0;
BEGIN
  LOOP
    attempt := attempt + 1;
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cotton_app') THEN
        CREATE ROLE cotton_app NOLOGIN;
      END IF;
      BEGIN
        SET LOCAL ROLE cotton_app;
        RESET ROLE;
      EXCEPTION WHEN insufficient_privilege THEN
        EXECUTE format('GRANT cotton_app TO %I', current_user);
      END;
      RETURN;
    EXCEPTION
      WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role cotton_app is missing, or % may not act as it, and % may not change that', current_user, current_user
          USING ERRCODE = 'insufficient_privilege', HINT = 'An administrator must run once: CREATE ROLE cotton_app NOLOGIN; '
            || format('GRANT cotton_app TO %I;', current_user);
      WHEN duplicate_object OR unique_violation OR internal_error THEN  -- internal_error: tuple concurrently updated
        IF attempt >= 20 THEN
          RAISE;
        END IF;
        PERFORM pg_sleep(0.05 * random());
    END;
  END LOOP;
END $make$;
"""

CLOSE_FUNCTIONS_V1: Final = """
-- Everybody may call a new function. Ours that act with their owner's rights are for triggers and migrations; the server is
-- given those that it needs by name. (A trigger function cannot be called, and a trigger needs no right to it.)
DO $close$
DECLARE
  function regprocedure;
BEGIN
  FOR function IN
    SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
      AND p.prorettype <> 'trigger'::regtype AND pg_has_role(p.proowner, 'USAGE')
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
  END LOOP;
END $close$;
"""


def make_role() -> None:
    """Make the role if there is none, and let whoever migrates act as it. It stays when the migration is undone."""
    run_script(MAKE_ROLE_V1)


def wall(table: str, rights: str, *, rows: str = OWN_ORGANISATION) -> None:
    """Let the server do `rights` ("SELECT, UPDATE (seq)", "" for nothing) with the rows of `table` that `rows` admits.

    The owner is not held: migrations, upkeep and people with psql see all organisations.
    """
    granted = f"GRANT {rights} ON {table} TO {ROLE};" if rights else ""
    run_script(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        CREATE POLICY walls ON {table} TO {ROLE} USING ({rows});
        {granted}
        """
    )


def open_table(table: str, rights: str) -> None:
    """Let the server do `rights` with every row of a table that belongs to no organisation."""
    run_script(f"GRANT {rights} ON {table} TO {ROLE};")


def open_function(signature: str) -> None:
    """Let the server, and nobody else but its owner, call a function."""
    run_script(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {signature} TO {ROLE};")


def close_functions() -> None:
    """Close what acts with its owner's rights to everybody; call it after a migration that makes such functions."""
    run_script(CLOSE_FUNCTIONS_V1)


def tear_down(tables: Iterable[str]) -> None:
    """Undo `wall` for `tables`."""
    for table in tables:
        run_script(
            f"DROP POLICY walls ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY; REVOKE ALL ON {table} FROM {ROLE};"
        )
