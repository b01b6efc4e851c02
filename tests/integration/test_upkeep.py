"""Upkeep: what is purged, and what a device below the floor is told (correctness.md, hole 7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sync_server.engine.pull import Delta, PullRequest
from sync_server.engine.spooling import Spooled, pieces, pull
from sync_server.operate.upkeep import one_round
from sync_server.store import upkeep
from sync_server.store.database import Database
from tests.harness.world import House

Pull = Callable[[int | None], Awaitable[Delta | Spooled]]
INTERVALS = ("label", "hold", "assignment")


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.found(database, tmp_path, "o", "reader")


@pytest.fixture
def pull_units(house: House) -> Pull:
    reader = house.actor("reader")
    return lambda cursor: pull(house.database, house.room, house.standings, reader, PullRequest(cursor, ("units",)))


async def _three_units_one_deleted(database: Database, days_ago: int) -> None:
    async with database.acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)"
            " SELECT 'o', n::text, n::text, 'unit', 'mass', 1 FROM generate_series(1, 3) n"
        )
        await connection.execute("DELETE FROM units WHERE org_id = 'o' AND id = '2'")
        # The log refuses updates; only a test may make it look old.
        await connection.execute(
            "ALTER TABLE event DISABLE TRIGGER only_erasure;"
            f" UPDATE event SET at = at - interval '{days_ago} days'; ALTER TABLE event ENABLE TRIGGER only_erasure"
        )


async def _ids(answer: Spooled) -> bytes:
    (units,) = answer.tables
    return b"".join([piece async for piece in pieces((*units.created, *units.updated))])


async def test_device_below_the_floor_is_replaced_and_never_misses_a_deletion(
    database: Database, house: House, pull_units: Pull
) -> None:
    before = await pull_units(None)
    stale = await house.clock() + 1  # it saw the first unit only
    await _three_units_one_deleted(database, days_ago=10)

    assert await one_round(database, tombstone_days=5, receipt_days=5) == 1

    assert before.cursor < stale
    answer = await pull_units(stale)
    assert isinstance(answer, Spooled)
    assert answer.replaces
    body = await _ids(answer)
    assert b'"id":"1"' in body
    assert b'"id":"2"' not in body


async def test_device_at_the_floor_goes_on_incrementally(database: Database, pull_units: Pull) -> None:
    await _three_units_one_deleted(database, days_ago=10)
    await one_round(database, tombstone_days=5, receipt_days=5)
    async with database.acquire_everywhere() as connection:
        floor = await connection.fetchval("SELECT floor FROM org_clock WHERE org_id = 'o'")

    answer = await pull_units(floor)

    assert isinstance(answer, Delta)
    assert not answer.moved


async def test_tombstone_in_retention_is_kept(database: Database, house: House, pull_units: Pull) -> None:
    before = await house.clock()
    await _three_units_one_deleted(database, days_ago=3)

    assert await one_round(database, tombstone_days=5, receipt_days=5) == 0

    answer = await pull_units(before + 3)
    assert isinstance(answer, Delta)
    assert [(moved.id, moved.payload) for moved in answer.moved] == [("2", None)]


async def test_cached_first_sync_does_not_bring_a_purged_record_back(database: Database, pull_units: Pull) -> None:
    """The newest position of a table falls when its tombstone goes; the cache must not take that for an older state."""
    async with database.acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base) VALUES ('o', '1', '1', 'u', 'mass', 1)"
        )
        first = await pull_units(None)
        assert isinstance(first, Spooled)
        assert b'"id":"1"' in await _ids(first)
        await connection.execute("DELETE FROM units WHERE org_id = 'o'")
        await upkeep.purge(connection, "o", -1)

    again = await pull_units(None)

    assert isinstance(again, Spooled)
    assert await _ids(again) == b""


async def test_only_one_process_keeps_house_at_a_time(database: Database) -> None:
    async with database.acquire_everywhere() as other, other.transaction():
        assert await upkeep.claim_upkeep(other)

        assert await one_round(database, tombstone_days=5, receipt_days=5) == 0


async def test_intervals_that_ended_below_the_floor_are_forgotten_and_open_ones_kept(
    database: Database, house: House, pull_units: Pull
) -> None:
    await pull_units(None)
    await house.run(
        "INSERT INTO branches (org_id, id, code, name, state) VALUES ('o', 'b', 'B', 'B', 'Gujarat');"
        "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, assigned_agent_id)"
        " VALUES ('o', 'stays', 'b', 'S', '{buyer}', 'a'), ('o', 'goes', 'b', 'G', '{buyer}', 'a');"
        "DELETE FROM business_partners WHERE id = 'goes';"
        "INSERT INTO hold (org_id, user_id, scope, since, until, codes) VALUES ('o', 'reader', 'branch:x', 1, 2, '{}')"
    )
    await _three_units_one_deleted(database, days_ago=10)

    await one_round(database, tombstone_days=5, receipt_days=5)

    ended = [await house.one(f"SELECT count(*) FROM {table} WHERE until IS NOT NULL") for table in INTERVALS]
    assert ended == [0, 0, 0]
    assert await house.one("SELECT count(*) FROM label WHERE id = 'stays'") == 4
    assert await house.one("SELECT count(*) FROM assignment") == 1
    assert await house.one("SELECT count(*) FROM hold WHERE user_id = 'reader'") > 0
