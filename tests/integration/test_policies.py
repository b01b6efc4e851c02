"""What decides a clash leaves the server as data: over HTTP, and in the SDK for a phone that has not asked yet."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from conflict.policies import THEIRS, Newest
from erp_core.catalogue import BY_NAME, SCHEMA_VERSION, SYNCED
from erp_core.language import NEWEST, Deletion, Entity
from mobile.generate import DESTINATION, generate
from mobile.generate_policies import literal
from sync_server.engine.exporting import exported
from sync_server.engine.policy_map import policies_of
from sync_server.store.database import Database
from sync_server.wire.policies import etag_of
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

PATH = "/sync/policies"


@pytest.fixture
async def clerk(server: Server, database: Database, tmp_path: Path) -> Clerk:
    house = await House.settle(database, tmp_path)
    await house.employ("asha", "grader")
    return await at_desk(server, house, "asha")


async def test_everybody_who_is_logged_in_gets_what_the_engine_goes_by(clerk: Clerk) -> None:
    answer = await clerk.ask("GET", PATH)

    assert answer.status == 200
    assert answer.json["version"] == SCHEMA_VERSION
    assert list(answer.json["tables"]) == [entity.table for entity in SYNCED]
    for entity in SYNCED:
        table = answer.json["tables"][entity.table]
        assert table["columns"] == {name: policy.as_json() for name, policy in policies_of(entity).items()}
        assert (table["deletion"], table["stale_days"]) == (entity.deletion.value, entity.stale_days)


async def test_nobody_else_gets_them(clerk: Clerk) -> None:
    async with clerk.server.session.get(f"/api/v1{PATH}") as answer:
        assert answer.status == 401


async def test_who_has_them_already_is_not_sent_them_again(clerk: Clerk) -> None:
    first = await clerk.ask("GET", PATH)
    tag = first.headers["ETag"]

    assert tag == f'W/"{first.json["etag"]}"'
    for asked in (tag, f'"{first.json["etag"]}"', f'"other", {tag}', "*"):
        again = await clerk.ask("GET", PATH, If_None_Match=asked)
        assert (again.status, again.json, again.headers["ETag"]) == (304, None, tag)
    for asked in ('W/"1-000000000000"', "nonsense", ""):
        assert (await clerk.ask("GET", PATH, If_None_Match=asked)).json == first.json


def changed(entity: Entity, **changes: Any) -> list[Entity]:
    return [dataclasses.replace(each, **changes) if each is entity else each for each in SYNCED]


def test_the_tag_changes_with_whatever_changes_and_with_nothing_else() -> None:
    lot = BY_NAME["availability"]
    assert lot.states is not None
    further = dataclasses.replace(lot.states, breaks=("cancelled",))
    newest = tuple(dataclasses.replace(f, change=NEWEST) if f.name == "delivery_terms" else f for f in lot.fields)

    tags = {
        etag_of(exported(entities, version))
        for entities, version in (
            (SYNCED, SCHEMA_VERSION),
            (SYNCED, SCHEMA_VERSION + 1),
            (SYNCED[1:], SCHEMA_VERSION),
            (changed(lot, deletion=Deletion.WINS), SCHEMA_VERSION),
            (changed(lot, stale_days=None), SCHEMA_VERSION),
            (changed(lot, states=further), SCHEMA_VERSION),
            (changed(lot, fields=newest), SCHEMA_VERSION),
        )
    }
    assert len(tags) == 7
    assert etag_of(exported()) == etag_of(exported(reversed(SYNCED)))


def test_a_policy_that_an_entity_declares_is_exported() -> None:
    lot = exported()["tables"]["availabilities"]

    assert lot["columns"]["bales_sold"] == {"policy": "tally", "least": 0, "most": "bales_offered"}
    assert lot["columns"]["state"]["moves"]["draft"] == ["active", "cancelled"]
    assert lot["columns"]["delivery_terms"] == THEIRS.as_json() != Newest().as_json()


def test_the_sdk_has_the_same_object() -> None:
    """The file is JSON but for its quotes and bare keys; no word in it has either."""
    text = (DESTINATION / "policies.ts").read_text().partition("} = ")[2]
    as_json = re.sub(r"([{,]\s*)(\w+):", r'\1"\2":', text.replace("'", '"'))
    parsed = json.loads(re.sub(r",(\s*})", r"\1", as_json))

    document = exported()
    assert parsed == {"version": document["version"], "etag": etag_of(document), "tables": document["tables"]}


def test_the_sdk_is_told_of_a_change(tmp_path: Path) -> None:
    lot = BY_NAME["availability"]
    generate(tmp_path, changed(lot, deletion=Deletion.WINS))

    assert (tmp_path / "policies.ts").read_text() != (DESTINATION / "policies.ts").read_text()


def test_data_is_written_as_typescript_writes_it() -> None:
    assert literal({"most": None, "unless": False, "values": ["it's", 'a "b"'], "part-filled": []}) == (
        "{ most: null, unless: false, values: ['it\\'s', 'a \"b\"'], 'part-filled': [] }"
    )
