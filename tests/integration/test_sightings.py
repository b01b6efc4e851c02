"""Sightings: what was heard of devices is written in one statement a round, and costs their requests nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from sync_server.engine import sightings
from sync_server.engine.sightings import Sightings
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from tests.harness.counting import CountingDatabase
from tests.harness.people import ORG, OTHER, settle


@pytest.fixture
async def people(database: Database) -> Database:
    await settle(database)
    async with database.acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO device (org_id, id, user_id, last_seen_at)"
            " SELECT o, 'd' || n, 'u1', '2020-01-01' FROM unnest(ARRAY['org.1', 'org.2']) o, generate_series(1, 50) n"
        )
    return database


def actor(n: int = 1, org_id: str = ORG) -> Actor:
    return Actor(org_id, "u1", "s", f"d{n}")


async def row(database: Database, id: str = "d1", org_id: str = ORG) -> dict[str, object]:
    async with database.acquire_everywhere() as connection:
        found = await connection.fetchrow(
            "SELECT last_seen_at > now() - interval '1 minute' AS seen, cursor, schema_version, app_version, pending"
            " FROM device WHERE org_id = $1 AND id = $2",
            *(org_id, id),
        )
    assert found is not None
    return dict(found)


async def test_what_was_said_last_is_kept_and_what_was_not_said_stays(people: Database) -> None:
    seen = Sightings()
    seen.saw(actor(), cursor=5, schema_version=1, app_version="1.0", pending=7)
    await seen.write(people)
    seen.saw(actor(), cursor=6)
    seen.saw(actor(), pending=0)
    await seen.write(people)

    assert await row(people) == {"seen": True, "cursor": 6, "schema_version": 1, "app_version": "1.0", "pending": 0}
    assert (await row(people, org_id=OTHER))["seen"] is False
    assert len(seen) == 0


async def test_a_round_is_one_statement_for_all_devices_of_an_organisation(people: Database, database_url: str) -> None:
    counting = await CountingDatabase.open(database_url, pool_max=2)
    seen = Sightings()
    for _ in range(10):
        for n in range(1, 51):
            for org_id in (ORG, OTHER):
                seen.saw(actor(n, org_id), cursor=n)

    await seen.write(counting)

    assert len(counting.statements) == 2
    assert [(await row(people, f"d{n}"))["cursor"] for n in (1, 50)] == [1, 50]
    await counting.close()


async def test_a_round_that_fails_is_made_up_for_by_the_next(people: Database, database_url: str) -> None:
    closed = await Database.open(database_url, pool_max=2)
    await closed.close()
    seen = Sightings()
    seen.saw(actor(), cursor=5)
    async with seen.kept(closed):
        pass
    assert len(seen) == 1
    seen.saw(actor(), pending=2)

    async with seen.kept(people):
        pass

    assert await row(people) == {"seen": True, "cursor": 5, "schema_version": None, "app_version": "", "pending": 2}


async def test_what_comes_while_a_round_is_written_is_in_the_next(people: Database) -> None:
    seen = Sightings()
    seen.saw(actor(), cursor=5)
    writing = asyncio.create_task(seen.write(people))
    await asyncio.sleep(0)
    seen.saw(actor(), cursor=6)
    await writing
    await seen.write(people)

    assert (await row(people))["cursor"] == 6


async def test_rounds_follow_each_other(people: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "ROUND_SECONDS", 0.02)
    seen = Sightings()

    async with seen.kept(people):
        for cursor in (1, 2):
            seen.saw(actor(), cursor=cursor)
            for _ in range(500):
                if (await row(people))["cursor"] == cursor:
                    break
                await asyncio.sleep(0.01)
            assert (await row(people))["cursor"] == cursor


async def test_sightings_cost_next_to_nothing_and_no_more_memory_than_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings, "WAITING_MAX", 100)
    seen = Sightings()
    seen.saw(Actor(ORG, "u1", "s"))
    assert len(seen) == 0  # a session without a device

    began = time.perf_counter()
    for n in range(20_000):
        seen.saw(actor(n % 1_000), cursor=n)

    assert (time.perf_counter() - began) / 20_000 < 20e-6
    assert len(seen) == 100
