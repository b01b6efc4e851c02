"""Pull: one point in time, complete for its cursor, each id once (engine/pull.py; correctness.md, holes 1 to 7, 12 to 14).

Each promise about a delta is held both ways a delta can be made: in memory and through spools.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine import pull as pulls
from sync_server.engine.cursor import FromTheFuture
from sync_server.store import clock as clocks
from sync_server.store import listings, upkeep
from sync_server.store.database import Database
from sync_server.wire.schema import schema_document
from tests.harness.world import House, changed_tables, lot, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture(params=["in memory", "spooled"], autouse=True)
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test meet both paths of a delta."""
    if request.param == "spooled":
        monkeypatch.setattr(pulls, "SMALL_DELTA_MAX", 0)


# --- First sync -------------------------------------------------------------------------------------------------------


async def test_first_sync_has_every_row_and_is_followed_by_nothing(house: House) -> None:
    await house.add_partners("p", "q")

    answer = await house.pull(house.actor())

    for table in ("units", "branches", "commodities", "organisations", "business_partners"):
        assert sorted(records(answer, table)) == await house.ids(table)
        assert not answer["changes"][table]["deleted"], "Turbo refuses a first sync with deletions"
    assert changed_tables(await house.pull(house.actor(), answer["timestamp"])) == []


async def test_first_sync_of_an_organisation_without_rows_can_be_followed(database: Database, tmp_path: Path) -> None:
    settled = await House.settle(database, tmp_path)
    empty = House(database, settled.room, "org_empty")

    answer = await empty.pull(empty.actor())

    assert changed_tables(answer) == []
    assert answer["timestamp"] > 0
    assert changed_tables(await empty.pull(empty.actor(), answer["timestamp"])) == []


async def test_what_is_sent_is_exactly_the_schema(house: House) -> None:
    await house.add_partners("p")
    columns = {t["name"]: {"id", *(c["name"] for c in t["columns"])} for t in schema_document()["tables"]}

    answer = await house.pull(house.actor())

    assert answer["changes"].keys() == columns.keys()
    for table in columns:
        for record in records(answer, table).values():
            assert record.keys() == columns[table]


async def test_second_first_sync_is_answered_from_the_cache_and_is_equal(house: House) -> None:
    first = await house.pull(house.actor("agent1"))

    assert await house.pull(house.actor("agent2")) == first

    await house.add_partners("p")
    assert "p" in records(await house.pull(house.actor("agent2")), "business_partners")


# --- Deltas -----------------------------------------------------------------------------------------------------------


async def test_delta_says_created_updated_and_deleted(house: House) -> None:
    await house.add_partners("kept", "changed", "gone")
    cursor = (await house.pull(house.actor()))["timestamp"]
    await house.add_partners("new", "brief")
    await house.run(
        "UPDATE business_partners SET legal_name = 'X' WHERE id IN ('changed', 'new');"
        "DELETE FROM business_partners WHERE id IN ('gone', 'brief')"
    )

    lists = (await house.pull(house.actor(), cursor))["changes"]["business_partners"]

    assert [r["id"] for r in lists["created"]] == ["new"]
    assert [(r["id"], r["legal_name"]) for r in lists["updated"]] == [("changed", "X")]
    assert sorted(lists["deleted"]) == ["brief", "gone"]


