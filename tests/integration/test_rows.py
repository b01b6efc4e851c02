"""Rows of entity tables: what is written reads back equal, whatever the values (store/rows.py)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_core.catalogue import BY_NAME
from erp_core.values import Row
from sync_server.store import log, rows
from sync_server.store.database import Database
from tests.harness.world import ORG, House

PARTNER, LOT = BY_NAME["business_partner"], BY_NAME["availability"]
ODD_TEXTS = ["'quoted'", '"', "\\", "{a,b}", "NULL", "कपास 🧵", " \t\n", "a\u2028b", "%s $1", ""]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


def partner_row(**values: Any) -> Row:
    fixed = {"branch_id": "b1", "legal_name": "P", "kind": ("buyer",), "created_at": None, "updated_at": None}
    return {**PARTNER.empty(), **fixed, **values}


async def read_back(house: House, table: str) -> dict[str, Row]:
    """Read rows as the engine does: from the payload that capture wrote."""
    async with house.database.acquire_everywhere() as connection:
        ids = await house.ids(table)
        states = await log.read_states(connection, ORG, [(table, id) for id in ids])
    return {id: state.row for (_, id), state in states.items() if state.row is not None}


async def test_texts_and_words_read_back_equal(house: House) -> None:
    words = tuple(sorted(word for word in ODD_TEXTS if word))
    written = {f"p{n}": partner_row(remarks=text, tags=words[:n]) for n, text in enumerate(ODD_TEXTS)}

    async with house.database.acquire_everywhere() as connection:
        await rows.insert(connection, PARTNER, ORG, written)

    found = await read_back(house, "business_partners")
    assert {id: (row["remarks"], row["tags"]) for id, row in found.items()} == {
        id: (row["remarks"], row["tags"]) for id, row in written.items()
    }


async def test_numbers_days_moments_and_documents_read_back_equal(house: House) -> None:
    await house.add_partners("p")
    moment = datetime(2026, 11, 23, 4, 5, 6, 789_000, tzinfo=UTC)
    row: Row = {
        **LOT.empty(),
        "branch_id": "b1",
        "seller_id": "p",
        "commodity_id": "lint",
        "crop_year": "2026-27",
        "bales_offered": 1_000_000,
        "asking_price_per_candy": Decimal("9999999999.99"),
        "quality": {"staple_mm": "28.5", "note": 'so "called"\\', "कपास": None},
        "valid_until": date(2027, 2, 28),
        "created_at": moment,
        "updated_at": moment,
        "created_by": "agent1",
    }

    async with house.database.acquire_everywhere() as connection:
        await rows.insert(connection, LOT, ORG, {"lot": row})

    assert await read_back(house, "availabilities") == {"lot": row}


async def test_update_overwrites_all_but_who_created_it_and_when(house: House) -> None:
    first, second = (datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2))
    async with house.database.acquire_everywhere() as connection:
        original = partner_row(created_at=first, updated_at=first, created_by="a", updated_by="a", email="x@y.example")
        await rows.insert(connection, PARTNER, ORG, {"p": original})
        changed = partner_row(created_at=second, updated_at=second, created_by="b", updated_by="b", legal_name="Q")
        await rows.update(connection, PARTNER, ORG, {"p": changed})

    (row,) = (await read_back(house, "business_partners")).values()
    assert row == {**changed, "created_at": first, "created_by": "a"}


async def test_rows_of_another_organisation_stay_as_they_are(house: House, tmp_path: Path) -> None:
    other = await House.settle(house.database, tmp_path / "other", "org_b")
    for one in (house, other):
        await one.add_partners("p", "q")
    before = await other.truth("business_partners")

    async with house.database.acquire_everywhere() as connection:
        await rows.update(connection, PARTNER, ORG, {"p": partner_row(legal_name="Mine")})
        await rows.delete(connection, PARTNER, ORG, ["q"])
        assert await rows.ids_by(connection, PARTNER, "branch_id", ORG, ["b1"]) == [("p", "b1")]

    assert await other.truth("business_partners") == before
    assert await house.ids("business_partners") == ["p"]


async def test_holders_and_users_are_found(house: House) -> None:
    await house.add_partners("p", "q")
    await house.run("UPDATE business_partners SET phone = '+919825012345' WHERE id = 'p'")
    async with house.database.acquire_everywhere() as connection:
        held = await rows.holders(connection, PARTNER, ("phone",), ORG, {("+919825012345",), ("+911111111111",)})
        used = await rows.uses(connection, [(PARTNER, "branch_id")], ORG, ["b1", "b2"])
        none = await rows.uses(connection, [], ORG, ["b1"])

    assert held == {("+919825012345",): "p"}
    assert {id: sorted(by) for id, by in used.items()} == {
        "b1": [("business_partners", "p"), ("business_partners", "q")]
    }
    assert none == {}
