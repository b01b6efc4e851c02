"""Capture: whatever way a row changes, it gets one event, a position of its own and a payload (migrations/capture.py)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.database import Database
from tests.harness.world import House, partner

UNIT = "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


async def _logged(house: House, statement: str) -> list[tuple[str, str, str]]:
    """Run a statement; give what the log says happened: (operation, table, id), by table and id."""
    before = await house.clock()
    await house.run(statement)
    events = await house.events(before)
    assert [e["position"] for e in events] == list(range(before + 1, before + 1 + len(events)))
    assert await house.clock() == before + len(events)
    return sorted((e["op"].decode(), e["entity"], e["record_id"]) for e in events)


# --- Every way in which a row changes ---------------------------------------------------------------------------------


async def test_insert_of_many_rows_is_one_event_each(house: House) -> None:
    statement = f"{UNIT} SELECT 'org_a', 'u' || n, 'u' || n, 'unit', 'mass', 1 FROM generate_series(1, 3) n"

    assert await _logged(house, statement) == [("i", "units", f"u{n}") for n in (1, 2, 3)]


async def test_update_is_one_event_for_each_row_that_changed(house: House) -> None:
    assert await _logged(house, "UPDATE units SET name = 'Candy (784 lb)' WHERE id <> 'kg'") == [
        ("u", "units", "candy")
    ]


async def test_update_that_changes_nothing_is_not_logged_and_takes_no_position(house: House) -> None:
    assert await _logged(house, "UPDATE units SET name = name") == []
    assert await _logged(house, "UPDATE units SET name = CASE id WHEN 'kg' THEN 'Kilo' ELSE name END") == [
        ("u", "units", "kg")
    ]


async def test_delete_leaves_a_tombstone(house: House) -> None:
    await house.add_partners("p")

    assert await _logged(house, "DELETE FROM business_partners") == [("d", "business_partners", "p")]

    assert await house.fetch("SELECT id FROM feed WHERE entity = 'business_partners' AND payload IS NULL")


async def test_cascade_is_captured_with_the_parent(house: House) -> None:
    await house.add_partners("p")
    await house.run(
        "INSERT INTO partner_contacts (org_id, id, partner_id, kind, name)"
        " VALUES ('org_a', 'c1', 'p', 'owner', 'Asha'), ('org_a', 'c2', 'p', 'owner', 'Ravi')"
    )

    assert await _logged(house, "DELETE FROM business_partners WHERE id = 'p'") == [
        ("d", "business_partners", "p"),
        ("d", "partner_contacts", "c1"),
        ("d", "partner_contacts", "c2"),
    ]


async def test_upsert_logs_inserts_as_inserts_and_updates_as_updates(house: House) -> None:
    statement = (
        f"{UNIT} VALUES ('org_a', 'kg', 'kg', 'Kilo', 'mass', 1), ('org_a', 'qtl', 'qtl', 'Quintal', 'mass', 100),"
        " ('org_a', 'candy', 'candy', 'Candy', 'mass', 355.62)"
        " ON CONFLICT (org_id, id) DO UPDATE SET name = excluded.name"
    )

    assert await _logged(house, statement) == [("i", "units", "qtl"), ("u", "units", "kg")]


async def test_copy_is_captured(house: House, database: Database) -> None:
    before = await house.clock()
    rows = [("org_a", f"c{n}", f"c{n}", "unit", "count", 1) for n in range(500)]

    async with database.acquire_everywhere() as connection:
        columns = ("org_id", "id", "code", "name", "dimension", "factor_to_base")
        await connection.copy_records_to_table("units", records=rows, columns=columns)

    events = await house.events(before)
    assert {e["record_id"] for e in events} == {row[1] for row in rows}
    assert len({e["position"] for e in events}) == 500


async def test_one_statement_over_two_organisations_moves_each_ones_own_clock(house: House, tmp_path: Path) -> None:
    other = await House.settle(house.database, tmp_path / "other", "org_b")
    clocks = await house.clock(), await other.clock()

    await house.run("UPDATE units SET name = upper(name)")

    for one, before in zip((house, other), clocks, strict=True):
        moved = await one.events(before)
        assert {(e["org_id"], e["record_id"]) for e in moved} == {(one.org_id, "kg"), (one.org_id, "candy")}
        assert await one.clock() == before + 2


async def test_rollback_leaves_neither_event_nor_position(house: House, database: Database) -> None:
    before = await house.clock()

    async with database.acquire_everywhere() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE units SET name = 'x'")
        await transaction.rollback()

    assert (await house.clock(), await house.events(before)) == (before, [])


async def test_positions_are_in_commit_order(house: House, database: Database) -> None:
    """Who begins first but commits last gets the later position: the clock is the second one's until it commits."""
    async with database.acquire_everywhere() as early, database.acquire_everywhere() as late:
        first = early.transaction()
        await first.start()
        await early.fetchval("SELECT count(*) FROM units")  # its snapshot and its transaction are the older ones
        await late.execute("UPDATE units SET name = 'late' WHERE id = 'kg'")
        await early.execute("UPDATE units SET name = 'early' WHERE id = 'candy'")
        blocked = asyncio.create_task(late.execute("UPDATE units SET name = 'later' WHERE id = 'kg'"))
        await asyncio.sleep(0.05)
        assert not blocked.done(), "a second writer waits for the clock until the first commits"
        await first.commit()
        await blocked

    order = [json.loads(e["new"])["name"] for e in (await house.events())[-3:]]
    assert order == ["late", "early", "later"]


