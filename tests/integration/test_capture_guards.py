"""Capture guards itself: what phones could not follow is refused, and a table that is not captured is found."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from erp_core.catalogue import ENTITIES
from sync_server.store.database import Database
from tests.harness.world import House, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("TRUNCATE sync_issues", "TRUNCATE of sync_issues is refused"),
        ("UPDATE units SET id = 'kilo' WHERE id = 'kg'", "never change"),
        ("UPDATE units SET org_id = 'org_b'", "never change"),
        ("UPDATE event SET actor = 'someone'", "append-only"),
        ("TRUNCATE event", "append-only"),
        ("DELETE FROM event", "append-only"),
    ],
)
async def test_what_phones_could_not_follow_is_refused(house: House, statement: str, says: str) -> None:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match=says):
        await house.run(statement)


# --- Every table, and changed tables ----------------------------------------------------------------------------------

TRIGGERS = {"capture_insert", "capture_update", "capture_delete", "refuse_truncate", "refuse_new_id"}
_INSTALLED = """
SELECT c.relname AS table, array_agg(t.tgname::text) FILTER (WHERE t.tgname IS NOT NULL AND t.tgenabled = 'O') AS names
FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
WHERE c.relname = ANY($1) AND c.relkind = 'r' GROUP BY c.relname
"""


async def _uncaptured(house: House) -> list[str]:
    found = await house.fetch(_INSTALLED, [entity.table for entity in ENTITIES])
    complete = {row["table"] for row in found if set(row["names"] or ()) >= TRIGGERS}
    return [entity.table for entity in ENTITIES if entity.table not in complete]


async def test_every_table_of_the_catalogue_is_captured(house: House) -> None:
    assert await _uncaptured(house) == []


@pytest.mark.parametrize(
    "harm", ["DROP TRIGGER capture_update ON trades", "ALTER TABLE trades DISABLE TRIGGER capture_delete"]
)
async def test_a_table_that_lost_a_trigger_is_found(house: House, harm: str) -> None:
    """The test of the test above."""
    await house.run(harm)

    assert await _uncaptured(house) == ["trades"]


async def test_rebuilt_payloads_have_the_new_columns_and_the_old_positions(house: House) -> None:
    positions = await house.fetch("SELECT id, position FROM feed WHERE entity = 'units' ORDER BY id")
    await house.run("ALTER TABLE units ADD COLUMN symbol text DEFAULT 'x'; SELECT install_capture('units')")

    assert await house.one("SELECT rebuild_payloads('units')") == 2

    payloads = await house.fetch("SELECT payload FROM feed WHERE entity = 'units'")
    assert [json.loads(row["payload"])["symbol"] for row in payloads] == ["x", "x"]
    assert await house.fetch("SELECT id, position FROM feed WHERE entity = 'units' ORDER BY id") == positions


async def test_plain_sql_reaches_a_device_by_its_next_pull(house: House) -> None:
    agent = house.actor()
    await house.add_partners("p", "q")
    cursor = (await house.pull(agent))["timestamp"]

    await house.run(
        "UPDATE business_partners SET legal_name = 'By psql' WHERE id = 'p'; DELETE FROM business_partners WHERE id = 'q'"
    )
    await house.add_partners("r")
    answer = await house.pull(agent, cursor)

    assert {id: r["legal_name"] for id, r in records(answer, "business_partners").items()} == {
        "p": "By psql",
        "r": "Partner r",
    }
    assert answer["changes"]["business_partners"]["deleted"] == ["q"]
    assert [r["id"] for r in answer["changes"]["business_partners"]["created"]] == ["r"]


async def test_id_that_would_break_a_phone_is_refused_in_plain_sql_too(house: House) -> None:
    """An id goes into JSON as it is: one with a quote would make every pull of its organisation unreadable."""
    with pytest.raises(asyncpg.CheckViolationError):
        await house.fetch(
            "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base) VALUES ($1, $2, 'x', 'X', 'mass', 1)",
            house.org_id,
            "a\"b/'",
        )
