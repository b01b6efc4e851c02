"""The rules of WatermelonDB's "Implementing your Sync backend", one by one: 11 for push."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync_server.store.database import Database
from tests.harness.servers import Server
from tests.harness.stock import StockClient
from tests.harness.world import House, contact, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p", "q")
    return settled


@pytest.fixture
def client(house: House, server: Server) -> StockClient:
    return StockClient(server, house.actor())


def partners(**lists: list[Any]) -> dict[str, Any]:
    """A stock push names every table of the client's schema, even when empty."""
    return {"business_partners": lists, "sync_issues": {"created": [], "updated": [], "deleted": []}}


async def names(house: House) -> dict[str, str]:
    return {id: row["legal_name"] for id, row in (await house.truth("business_partners")).items()}


async def test_push_rule_01_creates_updates_and_deletes(client: StockClient, house: House) -> None:
    changes = partners(created=[partner("new")], updated=[{"id": "p", "legal_name": "X"}], deleted=["q"])

    assert await client.push(await house.clock(), changes) == {"status": 200}

    assert await names(house) == {"new": "Partner new", "p": "X"}


async def test_push_rule_02_created_record_that_exists_is_updated_without_an_error(
    client: StockClient, house: House
) -> None:
    answer = await client.push(await house.clock(), partners(created=[partner("p", legal_name="X")]))

    assert (answer, await names(house)) == ({"status": 200}, {"p": "X", "q": "Partner q"})


async def test_push_rule_03_updated_record_that_never_was_is_created(client: StockClient, house: House) -> None:
    assert await client.push(await house.clock(), partners(updated=[partner("new")])) == {"status": 200}

    assert "new" in await names(house)


async def test_push_rule_03_updated_record_that_was_deleted_is_an_error_to_a_client_that_cannot_be_told_otherwise(
    client: StockClient, house: House
) -> None:
    cursor = await house.clock()
    await house.run("DELETE FROM business_partners WHERE id = 'p'")

    answer = await client.push(cursor, {"business_partners": {"updated": [{"id": "p", "legal_name": "X"}]}})

    assert (answer["status"], answer["code"]) == (409, "conflict")
    assert answer["conflicts"] == [{"table": "business_partners", "id": "p", "columns": {}}]
    assert (await client.pull(cursor))["changes"]["business_partners"]["deleted"] == ["p"]


async def test_push_rule_03_a_client_with_sync_issues_is_told_there_and_goes_on(
    client: StockClient, house: House
) -> None:
    cursor = await house.clock()
    await house.run("DELETE FROM business_partners WHERE id = 'p'")

    assert await client.push(cursor, partners(updated=[{"id": "p", "legal_name": "X"}])) == {"status": 200}

    answer = await client.pull(cursor)
    assert answer["changes"]["business_partners"]["deleted"] == ["p"]
    assert [issue["reason_code"] for issue in records(answer, "sync_issues").values()] == ["deleted_meanwhile"]


async def test_push_rule_04_deleting_what_does_not_exist_is_ignored(client: StockClient, house: House) -> None:
    await house.run("DELETE FROM business_partners WHERE id = 'p'")

    answer = await client.push(await house.clock(), partners(deleted=["p", "never-was", "q"]))

    assert (answer, await names(house)) == ({"status": 200}, {})


async def test_push_rule_05_record_changed_since_the_pull_aborts_the_push(client: StockClient, house: House) -> None:
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office' WHERE id = 'p'")

    answer = await client.push(cursor, partners(created=[partner("new")], updated=[{"id": "p", "legal_name": "X"}]))

    assert (answer["status"], answer["code"]) == (409, "conflict")
    columns = {"legal_name": {"base": "Partner p", "ours": "Office", "theirs": "X"}}
    assert answer["conflicts"] == [{"table": "business_partners", "id": "p", "columns": columns}]
    assert await names(house) == {"p": "Office", "q": "Partner q"}


