"""Slow statements: they are counted and logged with their plan, and nothing that anybody entered is in the log."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from sync_server.store import timed
from sync_server.store.database import NO_ORGANISATION, Database
from sync_server.store.meters import SLOW_STATEMENTS
from tests.harness.world import ORG, House


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, pool_max=3, slow_statement_ms=50)
    yield opened
    await opened.close()


async def ask(database: Database, name: str = "secret-name") -> None:
    async with database.acquire(ORG) as connection:
        await connection.fetch("SELECT pg_sleep(0.06), $1::text", name)


async def told(lines: io.StringIO, event: str) -> list[dict[str, Any]]:
    """Wait for lines of the log about `event`."""
    for _ in range(40):
        found = [json.loads(line) for line in lines.getvalue().splitlines() if f'"{event}"' in line]
        if found:
            return found
        await asyncio.sleep(0.05)
    return []


async def test_a_slow_statement_is_counted_and_told_with_its_plan(
    watched: Database, house: House, lines: io.StringIO
) -> None:
    before = SLOW_STATEMENTS.values[()]
    async with watched.acquire(ORG) as connection:
        await connection.fetchval("SELECT count(pg_sleep(0.06)) FROM org_clock WHERE org_id = $1", "org_a")

    (slow,) = await told(lines, "slow_statement")
    assert slow["statement"] == "SELECT count(pg_sleep(0.06)) FROM org_clock WHERE org_id = $1"
    assert slow["ms"] >= 50
    (plan,) = await told(lines, "slow_plan")
    assert plan["statement"] == slow["statement"]
    assert "org_clock_pkey" in plan["plan"]
    assert "(org_id = $1)" in plan["plan"], "the generic plan: no value is in it"
    assert SLOW_STATEMENTS.values[()] == before + 1


async def test_no_value_is_in_the_log(watched: Database, lines: io.StringIO) -> None:
    await ask(watched, "secret-name")
    async with watched.acquire(ORG) as connection:
        await connection.execute("SET LOCAL cotton.actor = 'secret''s actor'; SELECT pg_sleep(0.06)")
    await told(lines, "slow_plan")

    assert len(await told(lines, "slow_statement")) == 2
    assert "secret" not in lines.getvalue()
    assert "SET LOCAL cotton.actor = '?'; SELECT pg_sleep(0.06)" in lines.getvalue()


async def test_a_quick_statement_is_not_told(watched: Database, lines: io.StringIO) -> None:
    async with watched.acquire(ORG) as connection:
        await connection.fetchval("SELECT 1")
    await asyncio.sleep(0.1)

    assert "slow" not in lines.getvalue()


async def test_a_plan_is_told_once_an_hour_and_the_statement_each_time(watched: Database, lines: io.StringIO) -> None:
    for _ in range(3):
        await ask(watched)
        await told(lines, "slow_plan")

    assert len(await told(lines, "slow_statement")) == 3
    assert len(await told(lines, "slow_plan")) == 1


async def test_a_statement_that_cannot_be_planned_apart_is_told_all_the_same(
    watched: Database, lines: io.StringIO
) -> None:
    async with watched.acquire(ORG) as connection:
        await connection.execute("CREATE TEMPORARY TABLE mine (id text)")
        await connection.fetch("SELECT pg_sleep(0.06) FROM (SELECT count(*) FROM mine) counted")

        assert len(await told(lines, "slow_statement")) == 1
        (refused,) = await told(lines, "slow_plan_unknown")
    assert refused["fault"] == "UndefinedTableError"


async def test_a_statement_that_fails_slowly_is_told_and_fails(watched: Database, lines: io.StringIO) -> None:
    async with watched.acquire(ORG) as connection:
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SET statement_timeout = '70ms'; SELECT pg_sleep(5)")
        await connection.execute("RESET statement_timeout")

    assert len(await told(lines, "slow_statement")) == 1


async def test_who_explains_holds_nothing_up(watched: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched.acquire(ORG), watched.acquire(ORG):  # the third connection is all that is left
        async with watched.acquire(NO_ORGANISATION) as connection:
            await connection.fetchval("SELECT count(pg_sleep(0.06))")
        await asyncio.sleep(0.2)
    monkeypatch.setattr(timed, "EXPLAINED_MAX", 1)
    await ask(watched)

    async with asyncio.timeout(5):
        await watched.close()
