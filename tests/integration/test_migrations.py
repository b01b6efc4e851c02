"""Migrations: up, down and up again, several at once, and the schema that is behind, ahead or altered.

docs/MIGRATIONS.md, sync_server/operate/{migrations,standing,revisions}.py, sync_server/store/schema.py.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from sync_server.operate import migrations
from sync_server.operate.migrations import MigrationFailed, MigrationRefused, migrate_down, migrate_up
from sync_server.operate.revisions import phases
from sync_server.operate.standing import State, report
from sync_server.store.database import Connection
from sync_server.store.schema import read_schema, write_stamp
from sync_server.store.tables import metadata

ACCEPTED_BY_SQUAWK = {
    # rule: why it is no danger here
    "ban-char-field": 'event.op is "char", the one-byte type, not character: a byte a row in the largest table',
    "prefer-bigint-over-int": "epochs, counts and days of the trade are bounded far below 2^31",
    "prefer-robust-stmts": "each migration runs in one transaction: it is done whole or not at all",
    "prefer-text-field": "alembic_version, which Alembic makes",
    "require-statement-timeout": "a backfill may take long; what must not is waiting for a lock, and that is bounded",
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def objects(url: str) -> Mapping[str, str]:
    async with connected(url) as connection:
        return (await read_schema(connection)).objects


async def run_sql(url: str, sql: str) -> None:
    async with connected(url) as connection:
        await connection.execute(sql)


# --- Up and down ------------------------------------------------------------------------------------------------------


async def test_each_migration_up_down_and_up_again_gives_the_same_schema(empty_url: str) -> None:
    for revision in phases():
        before = await objects(empty_url)
        await migrate_up(empty_url, revision)
        after = await objects(empty_url)
        await migrate_down(empty_url, "-1")

        left = {
            name: await_digest
            for name, await_digest in (await objects(empty_url)).items()
            if "alembic_version" not in name
        }
        assert left == {name: digest for name, digest in before.items() if "alembic_version" not in name}

        await migrate_up(empty_url, revision)
        assert await objects(empty_url) == after


async def test_every_migration_can_be_undone(empty_url: str) -> None:
    await migrate_up(empty_url)
    await migrate_down(empty_url, "base")

    assert (await report(empty_url)).revision is None
    assert [name for name in await objects(empty_url) if "alembic_version" not in name] == []


async def test_migrations_make_the_tables_of_the_catalogue(database_url: str) -> None:
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            """SELECT table_name, column_name, is_nullable = 'YES' AS nullable FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name = ANY ($1)""",
            list(metadata().tables),
        )
    live = {(row["table_name"], row["column_name"]): row["nullable"] for row in rows}
    declared = {
        (table.name, column.name): column.nullable for table in metadata().tables.values() for column in table.columns
    }

    assert live == declared


async def test_migrations_are_numbered_without_a_gap() -> None:
    assert list(phases()) == [f"{number + 1:04d}" for number in range(len(phases()))]


async def test_several_migrators_at_once_do_the_work_once(empty_url: str) -> None:
    ran = await asyncio.gather(*(migrate_up(empty_url) for _ in range(4)))

    assert sorted(map(len, ran)) == [0, 0, 0, len(phases())]
    assert (await report(empty_url)).state is State.CURRENT


async def test_migration_gives_up_waiting_for_a_lock(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_MS", 50)
    await migrate_up(empty_url)
    async with connected(empty_url) as connection, connection.transaction():
        # Every table: whichever one the newest migration touches on its way back.
        tables = await connection.fetch(
            "SELECT format('%I', relname) AS name FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        await connection.execute(f"LOCK TABLE {', '.join(row['name'] for row in tables)} IN ACCESS SHARE MODE")
        with pytest.raises(MigrationFailed, match="lock timeout"):
            await migrate_down(empty_url, "base")

    assert (await report(empty_url)).state is not State.ALTERED  # what was undone was undone whole
    await migrate_up(empty_url)
    assert (await report(empty_url)).state is State.CURRENT


# --- How it stands ----------------------------------------------------------------------------------------------------


async def test_schema_that_is_behind_is_told(empty_url: str) -> None:
    assert (await report(empty_url)).state is State.BEHIND
    await migrate_up(empty_url, "0001")
    standing = await report(empty_url)

    assert (standing.state, standing.revision, standing.ready) == (State.BEHIND, "0001", False)
    assert "migrate up" in standing.sentence


async def test_schema_that_is_ahead_is_told_and_left_alone(database_url: str) -> None:
    await run_sql(database_url, "UPDATE alembic_version SET version_num = '9999'")
    standing = await report(database_url)

    assert (standing.state, standing.ready) == (State.AHEAD, False)
    with pytest.raises(MigrationRefused):
        await migrate_up(database_url)
    with pytest.raises(MigrationRefused):
        await migrate_down(database_url)


@pytest.mark.parametrize(("phase", "ready"), [("pre", True), ("post", False)])
async def test_older_program_serves_while_only_expanding_migrations_are_ahead(
    database_url: str, phase: str, ready: bool
) -> None:
    await run_sql(database_url, "UPDATE alembic_version SET version_num = '9999'")
    async with connected(database_url) as connection:
        await write_stamp(connection, await read_schema(connection), {**phases(), "9999": phase})
    standing = await report(database_url)

    assert (standing.state, standing.ready) == (State.AHEAD, ready)


@pytest.mark.parametrize(
    ("alteration", "named"),
    [
        ("ALTER TABLE trades ADD COLUMN extra text", "column trades.extra added"),
        ("ALTER TABLE trades ALTER COLUMN created_by SET NOT NULL", "column trades.created_by changed"),
        ("ALTER TABLE units ALTER COLUMN created_by SET DEFAULT 'x'", "column units.created_by changed"),
        ("CREATE INDEX extra ON trades (created_at)", "index public.extra added"),
        ("ALTER TABLE trades DISABLE TRIGGER capture_update", "trigger trades.capture_update changed"),
        ("DROP TRIGGER capture_insert ON trades", "trigger trades.capture_insert dropped"),
        ("ALTER TABLE trades ADD CONSTRAINT odd CHECK (id <> 'x')", "constraint trades.odd added"),
        ("CREATE TABLE notes (id text)", "relation notes added"),
        (
            "CREATE OR REPLACE FUNCTION capture_update_trades() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function capture_update_trades() changed",
        ),
    ],
)
async def test_schema_that_was_altered_by_hand_is_told(database_url: str, alteration: str, named: str) -> None:
    await run_sql(database_url, alteration)
    standing = await report(database_url)

    assert (standing.state, standing.ready) == (State.ALTERED, False)
    assert named in standing.sentence
    with pytest.raises(MigrationRefused):
        await migrate_up(database_url)


async def test_alteration_can_be_accepted(database_url: str) -> None:
    await run_sql(database_url, "CREATE INDEX extra ON trades (created_at)")
    await migrate_up(database_url, accept_altered=True)

    assert (await report(database_url)).state is State.CURRENT


async def test_statistics_and_data_are_no_alteration(database_url: str) -> None:
    await run_sql(
        database_url, "INSERT INTO org_clock VALUES ('a'); ANALYZE; CREATE STATISTICS extra ON id, org_id FROM trades"
    )

    assert (await report(database_url)).state is State.CURRENT


async def test_migration_that_was_cut_off_before_its_stamp_is_finished_by_the_next(database_url: str) -> None:
    await run_sql(database_url, "DELETE FROM schema_stamp")
    assert (await report(database_url)).state is State.BEHIND
    await migrate_up(database_url)

    assert (await report(database_url)).state is State.CURRENT


# --- Lock safety ------------------------------------------------------------------------------------------------------


def test_migrations_take_no_dangerous_lock(tmp_path: Path) -> None:
    """squawk reads the SQL of every migration; what it accepts and why is in the table above."""
    sql = tmp_path / "upgrade.sql"
    sql.write_text(migrations.sql_of_upgrade())
    squawk = shutil.which("squawk", path=str(Path(sys.executable).parent))
    assert squawk is not None, "squawk-cli is not installed: run `make setup`"

    excluded = [argument for rule in ACCEPTED_BY_SQUAWK for argument in ("--exclude", rule)]
    done = subprocess.run(
        [squawk, *excluded, "--pg-version", "18.0", str(sql)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_squawk_would_notice_a_dangerous_lock(tmp_path: Path) -> None:
    sql = tmp_path / "dangerous.sql"
    sql.write_text("ALTER TABLE trades ALTER COLUMN price TYPE text;")
    squawk = Path(sys.executable).parent / "squawk"

    assert subprocess.run([squawk, str(sql)], capture_output=True, check=False).returncode != 0
