"""The unit of work: wholly or not at all, tried again when a race is lost, and never cut by a caller that left.

store/unit_of_work.py, store/database.py; correctness.md, holes 18, 19 and 28.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import ATTEMPTS_MAX, Busy, act_as_server, attribute, trial, unit_of_work

INSERT = "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base) VALUES ('o', $1, $1, $1, 'mass', 1)"


async def ids(database: Database) -> list[str]:
    async with database.acquire_everywhere() as connection:
        return [row["id"] for row in await connection.fetch("SELECT id FROM units ORDER BY id")]


async def test_what_it_returns_is_committed(database: Database) -> None:
    async def work(connection: Connection) -> str:
        await connection.execute(INSERT, "a")
        return "done"

    assert await unit_of_work(database, "o", work) == "done"
    assert await ids(database) == ["a"]


async def test_what_raises_leaves_no_trace(database: Database) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(INSERT, "a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unit_of_work(database, "o", work)

    assert await ids(database) == []
    async with database.acquire_everywhere() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT count(*) FROM event") == 0


@pytest.mark.parametrize(
    "lost",
    [
        asyncpg.DeadlockDetectedError,
        asyncpg.LockNotAvailableError,
        asyncpg.SerializationError,
        asyncpg.ForeignKeyViolationError,
        asyncpg.UniqueViolationError,
    ],
)
async def test_lost_race_runs_the_work_again_from_its_first_read(database: Database, lost: type[Exception]) -> None:
    seen: list[int] = []

    async def work(connection: Connection) -> None:
        seen.append(await connection.fetchval("SELECT count(*) FROM units"))
        await connection.execute(INSERT, "a")
        if len(seen) < 3:
            raise lost("lost")

    await unit_of_work(database, "o", work)

    assert seen == [0, 0, 0], "each attempt starts from nothing"
    assert await ids(database) == ["a"]


async def test_whoever_always_loses_is_told_that_the_server_is_busy(database: Database) -> None:
    attempts = 0

    async def work(_: Connection) -> None:
        nonlocal attempts
        attempts += 1
        raise asyncpg.SerializationError("lost")

    with pytest.raises(Busy):
        await unit_of_work(database, "o", work)

    assert attempts == ATTEMPTS_MAX


async def test_what_is_no_race_is_not_tried_again(database: Database) -> None:
    attempts = 0

    async def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await unit_of_work(database, "o", work)
    assert attempts == 1


async def test_real_deadlock_ends_with_both_done(database: Database) -> None:
    async with database.acquire_everywhere() as connection:
        await connection.execute("INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)"
                                 " VALUES ('o', 'a', 'a', 'a', 'mass', 1), ('o', 'b', 'b', 'b', 'mass', 1)")  # fmt: skip
    meet = asyncio.Barrier(2)
    attempts = 0

    def locking(first: str, second: str) -> Any:
        async def work(connection: Connection) -> None:
            nonlocal attempts
            attempts += 1
            await connection.execute("SELECT FROM units WHERE id = $1 FOR UPDATE", first)
            if attempts <= 2:
                await meet.wait()
            await connection.execute("SELECT FROM units WHERE id = $1 FOR UPDATE", second)
            await connection.execute("UPDATE units SET name = name || $2 WHERE id = $1", first, second)

        return work

    await asyncio.gather(unit_of_work(database, "o", locking("a", "b")), unit_of_work(database, "o", locking("b", "a")))

    assert attempts >= 3
    async with database.acquire_everywhere() as connection:
        assert [r["name"] for r in await connection.fetch("SELECT name FROM units ORDER BY id")] == ["ab", "ba"]


@pytest.mark.parametrize("pauses", range(6))
async def test_caller_that_is_cancelled_at_any_await_never_cuts_the_work(database: Database, pauses: int) -> None:
    """Hole 18: the phone hangs up; what was begun is committed all the same, and the pool stays clean."""

    async def work(connection: Connection) -> None:
        for id in ("a", "b", "c"):
            await connection.execute(INSERT, id)
            await asyncio.sleep(0)

    caller = asyncio.create_task(unit_of_work(database, "o", work))
    for _ in range(pauses):
        await asyncio.sleep(0.002)
    was_done = caller.done()
    caller.cancel()
    await asyncio.wait({caller})
    await asyncio.gather(*database._under_way)

    begun = was_done or pauses > 0
    assert await ids(database) == (["a", "b", "c"] if begun else await ids(database))
    assert len(await ids(database)) in (0, 3)
    async with database.acquire_everywhere() as connection:
        assert not connection.is_in_transaction()


async def test_closing_waits_for_what_is_under_way(database_url: str, database: Database) -> None:
    closing = await Database.open(database_url)

    async def work(connection: Connection) -> None:
        await asyncio.sleep(0.1)
        await connection.execute(INSERT, "a")

    caller = asyncio.create_task(unit_of_work(closing, "o", work))
    await asyncio.sleep(0.02)
    caller.cancel()
    await asyncio.wait({caller})
    await closing.close()

    assert await ids(database) == ["a"]


async def test_trial_leaves_no_trace_and_the_transaction_goes_on(database: Database) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(INSERT, "kept")
        async with trial(connection):
            await connection.execute(INSERT, "tried")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with trial(connection):
                await connection.execute(INSERT, "kept")

    await unit_of_work(database, "o", work)

    assert await ids(database) == ["kept"]


async def test_the_log_names_the_doer_and_only_within_the_unit(database: Database) -> None:
    async def work(connection: Connection) -> None:
        await attribute(connection, {("units", "a"): (Actor("o", "agent'1", "phone1"), "digest")})
        await connection.execute(INSERT, "a")
        await act_as_server(connection)
        await connection.execute(INSERT, "b")

    await unit_of_work(database, "o", work)
    for _ in range(5):  # every connection of the pool
        async with database.acquire_everywhere() as connection:
            await connection.execute("UPDATE units SET name = name || 'x' WHERE id = 'a'")

    async with database.acquire_everywhere() as connection:
        events = await connection.fetch("SELECT actor, session, push FROM event ORDER BY position")
    assert [tuple(e) for e in events[:2]] == [("agent'1", "phone1", "digest"), ("server", None, None)]
    assert {tuple(e) for e in events[2:]} == {(None, None, None)}


async def test_several_doers_of_one_statement_are_told_apart(database: Database) -> None:
    async def work(connection: Connection) -> None:
        doers = {("units", id): (Actor("o", f"agent-{id}", f"phone-{id}"), f"push-{id}") for id in "abc"}
        await attribute(connection, doers)
        await connection.execute(
            "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)"
            " SELECT 'o', id, id, id, 'mass', 1 FROM unnest('{a,b,c}'::text[]) id"
        )

    await unit_of_work(database, "o", work)

    async with database.acquire_everywhere() as connection:
        events = await connection.fetch("SELECT record_id, actor, session, push FROM event ORDER BY record_id")
    assert [tuple(e) for e in events] == [(id, f"agent-{id}", f"phone-{id}", f"push-{id}") for id in "abc"]
