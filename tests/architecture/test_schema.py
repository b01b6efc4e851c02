"""The schema keeps what the design rests on: everything is captured, and everything can be distributed by organisation."""

from __future__ import annotations

import re

import asyncpg

from erp_core.catalogue import ENTITIES

WITHOUT_ORG = {
    "alembic_version": "the schema's own revision: one row for all organisations",
    "schema_stamp": "the schema's own fingerprint: one row for all organisations",
    "login_guess": "failed logins by the name that was typed: before it is known whose it is",
    "login_name": "the directory in which a login finds its organisation: unique over all of them by its purpose",
    "code_request": "one-time codes by number, before it is known in which organisations the number is",
    "pgqueuer": "jobs of all organisations and of none: the queue of a library; the server asks by functions",
    "pgqueuer_log": "its log",
    "pgqueuer_schedules": "its schedules: of the whole installation",
    "pgqueuer_statistics": "what it asks for and nobody fills",
    "code_budget": "what codes may cost, by prefix of the number and for everybody together",
}
"""Tables whose keys do not begin with org_id, and why. Distributed, they are reference tables."""

CAPTURE = {"capture_insert", "capture_update", "capture_delete", "refuse_truncate", "refuse_new_id"}

KEYS = """
SELECT c.relname AS "table", k.conname AS name,
  (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) AS first
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'f', 'u')
UNION ALL
SELECT c.relname, i.indexrelid::regclass::text,
  (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0])
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
"""

TRIGGERS = """
SELECT c.relname AS "table", t.tgname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
"""


async def _rows(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def test_every_key_begins_with_the_organisation(database_url: str) -> None:
    keys = [row for row in await _rows(database_url, KEYS) if row["table"] not in WITHOUT_ORG]

    assert keys
    assert [(row["table"], row["name"]) for row in keys if row["first"] != "org_id"] == []


async def test_every_entity_table_is_captured(database_url: str) -> None:
    present: dict[str, set[str]] = {entity.table: set() for entity in ENTITIES}
    for row in await _rows(database_url, TRIGGERS):
        present.setdefault(row["table"], set()).add(row["name"])

    assert {
        table: CAPTURE - present[table] for table in (entity.table for entity in ENTITIES) if CAPTURE - present[table]
    } == {}


async def test_capture_writes_every_column(database_url: str) -> None:
    """Its functions are written from the columns of a day: a column that came later reaches no phone until they are anew."""
    found = await _rows(
        database_url, "SELECT proname AS name, prosrc AS body FROM pg_proc WHERE proname ~ '^capture_(insert|update)_'"
    )
    bodies = {row["name"]: row["body"] for row in found}

    assert not {
        f"{entity.table}.{field.name}"
        for entity in ENTITIES
        for field in entity.all_fields
        for does in ("insert", "update")
        if not re.search(rf'\bn\."?{field.name}\b', bodies[f"capture_{does}_{entity.table}"])
    }


async def test_no_table_is_captured_that_is_not_an_entity(database_url: str) -> None:
    """A table that phones get must be declared, or nothing would say how it merges and who may see it."""
    captured = {row["table"] for row in await _rows(database_url, TRIGGERS) if row["name"] == "capture_insert"}

    assert captured == {entity.table for entity in ENTITIES}


async def test_the_exceptions_are_still_there(database_url: str) -> None:
    tables = {row["relname"] for row in await _rows(database_url, "SELECT relname FROM pg_class WHERE relkind = 'r'")}

    assert WITHOUT_ORG.keys() <= tables


WALLS = """
SELECT c.relname AS "table", c.relrowsecurity AS walled,
  (SELECT string_agg(pg_get_expr(p.polqual, p.polrelid), ' ') FROM pg_policy p
   WHERE p.polrelid = c.oid AND p.polroles = ARRAY['cotton_app'::regrole::oid]) AS shown
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
SHOWN_TO_ALL = {
    "code_request": "asked for before it is known whose the number is; its org_id says who wants to move to it"
}


async def test_every_table_of_an_organisation_has_its_wall(database_url: str) -> None:
    """Call migrations/walls.py:wall in the migration that makes the table."""
    tables = [row for row in await _rows(database_url, WALLS) if row["table"] not in SHOWN_TO_ALL]

    assert tables
    assert [row["table"] for row in tables if not row["walled"] or "cotton.org" not in (row["shown"] or "")] == []


async def test_a_wall_is_asked_once_for_a_statement_and_not_for_each_row(database_url: str) -> None:
    """A policy of a bare current_setting() is asked row by row wherever it is a filter, and for each row written."""
    tables = [row for row in await _rows(database_url, WALLS) if row["table"] not in SHOWN_TO_ALL]

    assert [row["table"] for row in tables if not row["shown"].startswith("(org_id = ( SELECT ")] == []
