"""Siblings that trade places in one push: a verdict must not depend on which of them is looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.store.database import Database
from tests.harness.world import House, contact, lot, trade


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    house = await House.settle(database, tmp_path)
    await house.add_partners("p1", "p2")
    return house


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("old", "new"), [("c1", "c2"), ("c2", "c1")])
async def test_primary_contact_changes_hands_in_one_push(house: House, old: str, new: str, backwards: bool) -> None:
    actor = house.actor()
    both = [contact(old, "p1", is_primary=True), contact(new, "p1", is_primary=False)]
    await house.push(actor, None, {"partner_contacts": {"created": both}})
    cursor = (await house.pull(actor))["timestamp"]

    swapped = [contact(old, "p1", is_primary=False), contact(new, "p1", is_primary=True)]
    await house.push(actor, cursor, {"partner_contacts": {"updated": swapped[::-1] if backwards else swapped}})

    held = await house.truth("partner_contacts")
    assert {id: row["is_primary"] for id, row in held.items()} == {old: False, new: True}
    assert await house.issues() == []


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("less", "more"), [("t1", "t2"), ("t2", "t1")])
async def test_bales_move_from_one_trade_of_a_lot_to_another_in_one_push(
    house: House, less: str, more: str, backwards: bool
) -> None:
    actor = house.actor()
    drafts = [trade(id, "p1", "p2", bales=50, availability_id="a1") for id in (less, more)]
    await house.push(actor, None, {"availabilities": {"created": [lot("a1", "p2")]}, "trades": {"created": drafts}})
    cursor = (await house.pull(actor))["timestamp"]

    moved = [
        trade(less, "p1", "p2", bales=20, availability_id="a1"),
        trade(more, "p1", "p2", bales=80, availability_id="a1"),
    ]
    await house.push(actor, cursor, {"trades": {"updated": moved[::-1] if backwards else moved}})

    held = await house.truth("trades")
    assert {id: row["bales"] for id, row in held.items()} == {less: 20, more: 80}
    assert await house.issues() == []
