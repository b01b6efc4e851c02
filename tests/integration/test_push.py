"""Push: applied once, wholly, merged per column, and never a resurrection (engine/push.py; correctness.md, holes 15 to 28)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine.push import Conflict, push
from sync_server.store import rows
from sync_server.store.database import Database
from tests.harness.world import House, partner, records, request


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


def partners(**lists: list[Any]) -> dict[str, dict[str, list[Any]]]:
    return {"business_partners": lists}


# --- Once -------------------------------------------------------------------------------------------------------------


async def test_repeated_push_has_one_effect_and_the_same_answer(house: House) -> None:
    """Holes 15 and 17: the first answer was lost, and the phone sends the same again."""
    changes = partners(created=[partner("p"), partner("bad", branch_id="none")])
    cursor = await house.clock()

    first = await house.push(house.actor(), cursor, changes, holds_issues=False)
    after_first = await house.clock()
    second = await house.push(house.actor(), cursor, changes, holds_issues=False)

    assert first == second == {"experimentalRejectedIds": {"business_partners": ["bad"]}}
    assert await house.clock() == after_first


async def test_same_push_twice_at_once_is_applied_once(house: House) -> None:
    wanted = request(await house.clock(), partners(created=[partner(f"p{n}") for n in range(20)]))

    await asyncio.gather(*(push(house.database, house.standings, house.actor(), wanted) for _ in range(4)))

    assert len([e for e in await house.events() if e["entity"] == "business_partners"]) == 20


async def test_records_sent_again_in_another_batch_have_one_effect(house: House) -> None:
    """Hole 16: after a lost answer the phone collects again, with more in it."""
    cursor = await house.clock()
    await house.push(house.actor(), cursor, partners(created=[partner("p")]))

    await house.push(house.actor(), cursor, partners(created=[partner("p"), partner("q")]))

    logged = [e["record_id"] for e in await house.events(cursor) if e["entity"] == "business_partners"]
    assert sorted(logged) == ["p", "q"]


async def test_lost_answer_does_not_turn_the_phones_own_edit_into_a_clash(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    await house.push(
        house.actor(), cursor, partners(updated=[{"id": "p", "email": "a@b.example", "_changed": "email"}])
    )

    await house.push(
        house.actor(), cursor, partners(updated=[{"id": "p", "email": "c@d.example", "_changed": "email"}])
    )

    assert (await house.truth("business_partners"))["p"]["email"] == "c@d.example"


# --- Wholly -----------------------------------------------------------------------------------------------------------


async def test_push_that_fails_midway_leaves_no_trace(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hole 28."""
    await house.add_partners("p")
    before = await house.clock()

    async def breaks(*_: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(rows, "update", breaks)
    changes = partners(created=[partner("q")], updated=[{"id": "p", "legal_name": "X"}])
    with pytest.raises(ConnectionResetError):
        await house.push(house.actor(), before, changes)
    monkeypatch.undo()

    assert (await house.clock(), await house.ids("business_partners")) == (before, ["p"])
    await house.push(house.actor(), before, changes)
    assert await house.ids("business_partners") == ["p", "q"], "the failed attempt left no receipt"


async def test_true_clash_applies_nothing_and_names_the_three_values(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office'")
    before = await house.clock()

    changes = partners(created=[partner("q")], updated=[{"id": "p", "legal_name": "Phone"}])
    with pytest.raises(Conflict) as caught:
        await house.push(house.actor(), cursor, changes)

    (clash,) = caught.value.clashes
    assert (clash.table, clash.id) == ("business_partners", "p")
    assert clash.columns == {"legal_name": {"base": "Partner p", "ours": "Office", "theirs": "Phone"}}
    assert (await house.clock(), await house.ids("business_partners")) == (before, ["p"])


async def test_after_a_pull_the_resolved_clash_goes_through(house: House) -> None:
    """Hole 26: a hot record never stops a phone for ever."""
    await house.add_partners("p")
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office'")
    with pytest.raises(Conflict):
        await house.push(house.actor(), cursor, partners(updated=[{"id": "p", "legal_name": "Phone"}]))

    pulled = (await house.pull(house.actor(), cursor))["timestamp"]
    await house.push(house.actor(), pulled, partners(updated=[{"id": "p", "legal_name": "Phone"}]))

    assert (await house.truth("business_partners"))["p"]["legal_name"] == "Phone"


# --- Per column -------------------------------------------------------------------------------------------------------


async def test_changes_of_different_columns_are_merged(house: House) -> None:
    """Hole 24: the phone sends its whole row, with an older copy of what the office changed."""
    await house.add_partners("p")
    pulled = records(await house.pull(house.actor()), "business_partners")["p"]
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office'")
    pushed = {**pulled, "email": "a@b.example", "_status": "updated", "_changed": "email"}

    await house.push(house.actor(), cursor, partners(updated=[pushed]))

    row = (await house.truth("business_partners"))["p"]
    assert (row["legal_name"], row["email"]) == ("Office", "a@b.example")
    corrected = records(await house.pull(house.actor(), cursor), "business_partners")["p"]
    assert corrected["legal_name"] == "Office"


async def test_without_a_hint_the_whole_row_is_compared_with_the_base(house: House) -> None:
    await house.add_partners("p")
    pulled = records(await house.pull(house.actor()), "business_partners")["p"]
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office'")

    await house.push(house.actor(), cursor, partners(updated=[{**pulled, "email": "a@b.example"}]))

    row = (await house.truth("business_partners"))["p"]
    assert (row["legal_name"], row["email"]) == ("Office", "a@b.example")


async def test_same_change_on_both_sides_is_no_clash(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Same'")

    assert await house.push(house.actor(), cursor, partners(updated=[{"id": "p", "legal_name": "Same"}])) == {}


async def test_what_the_server_owns_is_never_taken_and_the_phone_is_corrected(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()

    await house.push(house.actor(), cursor, partners(updated=[{"id": "p", "exposure": 9e9, "created_by": "me"}]))

    row = (await house.truth("business_partners"))["p"]
    assert (row["exposure"], row["created_by"]) == (0, None)
    assert records(await house.pull(house.actor(), cursor), "business_partners")["p"]["exposure"] == 0
