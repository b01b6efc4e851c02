"""Ids, deletions and documents with their children in a push (engine/push.py; correctness.md, holes 20, 21, 27, 29, 30)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine import apply as applying
from sync_server.engine.push import Conflict
from sync_server.store import holds
from sync_server.store.clock import Rights
from sync_server.store.database import Database
from tests.harness.world import House, contact, lot, partner, trade


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


def partners(**lists: list[Any]) -> dict[str, dict[str, list[Any]]]:
    return {"business_partners": lists}


async def test_created_record_that_exists_is_updated(house: House) -> None:
    """Hole 20; push rule 2."""
    await house.add_partners("p")

    await house.push(house.actor(), await house.clock(), partners(created=[partner("p", legal_name="Mine")]))

    assert (await house.truth("business_partners"))["p"]["legal_name"] == "Mine"


async def test_edit_of_a_deleted_record_never_brings_it_back(house: House) -> None:
    """Hole 21: for whatever reason it is edited, by whoever, with or without sync_issues."""
    await house.push(house.actor("agent1"), await house.clock(), partners(created=[partner("p")]))
    cursor = await house.clock()
    await house.run("DELETE FROM business_partners")

    await house.push(house.actor("agent1"), cursor, partners(created=[partner("p")]))
    await house.push(house.actor("agent2"), cursor, partners(updated=[partner("p")]))
    with pytest.raises(Conflict):
        await house.push(house.actor("agent3"), cursor, partners(updated=[partner("p")]), holds_issues=False)

    assert await house.ids("business_partners") == []
    for user in ("agent1", "agent2"):
        assert (await house.pull(house.actor(user), cursor))["changes"]["business_partners"]["deleted"] == ["p"]


@pytest.mark.parametrize("reverse", [False, True])
async def test_order_of_the_batch_does_not_matter(house: House, reverse: bool) -> None:
    """Hole 29: a child before its parent, a document before the partner that it names."""
    changes: dict[str, Any] = {
        "business_partners": {"created": [partner("seller"), partner("buyer")]},
        "partner_contacts": {"created": [contact("c", "seller")]},
        "availabilities": {"created": [lot("lot", "seller")]},
        "trades": {"created": [trade("t", "buyer", "seller")]},
    }
    ordered = dict(reversed(changes.items())) if reverse else changes

    assert await house.push(house.actor(), await house.clock(), ordered) == {}

    assert await house.ids("trades") == ["t"]
    assert await house.ids("partner_contacts") == ["c"]


async def test_deleting_a_document_deletes_its_children(house: House) -> None:
    """Hole 30; push rule 11."""
    await house.add_partners("p")
    await house.push(house.actor(), await house.clock(), {"partner_contacts": {"created": [contact("c", "p")]}})
    cursor = await house.clock()

    await house.push(house.actor(), cursor, partners(deleted=["p"]))

    answer = await house.pull(house.actor("agent2", "phone2"), cursor)
    assert answer["changes"]["partner_contacts"]["deleted"] == ["c"]


async def test_record_that_names_one_that_is_deleted_at_the_same_time_is_no_orphan(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hole 30: the named one goes after the other was judged and before it is written."""
    await house.add_partners("p")
    hold_rights, gone = holds.hold_rights, False

    async def then(*arguments: Any) -> Rights:
        nonlocal gone
        if not gone:  # once the clock is held nobody can delete any more
            gone = True
            await house.run("DELETE FROM business_partners WHERE id = 'p'")
        return await hold_rights(*arguments)

    monkeypatch.setattr(applying, "hold_rights", then)

    await house.push(house.actor(), await house.clock(), {"availabilities": {"created": [lot("lot", "p")]}})

    assert await house.ids("availabilities") == []
    (issue,) = await house.issues()
    assert (issue["reason_code"], json.loads(issue["payload"])["seller_id"]) == ("unknown_reference", "p")


async def test_child_that_is_created_while_its_parent_is_deleted_goes_with_it(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    changes = {"partner_contacts": {"created": [contact("c", "p")]}}

    await asyncio.gather(
        house.push(house.actor(), cursor, changes),
        house.push(house.actor("agent2", "phone2"), cursor, partners(deleted=["p"])),
    )

    assert (await house.ids("business_partners"), await house.ids("partner_contacts")) == ([], [])


async def test_deletion_that_another_refused_deletion_stands_against_is_refused_too(house: House) -> None:
    """Hole 27: else the database would refuse the whole push, for ever."""
    await house.add_partners("middleman")
    await house.push(house.actor(), await house.clock(), {"availabilities": {"created": [lot("lot", "middleman")]}})
    await house.run("UPDATE availabilities SET state = 'sold'")  # which no phone may delete
    changes = {"availabilities": {"deleted": ["lot"]}, **partners(deleted=["middleman"], created=[partner("new")])}

    await house.push(house.actor(), await house.clock(), changes)

    assert await house.ids("availabilities") == ["lot"]
    assert await house.ids("business_partners") == ["middleman", "new"]
    reasons = {issue["record_id"]: issue["reason_code"] for issue in await house.issues()}
    assert reasons.keys() == {"lot", "middleman"}
    assert reasons["middleman"] == "in_use"


async def test_records_that_name_each_other_go_together(house: House) -> None:
    await house.add_partners("seller")
    await house.push(house.actor(), await house.clock(), {"availabilities": {"created": [lot("lot", "seller")]}})

    await house.push(
        house.actor(), await house.clock(), {**partners(deleted=["seller"]), "availabilities": {"deleted": ["lot"]}}
    )

    assert (await house.ids("business_partners"), await house.issues()) == ([], [])
