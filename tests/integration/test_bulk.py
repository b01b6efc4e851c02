"""Many changes at once: each gets the verdict that it would get alone, and all or nothing means that.

Planted at the end: all or nothing that applies what it can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from erp_core.catalogue import BY_TABLE
from sync_server.engine import bulk
from sync_server.store.database import Database
from sync_server.wire.bulk import RECORDS_MAX, read_bulk
from tests.harness.counting import CountingDatabase
from tests.harness.office import Answer, Clerk, at_desk, furnish, values_of
from tests.harness.servers import Server
from tests.harness.world import OTHER_ORG, House

PARTNER = {"branch_id": "b1", "legal_name": "Anew", "kind": '["buyer"]'}
PATH = "/business_partners/bulk"
MIXED: list[dict[str, Any]] = [
    {"operation": "create", "id": "n1", "values": PARTNER},
    {"operation": "create", "id": "p1", "values": PARTNER},
    {"operation": "update", "id": "p2", "values": {"remarks": "x"}},
    {"operation": "update", "id": "p9", "values": {"remarks": "x"}},
    {"operation": "update", "id": "p3", "values": {"branch_id": "nowhere"}},
    {"operation": "delete", "id": "p4"},
]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await furnish(settled)
    await settled.add_partners("p3", "p4")
    return settled


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    return await at_desk(server, house, "agent1")


async def send(clerk: Clerk, mode: str, records: list[dict[str, Any]], **headers: str) -> Answer:
    return await clerk.ask("POST", PATH, {"mode": mode, "records": records}, **headers)


async def test_each_is_applied_or_not_by_itself_and_told_in_order(clerk: Clerk, house: House) -> None:
    answer = await send(clerk, "each", MIXED)
    results = answer.json["results"]

    assert answer.status == 200, answer.json
    assert [r["verdict"] for r in results] == ["created", "id_taken", "changed", "not_found", "refused", "deleted"]
    assert answer.json["applied"] == 3
    assert results[4]["reasons"][0]["pointers"] == ["/records/4/values/branch_id"]
    assert results[0]["record"] == (await clerk.ask("GET", "/business_partners/n1")).json
    assert await house.ids("business_partners") == ["n1", "p1", "p2", "p3"]


async def test_all_or_nothing_applies_nothing_if_one_is_wrong_and_all_if_none_is(clerk: Clerk, house: House) -> None:
    clock = await house.clock()
    refused = await send(clerk, "all_or_nothing", MIXED)

    assert (refused.status, refused.json["code"]) == (422, "bulk_refused")
    verdicts = [r["verdict"] for r in refused.json["results"]]
    assert verdicts == ["not_applied", "id_taken", "not_applied", "not_found", "refused", "not_applied"]
    assert await house.clock() == clock

    applied = await send(clerk, "all_or_nothing", [MIXED[n] for n in (0, 2, 5)], Prefer="return=minimal")
    assert [r["verdict"] for r in applied.json["results"]] == ["created", "changed", "deleted"]
    assert not any("record" in result for result in applied.json["results"])


async def test_bulk_with_a_key_has_its_effect_once(clerk: Clerk, house: House) -> None:
    first = await send(clerk, "each", MIXED, Idempotency_Key="k")
    clock = await house.clock()
    again = await send(clerk, "each", MIXED, Idempotency_Key="k")

    assert (again.status, again.json) == (first.status, first.json)
    assert await house.clock() == clock


@pytest.mark.parametrize("user", ["agent1", "akola", "trader"])
async def test_verdicts_are_those_of_single_requests(
    server: Server, house: House, database: Database, tmp_path: Path, user: str, seed: int
) -> None:
    """The same changes go together in one house, and one by one in its twin: those that were refused again once all were there,
    as those that come together are judged again (engine/judge.py)."""
    twin = await House.settle(database, tmp_path / "twin", OTHER_ORG)
    await furnish(twin)
    await twin.add_partners("p3", "p4")
    for one in (house, twin):
        await one.employ("akola", "manager", branch_id="b2")
        await one.employ("trader", "trader", branch_id="b1")
    together, alone = await at_desk(server, house, user), await at_desk(server, twin, user)
    random = Random(seed)
    for round in range(8):
        records = [drawn(random, f"n{round}-{n}", id) for n, id in enumerate(["p1", "p2", "p3", "p9", *["new"] * 4])]
        answer = await send(together, "each", records)
        assert answer.status == 200, answer.json
        singles = [await single(alone, record) for record in records]
        singles = [await single(alone, r) if v != "done" else v for r, v in zip(records, singles, strict=True)]
        assert [verdict(result) for result in answer.json["results"]] == singles, records


def drawn(random: Random, new: str, id: str) -> dict[str, Any]:
    entity = BY_TABLE["business_partners"]
    ids = {name: ["b1", "b2", "agent1", "p1", "nowhere"] for name in (e.table for e in BY_TABLE.values())}
    values = {f.name: random.choice([*values_of(f, ids)]) for f in random.sample(entity.fields, random.randint(0, 2))}
    if id == "new":
        return {"operation": "create", "id": new, "values": {**PARTNER, **values}}
    return {"operation": "update", "id": id, "values": values}


async def single(clerk: Clerk, record: Mapping[str, Any]) -> str:
    if record["operation"] == "create":
        answer = await clerk.ask("POST", "/business_partners", {"id": record["id"], **record["values"]})
    else:
        answer = await clerk.ask("PATCH", f"/business_partners/{record['id']}", record["values"])
    if answer.status in (200, 201):
        return "done"
    return {"not_found": "not_found", "id_taken": "id_taken"}.get(answer.json["code"], ",".join(answer.reasons))


def verdict(result: Mapping[str, Any]) -> str:
    if result["verdict"] in bulk.DONE:
        return "done"
    return ",".join(reason["code"] for reason in result.get("reasons", ())) or str(result["verdict"])


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ([], "wrong_type", ""),
        ({"mode": "some", "records": []}, "invalid_value", "/mode"),
        ({"mode": "each", "records": []}, "wrong_type", "/records"),
        ({"mode": "each", "records": [{"operation": "drop", "id": "x"}]}, "invalid_value", "/records/0/operation"),
        ({"mode": "each", "records": [{"operation": "update", "id": "'"}]}, "unsafe_id", "/records/0/id"),
        ({"mode": "each", "records": [{"operation": "update"}]}, "unsafe_id", "/records/0/id"),
        (
            {"mode": "each", "records": [{"operation": "update", "id": "x", "values": {"org_id": "y"}}]},
            *("unknown_column", "/records/0/values/org_id"),
        ),
        ({"mode": "each", "records": [{"operation": "delete", "id": "x"}] * 2}, "duplicate_id", "/records/1/id"),
        ({"mode": "each", "records": [{"operation": "create"}] * (RECORDS_MAX + 1)}, "too_many_records", None),
    ],
)
async def test_body_that_cannot_be_meant_is_refused_with_its_place(
    clerk: Clerk, body: Any, code: str, pointer: str | None
) -> None:
    answer = await clerk.ask("POST", PATH, body)

    assert (answer.json["code"], answer.json.get("pointer")) == (code, pointer)


async def test_who_may_only_change_makes_nothing(server: Server, house: House) -> None:
    await house.employ("auditor", "auditor")
    auditor = await at_desk(server, house, "auditor")

    assert (await send(auditor, "each", MIXED)).status == 403


@pytest.fixture
async def counting(database_url: str) -> AsyncIterator[CountingDatabase]:
    opened = await CountingDatabase.open(database_url, pool_max=3)
    yield opened
    await opened.close()


async def test_many_take_the_statements_of_one(counting: CountingDatabase, tmp_path: Path) -> None:
    house = await House.settle(counting, tmp_path)

    async def counted(prefix: str, number: int) -> int:
        records = [{"operation": "create", "id": f"{prefix}{n}", "values": PARTNER} for n in range(number)]
        _, mutations = read_bulk("business_partners", {"mode": "each", "records": records})
        counting.statements.clear()
        await bulk.write_many(counting, house.standings, house.actor(), mutations, whole=False)
        return len(counting.statements)

    await counted("a", 1)
    assert await counted("b", 300) == await counted("c", 1)


# --- Planted bug --------------------------------------------------------------------------------------------------------


async def test_planted_bulk_that_applies_what_it_can_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = frozenset({"refused", "not_found", "id_taken", *bulk.DONE})
    monkeypatch.setattr(bulk, "DONE", everything)

    with pytest.raises((AssertionError, KeyError)):
        await test_all_or_nothing_applies_nothing_if_one_is_wrong_and_all_if_none_is(clerk, house)
