"""REST and push give one verdict: random changes by random people, by REST in one house and by push in its twin.

Two organisations begin equal. Each change goes to one through engine/office.py and to the other through engine/push.py; the
verdicts must agree, in the reason too, and the houses must stay equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conflict.mutation import Operation
from erp_core.catalogue import BY_NAME, BY_TABLE, ENTITIES
from erp_core.language import Phone
from sync_server.engine import office
from sync_server.engine.gate import NotEntitled
from sync_server.engine.push import Conflict
from sync_server.engine.standing import Standing, Standings
from sync_server.store.actor import Actor
from sync_server.store.clock import Rights
from sync_server.store.database import Connection, Database
from sync_server.wire.records import deletion, read_new, read_patch
from tests.harness.office import EXAMPLES, furnish, values_of
from tests.harness.world import ORG, OTHER_ORG, House

STEPS = 150
TABLES = [table for table in EXAMPLES if BY_TABLE[table].phone is Phone.BOTH]
PEOPLE: Mapping[str, list[tuple[str, dict[str, str]]]] = {
    "boss": [("everything", {}), ("everything", {"branch_id": "b1"}), ("everything", {"branch_id": "b2"})],
    "trader": [("trader", {"branch_id": "b1"})],
    "akola": [("manager", {"branch_id": "b2"})],
    "grader": [("grader", {}), ("grader", {"branch_id": "b1"})],
    "field": [("agent", {"agent_id": "field"})],
    "buyer": [("external_buyer", {"partner_id": "p2"})],
}
NOT_COMPARED = {"created_at", "updated_at"}
BAD: tuple[Any, ...] = ("", None, "nowhere", "x" * 300, 1e300)
Change = tuple[Operation, str, str, dict[str, Any]]


@pytest.fixture
async def twins(database: Database, tmp_path: Path) -> tuple[House, House]:
    houses = await House.settle(database, tmp_path, ORG), await House.settle(database, tmp_path / "b", OTHER_ORG)
    for house in houses:
        await furnish(house)
        await house.run(
            f"UPDATE business_partners SET assigned_agent_id = 'field' WHERE org_id = '{house.org_id}' AND id = 'p1'"
        )
        for person, grants in PEOPLE.items():
            for role, place in grants:
                await house.employ(person, role, **place)
    return houses


@pytest.mark.parametrize("round", range(4))
async def test_rest_and_push_give_one_verdict(twins: tuple[House, House], seed: int, round: int) -> None:
    await _compare(twins, Random(f"{seed}/{round}"))


async def _compare(twins: tuple[House, House], random: Random) -> None:
    desk, phone = twins
    said: dict[str, int] = {}
    for step in range(STEPS):
        person, change = random.choice(list(PEOPLE)), await _draw(random, desk, step)
        by_rest, by_push = await _by_rest(desk, person, change), await _by_push(phone, person, change)
        assert _agree(change[0], by_rest, by_push), (step, person, change, by_rest, by_push)
        assert await _rows(desk) == await _rows(phone), (step, person, change, by_rest, by_push)
        said[by_rest] = said.get(by_rest, 0) + 1

    assert said.get("accepted", 0) > STEPS // 10, said
    assert len(said) > 5, said


async def _draw(random: Random, house: House, step: int) -> Change:
    """Draw a change: of a record that is there, or a new one, with one value or two that may be wrong."""
    table = random.choice(TABLES)
    entity, ids = BY_TABLE[table], {e.table: await house.ids(e.table) for e in ENTITIES}
    there = ids[table]
    operation = (
        random.choice([Operation.CREATED, Operation.UPDATED, Operation.UPDATED, Operation.DELETED])
        if there
        else (Operation.CREATED)
    )
    changed: dict[str, Any] = {}
    for field in random.sample(entity.all_fields, random.randint(0, 2)):
        value = random.choice([*values_of(field, ids), *values_of(field, ids), random.choice(BAD)])
        if type(value) in field.type.accepts:
            changed[field.name] = value
    if operation is Operation.CREATED:
        named = {
            f.name: random.choice(known)
            for f, t in entity.references
            if f.name in EXAMPLES[table][0] and (known := ids[BY_NAME[t].table])
        }
        return operation, table, f"n{step}", {**EXAMPLES[table][0], **named, **changed}
    return operation, table, random.choice(there), {} if operation is Operation.DELETED else changed


async def _by_rest(house: House, person: str, change: Change) -> str:
    operation, table, id, values = change
    match operation:
        case Operation.CREATED:
            mutation = read_new(table, {"id": id, **values})
        case Operation.UPDATED:
            mutation = read_patch(table, id, values)
        case Operation.DELETED:
            mutation = deletion(table, id)
    try:
        await office.write(house.database, house.standings, house.actor(person, f"desk-{person}"), mutation)
    except office.Refused as refused:
        return refused.reasons[0].code
    except (office.NotThere, office.IdTaken, NotEntitled) as other:
        return type(other).__name__
    return "accepted"


async def _by_push(house: House, person: str, change: Change) -> str:
    operation, table, id, values = change
    record: Any = id if operation is Operation.DELETED else {"id": id, **values}
    try:
        await house.push(house.actor(person), await house.clock(), {table: {operation.value: [record]}})
    except (Conflict, NotEntitled) as refused:
        return type(refused).__name__
    issues = await house.fetch("SELECT reason_code FROM sync_issues WHERE org_id = $1 AND id <> 'i1'", house.org_id)
    await house.fetch("DELETE FROM sync_issues WHERE org_id = $1 AND id <> 'i1'", house.org_id)
    return str(issues[0]["reason_code"]) if issues else "accepted"


def _agree(operation: Operation, by_rest: str, by_push: str) -> bool:
    match by_rest:
        case (
            "NotThere"
        ):  # a phone is told that it is gone, or that it is not for them; or of a value that is wrong anyway
            return (by_push == "accepted") is (operation is Operation.DELETED)
        case (
            "NotEntitled"
        ):  # asked before anything is looked at; a push may find fault with a value first, or nothing to do
            return by_push != "Conflict"
    return by_rest == by_push


async def _rows(house: House) -> dict[str, Any]:
    """Give the rows of every table that a change can move, but for their times."""
    return {
        table: {
            id: {n: v for n, v in row.items() if n not in NOT_COMPARED}
            for id, row in (await house.truth(table)).items()
        }
        for table in TABLES
    }


async def test_planted_difference_is_found(twins: tuple[House, House]) -> None:
    """A desk that takes everybody for the boss."""
    honest = twins[0].standings
    boss = twins[0].actor("boss")

    class ForTheBoss(Standings):
        async def read(self, connection: Connection, actor: Actor, rights: Rights) -> Standing:
            return await honest.read(connection, boss, rights)

    desk = replace(twins[0], standings=ForTheBoss())

    with pytest.raises(AssertionError):
        await _compare((desk, twins[1]), Random(0))