async def test_push_rule_06_success_is_a_success_status(client: StockClient, house: House) -> None:
    for changes in ({}, partners(), partners(created=[partner("new")])):
        assert await client.push(await house.clock(), changes) == {"status": 200}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"trades": {"created": [{"id": "t", "frob": 1}]}}, 422),
        ({"frobs": {"created": []}}, 422),
        ({"trades": {"deleted": [7]}}, 422),
    ],
)
async def test_push_rule_07_an_error_reverts_everything(
    client: StockClient, house: House, fault: dict[str, Any], status: int
) -> None:
    before = await house.clock()

    answer = await client.push(before, {**partners(created=[partner("new")], deleted=["q"]), **fault})

    assert answer["status"] == status
    assert (await house.clock(), await names(house)) == (before, {"p": "Partner p", "q": "Partner q"})


@pytest.mark.parametrize("status", ["synced", "created", "deleted", "disposable", "", 7, None])
async def test_push_rule_08_status_and_changed_are_no_data(client: StockClient, house: House, status: Any) -> None:
    """`_changed` narrows what is compared; `_status`, and a `_changed` that is none, have no effect at all."""
    pushed = {"id": "p", "legal_name": "X", "_status": status, "_changed": "rubbish" if status else status}

    assert await client.push(await house.clock(), partners(updated=[pushed])) == {"status": 200}

    assert (await names(house))["p"] == "X"


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"pg_class": {"created": []}}, "unknown_table", "/pg_class"),
        ({"units": {"updated": [{"id": "kg", "org_id": "b"}]}}, "unknown_column", "/units/updated/0/org_id"),
        ({"units": {"deleted": ["a'; DROP TABLE units; --"]}}, "unsafe_id", "/units/deleted/0"),
        ({"trades": {"created": [{"id": "t", "bales": "x"}]}}, "wrong_type", "/trades/created/0/bales"),
    ],
)
async def test_push_rule_09_names_and_ids_are_allow_listed(
    client: StockClient, changes: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await client.push(None, changes)

    assert (answer["status"], answer["code"], answer["pointer"]) == (422, code, pointer)


async def test_push_rule_09_permissions_are_checked(client: StockClient, house: House) -> None:
    """What the office keeps is not changed by a phone; the phone is corrected."""
    cursor = await house.clock()
    pushed = {"units": {"updated": [{"id": "kg", "name": "Mine"}]}, **partners()}

    assert await client.push(cursor, pushed) == {"status": 200}

    assert (await house.truth("units"))["kg"]["name"] == "Kilogram"
    assert records(await client.pull(cursor), "units")["kg"]["name"] == "Kilogram"


@pytest.mark.parametrize(
    "wrong",
    [{"state": "abcdef"}, {"kind": "no JSON"}, {"branch_id": "nowhere"}, {"legal_name": ""}, {"phone": "x" * 999}],
)
async def test_push_rule_10_wrong_contents_never_fail_the_sync(
    client: StockClient, house: House, wrong: dict[str, Any]
) -> None:
    """We do not guess what was meant: the record is filed with its reason, and everything else goes through."""
    cursor = await house.clock()

    answer = await client.push(cursor, partners(created=[partner("new")], updated=[{"id": "p", **wrong}]))

    assert answer == {"status": 200}
    assert await names(house) == {"new": "Partner new", "p": "Partner p", "q": "Partner q"}
    issues = records(await client.pull(cursor), "sync_issues")
    assert [issue["record_id"] for issue in issues.values()] == ["p"]


async def test_push_rule_11_descendants_of_deleted_records_go_too(client: StockClient, house: House) -> None:
    await client.push(await house.clock(), {"partner_contacts": {"created": [contact("c", "p"), contact("d", "q")]}})
    cursor = await house.clock()

    await client.push(cursor, partners(deleted=["p"]))

    assert await house.ids("partner_contacts") == ["d"]
    assert (await client.pull(cursor))["changes"]["partner_contacts"]["deleted"] == ["c"]
