"""What the tail reads of the log, and that what a user sees in it is what a pull would show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from erp_core.catalogue import BY_TABLE
from sync_server.engine.listening import read_seeing, tables_by_label
from sync_server.engine.standing import Standings
from sync_server.live.channels import sees
from sync_server.store.database import Database
from sync_server.store.log import Correction, correct
from sync_server.store.tailing import Moves, read_clocks, read_moves, read_sent_again
from tests.harness.world import ORG, OTHER_ORG, House


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


async def moves(house: House, after: int, most: int = 100) -> Moves:
    async with house.database.acquire(ORG) as connection:
        return await read_moves(connection, ORG, after, most)


async def test_what_moved_is_told_with_its_labels_and_those_that_it_lost(house: House) -> None:
    await house.add_partners("p1")
    before = await house.clock()
    await house.run(f"UPDATE business_partners SET branch_id = 'b2' WHERE org_id = '{ORG}' AND id = 'p1'")
    moved = await moves(house, before)

    assert moved.clock.position == await house.clock()
    assert moved.moves is not None
    (move,) = moved.moves
    assert (move.table, move.id) == ("business_partners", "p1")
    assert "branch:b2" in move.labels
    assert list(move.lost) == ["branch:b1"]

    await house.run(f"DELETE FROM business_partners WHERE org_id = '{ORG}' AND id = 'p1'")
    (gone,) = (await moves(house, moved.clock.position)).moves or ()
    assert not gone.labels
    assert {"branch", "branch:b2"} <= set(gone.lost)


async def test_labels_that_were_lost_long_ago_are_not_lost_again(house: House) -> None:
    await house.add_partners("p1")
    await house.run(f"UPDATE business_partners SET branch_id = 'b2' WHERE org_id = '{ORG}' AND id = 'p1'")
    before = await house.clock()
    await house.run(f"UPDATE business_partners SET remarks = 'x' WHERE org_id = '{ORG}' AND id = 'p1'")

    (move,) = (await moves(house, before)).moves or ()
    assert not move.lost


async def test_more_than_can_be_listed_is_told_by_tables_and_labels(house: House) -> None:
    before = await house.clock()
    await house.add_partners(*(f"p{n}" for n in range(20)))

    moved = await moves(house, before, most=5)

    assert moved.moves is not None
    assert len(moved.moves) == 20  # each has a label of its own
    assert {move.id for move in moved.moves} == {""}
    assert all("branch:b1" in move.labels for move in moved.moves)


async def test_too_many_labels_are_told_as_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_server.store.tailing.KINDS_MAX", 10)
    before = await house.clock()
    await house.add_partners(*(f"p{n}" for n in range(20)))

    assert (await moves(house, before, most=5)).moves is None


async def test_record_that_is_sent_again_is_told_though_it_did_not_move(house: House) -> None:
    await house.add_partners("p1")
    before = await house.clock()
    async with house.database.acquire(ORG) as connection:
        await correct(connection, ORG, [Correction("agent2", "business_partners", "p1", False)])
        moved = await read_moves(connection, ORG, before, 100)
        told = await read_sent_again(connection, ORG, before, moved.clock.position)

    assert moved.beside
    assert not moved.moves
    assert told == [("agent2", "business_partners")]
    assert not (await moves(house, moved.clock.position)).beside


async def test_clocks_of_many_organisations_are_read_at_once(house: House, tmp_path: Path) -> None:
    other = await House.settle(house.database, tmp_path / "b", OTHER_ORG)
    async with house.database.acquire_everywhere() as connection:
        clocks = await read_clocks(connection, [ORG, OTHER_ORG, "org_none"])

    assert {org: clock.position for org, clock in clocks.items()} == {
        ORG: await house.clock(),
        OTHER_ORG: await other.clock(),
    }


async def test_reading_the_log_stops_at_the_wall(house: House, tmp_path: Path) -> None:
    other = await House.settle(house.database, tmp_path / "b", OTHER_ORG)
    await other.add_partners("theirs")
    async with house.database.acquire(ORG) as connection:
        assert not (await read_moves(connection, OTHER_ORG, 0, 100)).moves


async def test_everybody_is_told_of_what_a_pull_would_show_them_and_of_nothing_else(house: House) -> None:
    """Sights worked out for many at once, against the standing of each, record by record of the feed."""
    await house.employ("desk", "manager", branch_id="b1")
    await house.employ("field", "agent", agent_id="field")
    await house.employ("newcomer")
    await house.add_partners("p1", "p2", "p3")
    await house.run(f"UPDATE business_partners SET assigned_agent_id = 'field' WHERE org_id = '{ORG}' AND id = 'p2'")
    await house.run(f"UPDATE business_partners SET branch_id = 'b2' WHERE org_id = '{ORG}' AND id = 'p3'")
    feed = await house.fetch("SELECT entity, id, scopes FROM feed WHERE org_id = $1 AND payload IS NOT NULL", ORG)
    users = ["agent1", "desk", "field", "newcomer", "nobody"]
    async with house.database.acquire(ORG) as connection:
        clock, seeing = await read_seeing(connection, ORG, users)
        for user in users:
            standing = await Standings().read(connection, house.actor(user), clock.rights)
            for row in feed:
                shown = standing.entitled.mask(BY_TABLE[row["entity"]], row["scopes"]) & 1
                assert sees(seeing[user].tables, row["entity"], row["scopes"]) is bool(shown), (user, row)
    assert not seeing["newcomer"].tables
    assert seeing["desk"].tables
    assert seeing["field"].tables


def test_label_that_shows_nothing_is_no_part_of_a_sight() -> None:
    assert tables_by_label({"agent:a1": frozenset()}) == {}