# --- What is written down ---------------------------------------------------------------------------------------------


async def test_payload_is_the_wire_form_of_every_type(house: House) -> None:
    await house.add_partners("p", "q")
    await house.run(
        "UPDATE business_partners SET tags = '{gin,\"so \\\"called\\\"\"}', created_at = '2026-11-23 05:30:00.123+05:30',"
        " credit_limit = 1234567.80 WHERE id = 'p';"
        "INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered,"
        " asking_price_per_candy, quality, valid_until) VALUES ('org_a', 'a', 'b1', 'p', 'lint', '2026-27', 100, 61999.95,"
        ' \'{"staple_mm": 29.5, "crop": "कपास"}\', \'2026-12-31\');'
    )

    payloads = await _payloads(house)

    found = payloads["p"]
    assert json.loads(found["tags"]) == ["gin", 'so "called"']
    assert isinstance(found["tags"], str)
    assert found["created_at"] == 1_795_392_000_123
    assert found["credit_limit"] == 1234567.8
    assert found["gstin"] is None
    assert "org_id" not in found
    lot = payloads["a"]
    assert (lot["valid_until"], lot["bales_offered"], lot["asking_price_per_candy"]) == ("2026-12-31", 100, 61999.95)
    assert isinstance(lot["quality"], str)
    assert json.loads(lot["quality"]) == {"staple_mm": 29.5, "crop": "कपास"}


async def _payloads(house: House) -> dict[str, Any]:
    found = await house.fetch("SELECT id, payload FROM feed WHERE payload IS NOT NULL")
    return {row["id"]: json.loads(row["payload"]) for row in found}


async def test_each_event_names_the_records_event_before_it(house: House) -> None:
    await house.run("UPDATE units SET name = 'a' WHERE id = 'kg'; UPDATE units SET name = 'b' WHERE id = 'kg'")

    chain = [(e["position"], e["previous"]) for e in await house.events() if e["record_id"] == "kg"]

    assert [previous for _, previous in chain] == [None, *(position for position, _ in chain[:-1])]


async def test_record_deleted_and_created_again_is_created_anew(house: House) -> None:
    await house.add_partners("p")
    await house.run("DELETE FROM business_partners WHERE id = 'p'")
    between = await house.clock()

    await house.add_partners("p")

    (row,) = await house.fetch("SELECT * FROM feed WHERE id = 'p'")
    assert row["created_position"] == row["position"] == between + 1
    assert json.loads(row["payload"])["legal_name"] == "Partner p"
    assert [e["op"] for e in await house.events() if e["record_id"] == "p"] == [b"i", b"d", b"i"]


async def test_the_log_says_who_did_it_and_plain_sql_is_nobody(house: House) -> None:
    await house.run("UPDATE units SET name = 'by psql' WHERE id = 'kg'")
    changes = {"business_partners": {"created": [partner("p")]}}
    await house.push(house.actor("agent1", "phone1"), await house.clock(), changes)

    by_psql, by_phone = (await house.events())[-2:]

    assert (by_psql["actor"], by_psql["session"]) == (None, None)
    assert (by_phone["actor"], by_phone["session"]) == ("agent1", "phone1")
    assert len(by_phone["push"]) == 64