async def test_record_that_changed_often_comes_once_in_its_last_state(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    for n in range(5):
        await house.run(f"UPDATE business_partners SET legal_name = 'name {n}'")

    found = records(await house.pull(house.actor(), cursor), "business_partners")

    assert {id: r["legal_name"] for id, r in found.items()} == {"p": "name 4"}


async def test_every_cursor_on_the_way_leads_to_the_same_end(house: House) -> None:
    """Hole 3: no two changes share a position, so a pull may begin between any two."""
    start = await house.clock()
    await house.add_partners(*(f"p{n}" for n in range(6)))
    await house.run("UPDATE business_partners SET legal_name = 'X' WHERE id IN ('p1', 'p2')")
    truth = {id: row["legal_name"] for id, row in (await house.truth("business_partners")).items()}

    for cursor in range(start, await house.clock() + 1):
        held = {json.loads(e["new"])["id"]: json.loads(e["new"])["legal_name"] for e in await house.events(start)
                if e["position"] <= cursor}  # fmt: skip
        answer = await house.pull(house.actor(), cursor)
        held |= {id: r["legal_name"] for id, r in records(answer, "business_partners").items()}
        assert held == truth


async def test_own_record_comes_back_as_updated_and_anothers_as_created(house: House) -> None:
    """Hole 22: a `created` echo would bring back what the phone has deleted meanwhile."""
    author, other = house.actor("agent1"), house.actor("agent2", "phone2")
    cursor = await house.clock()
    await house.push(author, cursor, {"business_partners": {"created": [partner("p")]}})

    mine = (await house.pull(author, cursor))["changes"]["business_partners"]
    others = (await house.pull(other, cursor))["changes"]["business_partners"]

    assert ([r["id"] for r in mine["created"]], [r["id"] for r in mine["updated"]]) == ([], ["p"])
    assert ([r["id"] for r in others["created"]], [r["id"] for r in others["updated"]]) == (["p"], [])


async def test_answer_is_one_point_in_time_over_all_tables(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes 5 and 6: what is written between two reads is in the next pull as a whole, and in none before."""
    await house.add_partners("old")
    cursor = await house.clock() - 1
    copied, wrote = listings.copy_listing, False

    async def with_a_write_after_each(*arguments: Any) -> int:
        nonlocal wrote
        rows = await copied(*arguments)
        if not wrote:
            wrote = True
            await house.add_partners("seller")
            agent = house.actor("someone", "else")
            await house.push(agent, await house.clock(), {"availabilities": {"created": [lot("lot", "seller")]}})
        return rows

    monkeypatch.setattr(listings, "copy_listing", with_a_write_after_each)
    monkeypatch.setattr(pulls, "SMALL_DELTA_MAX", 0)

    first = await house.pull(house.actor(), cursor)
    second = await house.pull(house.actor(), first["timestamp"])

    assert wrote
    assert sorted(records(first, "business_partners")) == ["old"]
    assert not records(first, "availabilities")
    assert sorted(records(second, "business_partners")) == ["seller"]
    assert sorted(records(second, "availabilities")) == ["lot"]


# --- Replacement ------------------------------------------------------------------------------------------------------


async def test_timestamp_of_another_backend_gets_everything_in_place_of_what_it_had(house: House) -> None:
    await house.add_partners("p")

    answer = await house.pull(house.actor(), 1_795_400_000_000)

    assert answer["experimentalStrategy"] == "replacement"
    assert [r["id"] for r in answer["changes"]["business_partners"]["updated"]] == ["p"]
    assert not answer["changes"]["business_partners"]["created"], "it may hold the record, deleted and not yet pushed"


async def test_cursor_from_the_future_is_refused(house: House) -> None:
    with pytest.raises(FromTheFuture):
        await house.pull(house.actor(), await house.clock() + 1)


async def test_restored_database_replaces_only_who_saw_what_is_gone(house: House) -> None:
    await house.add_partners("p")
    fork = await house.clock()
    await house.run(
        "UPDATE org_clock SET epoch = 3, seq = 0;"
        f"INSERT INTO epoch_fork (org_id, epoch, forked_at) VALUES ('org_a', 3, {fork})"
    )
    await house.add_partners("q")

    before = await house.pull(house.actor(), fork)
    after = await house.pull(house.actor(), fork + 1)

    assert sorted(records(before, "business_partners")) == ["q"]
    assert "experimentalStrategy" not in before
    assert after["experimentalStrategy"] == "replacement"
    assert sorted(records(after, "business_partners")) == ["p", "q"]


async def test_purge_between_two_looks_at_the_clock_hides_no_deletion(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hole 7: the floor may pass a slow phone's cursor while it is being answered."""
    await house.add_partners("p")
    cursor = await house.clock()
    await house.run("DELETE FROM business_partners WHERE id = 'p'")
    read_clock = clocks.read_clock
    purged = False

    async def then_purge(*arguments: Any) -> Any:
        nonlocal purged
        clock = await read_clock(*arguments)
        if not purged:
            purged = True
            async with house.database.acquire_everywhere() as connection:
                await upkeep.purge(connection, house.org_id, -1)
        return clock

    monkeypatch.setattr(clocks, "read_clock", then_purge)

    answer = await house.pull(house.actor(), cursor)

    told = "p" in answer["changes"]["business_partners"]["deleted"]
    assert told or answer.get("experimentalStrategy") == "replacement"
