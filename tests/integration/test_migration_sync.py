"""Migration syncs: what a phone's new schema lacks is sent, old rows included (correctness.md, holes 12 and 13)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.database import Database
from tests.harness.world import House, changed_tables, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


def migration(tables: list[str] | None = None, columns: dict[str, list[str]] | None = None) -> dict[str, str]:
    listed = [{"table": table, "columns": names} for table, names in (columns or {}).items()]
    return {"migration": json.dumps({"from": 1, "tables": tables or [], "columns": listed}), "schema_version": "2"}


async def test_new_table_comes_whole_and_the_others_as_a_delta(house: House) -> None:
    await house.add_partners("old")
    cursor = await house.clock()
    await house.run("UPDATE units SET name = 'X' WHERE id = 'kg'")

    answer = await house.pull(house.actor(), cursor, **migration(tables=["business_partners"]))

    assert sorted(records(answer, "business_partners")) == ["old"]
    assert sorted(records(answer, "units")) == ["kg"]
    assert changed_tables(answer) == ["units", "business_partners"]


@pytest.mark.parametrize(
    ("column", "value", "is_default"),
    [
        ("email", None, True),
        ("email", "''", True),
        ("email", "'a@b.example'", False),
        ("trade_name", "'0'", False),
        ("trade_name", "'false'", False),
        ("credit_limit", "0", True),
        ("credit_limit", "0.50", False),
    ],
)
async def test_new_column_brings_the_rows_whose_value_the_phone_did_not_fill_in(
    house: House, column: str, value: str | None, is_default: bool
) -> None:
    await house.add_partners("p", "q")
    await house.run(f"UPDATE business_partners SET {column} = {value or 'NULL'} WHERE id = 'p'")
    cursor = await house.clock()

    answer = await house.pull(house.actor(), cursor, **migration(columns={"business_partners": [column]}))

    assert sorted(records(answer, "business_partners")) == ([] if is_default else ["p"])
    assert not answer["changes"]["business_partners"]["created"], "the phone has the row already"


async def test_row_that_also_changed_comes_once(house: House) -> None:
    await house.add_partners("p", "q")
    await house.run("UPDATE business_partners SET email = 'a@b.example'")
    cursor = await house.clock()
    await house.run(
        "UPDATE business_partners SET legal_name = 'X' WHERE id = 'p'; DELETE FROM business_partners WHERE id = 'q'"
    )
    await house.add_partners("r")

    answer = await house.pull(house.actor(), cursor, **migration(columns={"business_partners": ["email"]}))

    lists = answer["changes"]["business_partners"]
    assert [r["id"] for r in lists["updated"]] == ["p"]
    assert ([r["id"] for r in lists["created"]], lists["deleted"]) == (["r"], ["q"])
    records(answer, "business_partners")


async def test_migrated_phone_equals_one_that_was_installed_anew(house: House) -> None:
    await house.add_partners("p", "q")
    await house.run("UPDATE business_partners SET email = 'a@b.example', remarks = 'x' WHERE id = 'p'")
    old = await house.pull(house.actor())
    held: dict[str, dict[str, Any]] = records(old, "business_partners")
    for row in held.values():
        row.update(email=None, remarks=None)  # what the phone's own migration fills in
    columns = {"business_partners": ["email", "remarks"]}

    answer = await house.pull(house.actor(), old["timestamp"], **migration(columns=columns))

    fresh = records(await house.pull(house.actor()), "business_partners")
    assert {**held, **records(answer, "business_partners")} == fresh


async def test_own_rows_of_a_new_column_come_as_updated_too(house: House) -> None:
    cursor = await house.clock()
    await house.push(house.actor(), cursor, {"business_partners": {"created": [partner("p", email="a@b.example")]}})
    cursor = await house.clock()

    answer = await house.pull(house.actor(), cursor, **migration(columns={"business_partners": ["email"]}))

    assert [r["id"] for r in answer["changes"]["business_partners"]["updated"]] == ["p"]
