"""Quarantine: one record that breaks the server never blocks the phone that sent it (correctness.md, hole 27)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from erp_core.values import Row
from sync_server.engine import judge
from sync_server.engine.push import PushRequest, push
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.wire.changes import read_changes
from tests.harness.world import House

AGENT = Actor("o", "agent", "session")


def _request(body: dict[str, Any]) -> PushRequest:
    digest = hashlib.sha256(json.dumps(body).encode()).digest()
    return PushRequest(1 << 41, read_changes(body, records_max=100), digest, holds_issues=True)


def _partner(id: str) -> dict[str, Any]:
    return {"id": id, "branch_id": "b", "legal_name": f"Partner {id}", "kind": '["buyer"]'}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    house = await House.found(database, tmp_path, "o", "agent")
    async with database.acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO organisations (org_id, id, legal_name) VALUES ('o', 'o', 'Org');"
            "INSERT INTO branches (org_id, id, code, name, state) VALUES ('o', 'b', 'RJK', 'Rajkot', 'Gujarat')"
        )
    return house


async def test_record_that_breaks_a_rule_with_a_bug_is_filed_and_the_rest_goes_through(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = judge.judge

    def with_a_bug(draft: Any, world: Any) -> list[Violation]:
        if draft.mutation.id == "bad" and not draft.faults:
            raise TypeError("unsupported operand")
        return judged(draft, world)

    monkeypatch.setattr(judge, "judge", with_a_bug)

    wanted = _request({"business_partners": {"created": [_partner("good"), _partner("bad")]}})
    answer = await push(database, house.standings, AGENT, wanted)

    assert not answer.kept_back
    async with database.acquire_everywhere() as connection:
        assert [r["id"] for r in await connection.fetch("SELECT id FROM business_partners")] == ["good"]
        issue = await connection.fetchrow("SELECT record_id, reason_code, payload FROM sync_issues")
    assert (issue["record_id"], issue["reason_code"]) == ("bad", "not_processable")
    assert json.loads(issue["payload"])["legal_name"] == "Partner bad"


async def test_value_that_no_column_can_hold_is_refused_not_an_error(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A derived value is ours, so no bound was checked; the database refuses it for the whole unit."""
    entity = BY_TABLE["business_partners"]

    def derive(row: Row, _: object) -> dict[str, Any]:
        return {"exposure": 10**15} if row["legal_name"] == "Partner bad" else {}

    monkeypatch.setattr(judge, "derivation_of", lambda found: derive if found is entity else found.derive)

    wanted = _request({"business_partners": {"created": [_partner("bad"), _partner("good")]}})
    await push(database, house.standings, AGENT, wanted)

    async with database.acquire_everywhere() as connection:
        assert [r["id"] for r in await connection.fetch("SELECT id FROM business_partners")] == ["good"]
        assert await connection.fetchval("SELECT reason_code FROM sync_issues") == "not_processable"
