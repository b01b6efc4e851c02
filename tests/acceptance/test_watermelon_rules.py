"""The rules of WatermelonDB's "Implementing your Sync backend", one by one: 13 for pull.

Each test is named after its rule and quotes it; over real HTTP, as a stock client asks. The 11 rules for push are in
test_watermelon_push_rules.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from erp_core.catalogue import synced_at
from sync_server.store.database import Database
from sync_server.wire.schema import schema_document
from tests.harness.servers import Server
from tests.harness.stock import StockClient
from tests.harness.world import House, changed_tables, partner, records

COLUMNS = {t["name"]: {"id", *(c["name"] for c in t["columns"])} for t in schema_document()["tables"]}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p", "q")
    return settled


@pytest.fixture
def client(house: House, server: Server) -> StockClient:
    return StockClient(server, house.actor())


async def test_pull_rule_01_parameters_and_response_match_the_shape(client: StockClient) -> None:
    answer = await client.pull(None, migration=None)

    assert answer.keys() == {"changes", "timestamp"}
    assert isinstance(answer["timestamp"], int)
    assert answer["changes"].keys() == COLUMNS.keys()
    for lists in answer["changes"].values():
        assert lists.keys() == {"created", "updated", "deleted"}
        assert all(isinstance(record, dict) for record in (*lists["created"], *lists["updated"]))
        assert all(isinstance(id, str) for id in lists["deleted"])


async def test_pull_rule_02_all_changes_since_and_no_id_twice(client: StockClient, house: House) -> None:
    since = (await client.pull(None))["timestamp"]
    await house.add_partners("new", "new-and-gone")
    await house.run(
        "UPDATE business_partners SET legal_name = 'X' WHERE id IN ('p', 'new');"
        "DELETE FROM business_partners WHERE id IN ('q', 'new-and-gone')"
    )

    answer = await client.pull(since)

    lists = answer["changes"]["business_partners"]
    assert [r["id"] for r in lists["created"]] == ["new"]
    assert [r["id"] for r in lists["updated"]] == ["p"]
    assert sorted(lists["deleted"]) == ["new-and-gone", "q"]
    records(answer, "business_partners")  # fails if an id comes twice


@pytest.mark.parametrize("last_pulled_at", ["null", "0", "", "undefined"])
async def test_pull_rule_03_first_sync_returns_all_records(
    client: StockClient, house: House, last_pulled_at: str
) -> None:
    answer = await client.get({"last_pulled_at": last_pulled_at})

    for table in ("organisations", "branches", "units", "commodities", "business_partners"):
        assert sorted(r["id"] for r in answer["changes"][table]["created"]) == await house.ids(table)


async def test_pull_rule_04_timestamp_leads_to_everything_since(client: StockClient, house: House) -> None:
    held = records(await client.pull(None), "business_partners").keys() | set()
    since = (await client.pull(None))["timestamp"]
    for n in range(5):
        await house.add_partners(f"r{n}")
        answer = await client.pull(since)
        held |= records(answer, "business_partners").keys()
        since = answer["timestamp"]

    assert sorted(held) == await house.ids("business_partners")
    assert changed_tables(await client.pull(since)) == []


async def test_pull_rule_05_view_is_consistent_while_others_write(client: StockClient, house: House) -> None:
    """A contact is written with its partner: no answer may show one without the other."""

    async def write() -> None:
        for n in range(30):
            await house.run(
                f"INSERT INTO business_partners (org_id, id, branch_id, legal_name) VALUES ('org_a', 'w{n}', 'b1', 'W');"
                "INSERT INTO partner_contacts (org_id, id, partner_id, kind, name)"
                f" VALUES ('org_a', 'w{n}', 'w{n}', 'owner', 'W')"
            )

    writing = asyncio.create_task(write())
    partners: set[str] = set()
    contacts: set[str] = set()
    since = (2 << 40) + 1
    while not writing.done():
        answer = await client.pull(since)
        since = answer["timestamp"]
        partners |= {id for id in records(answer, "business_partners") if id.startswith("w")}
        contacts |= records(answer, "partner_contacts").keys()
        assert partners == contacts
    await writing
    last = await client.pull(since)
    assert len(partners | records(last, "business_partners").keys()) >= 30


async def test_pull_rule_06_migration_brings_new_tables_and_columns(client: StockClient, house: House) -> None:
    await house.run("UPDATE business_partners SET email = 'a@b.example' WHERE id = 'p'")
    since = await house.clock()
    columns = [{"table": "business_partners", "columns": ["email"]}]

    answer = await client.pull(since, schema_version=2, migration={"from": 1, "tables": ["units"], "columns": columns})

    assert sorted(records(answer, "units")) == await house.ids("units")
    assert sorted(records(answer, "business_partners")) == ["p"], "only rows whose value is not the default"


async def test_pull_rule_06_migration_names_are_allow_listed(client: StockClient) -> None:
    secrets = {"from": 1, "tables": ["app_user"], "columns": [{"table": "app_user", "columns": ["password_hash"]}]}

    answer = await client.get({"last_pulled_at": str((2 << 40) + 1), "migration": json.dumps(secrets)})

    assert (answer["status"], answer["code"]) == (400, "bad_migration")


async def test_pull_rule_07_records_match_the_schema(client: StockClient, house: House) -> None:
    kinds: dict[str, Any] = {"string": str, "number": (int, float), "boolean": bool}
    answer = await client.pull(None)

    for table in schema_document()["tables"]:
        for record in records(answer, table["name"]).values():
            for column in table["columns"]:
                value = record[column["name"]]
                if value is None:
                    assert column.get("isOptional"), (table["name"], column["name"])
                else:
                    assert isinstance(value, kinds[column["type"]]), (table["name"], column["name"], value)


async def test_pull_rule_08_no_status_and_no_changed(client: StockClient, house: House) -> None:
    pushed = {**partner("mine"), "_status": "created", "_changed": "legal_name"}
    await client.push(await house.clock(), {"business_partners": {"created": [pushed]}})

    for since in (None, (2 << 40) + 1):
        for found in (await client.pull(since))["changes"].values():
            assert not any({"_status", "_changed"} & r.keys() for r in (*found["created"], *found["updated"]))


async def test_pull_rule_09_older_app_may_be_sent_more_columns_but_never_other_ones(client: StockClient) -> None:
    answer = await client.pull(None, schema_version=1)

    for table in answer["changes"]:
        assert all(record.keys() <= COLUMNS[table] for record in records(answer, table).values())


async def test_pull_rule_10_no_arbitrary_column_names(client: StockClient, house: House) -> None:
    """A column that somebody adds by SQL leaves only after the declaration names it."""
    await house.run("ALTER TABLE units ADD COLUMN constructor text DEFAULT 'x'; UPDATE units SET name = 'Y'")

    for since in (None, (2 << 40) + 1):
        for record in records(await client.pull(since), "units").values():
            assert record.keys() == COLUMNS["units"]


async def test_pull_rule_11_ids_have_safe_characters_only(client: StockClient, house: House) -> None:
    safe = re.compile(r"[A-Za-z0-9_.-]{1,64}")
    answer = await client.pull(None)

    for table in COLUMNS:
        assert all(safe.fullmatch(id) for id in records(answer, table))
    refused = await client.push(await house.clock(), {"business_partners": {"created": [partner("a'/$b")]}})
    assert (refused["status"], refused["code"]) == (422, "unsafe_id")


async def test_pull_rule_12_only_tables_that_the_app_has(client: StockClient) -> None:
    for version in (1, 2, 3, 999):
        known = {entity.table for entity in synced_at(version)}
        assert (await client.pull(None, schema_version=version))["changes"].keys() == known <= COLUMNS.keys()
    assert "visits" not in (await client.pull(None, schema_version=2))["changes"], "schema 3 brought them"


async def test_pull_rule_13_no_arbitrary_tables(client: StockClient, house: House) -> None:
    await house.run("CREATE TABLE frobs (org_id text, id text, PRIMARY KEY (org_id, id))")
    await house.run("SELECT install_capture('frobs'); INSERT INTO frobs VALUES ('org_a', 'f')")

    for since in (None, (2 << 40) + 1):
        assert (await client.pull(since))["changes"].keys() == COLUMNS.keys()
