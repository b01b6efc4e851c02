"""Why a record is or is not on a device, asked over HTTP (engine/explain.py).

That what is concluded is what pulls do: tests/simulation/test_explain_oracle.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from sync_server.engine import explain as explaining
from sync_server.store.database import Database
from tests.harness.people import Client, logged_in, settle
from tests.harness.servers import Server

ORG = "org.1"


@pytest.fixture
async def people(database: Database) -> Database:
    await settle(database)
    await _run(
        database,
        f"""
        INSERT INTO organisations (org_id, id, legal_name) VALUES ('{ORG}', '{ORG}', 'House');
        INSERT INTO branches (org_id, id, code, name, state)
          VALUES ('{ORG}', 'b1', 'RJK', 'Rajkot', 'Gujarat'), ('{ORG}', 'b2', 'AKL', 'Akola', 'Maharashtra');
        UPDATE grants SET branch_id = 'b1' WHERE org_id = '{ORG}' AND user_id IN ('u1', 'u2');
        INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, credit_limit)
          VALUES ('{ORG}', 'p1', 'b1', 'Ours', '{{buyer}}', 5), ('{ORG}', 'p2', 'b2', 'Theirs', '{{buyer}}', 5);
        """,
    )
    return database


async def _run(database: Database, script: str) -> None:
    async with database.acquire_everywhere() as connection:
        await connection.execute(script)


async def _sync(client: Client, cursor: int | None = None) -> int:
    """Pull twice, so that the server hears that the first answer arrived."""
    for _ in range(2):
        status, pulled = await client.ask("GET", f"/sync?last_pulled_at={cursor or 'null'}&schema_version=2")
        assert status == 200, pulled
        cursor = pulled["timestamp"]
    assert cursor is not None
    return cursor


async def _explained(client: Client, id: str, table: str = "business_partners", device: str = "") -> dict[str, Any]:
    asked = f"/sync/explain?table={table}&id={id}" + (f"&device={device}" if device else "")
    status, answer = await client.ask("GET", asked)
    assert status == 200, answer
    assert answer["sentence"] == explaining.SENTENCES[answer["conclusion"]]
    found: dict[str, Any] = answer
    return found


async def test_ones_own_device_is_explained_from_first_pull_to_deletion(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")

    assert (await _explained(asha, "p1"))["conclusion"] == "comes_with_next_pull"

    cursor = await _sync(asha)
    there = await _explained(asha, "p1")
    assert (there["conclusion"], there["next_pull"]) == ("on_device", "nothing")
    assert there["device"]["cursor"] == cursor
    assert there["device"]["had_it_at_cursor"] is True
    assert "partner.read" in there["record"]["held"]["branch:b1"]
    assert there["record"]["labels"] == list(there["record"]["held"])

    await _run(people, f"UPDATE business_partners SET remarks = 'newer' WHERE org_id = '{ORG}' AND id = 'p1'")
    moved = await _explained(asha, "p1")
    assert (moved["conclusion"], moved["next_pull"]) == ("on_device", "updates")
    assert moved["record"]["position"] > cursor

    await _run(people, f"DELETE FROM business_partners WHERE org_id = '{ORG}' AND id = 'p1'")
    leaving = await _explained(asha, "p1")
    assert (leaving["conclusion"], leaving["next_pull"]) == ("leaves_with_next_pull", "removes")
    assert leaving["record"]["deleted"] is True


async def test_hidden_record_reads_as_one_that_never_was(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    await _sync(asha)

    hidden, missing = await _explained(asha, "p2"), await _explained(asha, "nowhere")

    assert hidden["conclusion"] == "unknown_record"
    assert {**hidden, "id": ""} == {**missing, "id": ""}
    await _run(people, f"DELETE FROM business_partners WHERE org_id = '{ORG}' AND id = 'p2'")
    gone, missing = await _explained(asha, "p2"), await _explained(asha, "nowhere")
    assert {**gone, "id": ""} == {**missing, "id": ""}


async def test_planted_bug_shows_the_hidden_record(
    people: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    await _sync(asha)
    monkeypatch.setattr(explaining._Facts, "known", True)

    hidden, missing = await _explained(asha, "p2"), await _explained(asha, "nowhere")

    assert {**hidden, "id": ""} != {**missing, "id": ""}


async def test_who_looks_after_devices_is_told_why(people: Database, server: Server) -> None:
    asha, rekha = await logged_in(server, "asha", id="phone-1"), await logged_in(server, "rekha", id="desk")
    await _sync(asha)

    why = await _explained(rekha, "p2", device="phone-1")

    assert why["conclusion"] == "not_visible"
    assert "branch:b2" in why["record"]["labels"]
    assert why["record"]["held"] == {}
    await _run(people, f"UPDATE business_partners SET branch_id = 'b1' WHERE org_id = '{ORG}' AND id = 'p2'")
    assert (await _explained(rekha, "p2", device="phone-1"))["conclusion"] == "comes_with_next_pull"
    await _run(people, f"UPDATE grants SET branch_id = 'b2' WHERE org_id = '{ORG}' AND user_id = 'u1'")
    assert (await _explained(rekha, "p1", device="phone-1"))["conclusion"] == "leaves_with_next_pull"
    assert (await _explained(rekha, "nowhere", device="phone-1"))["conclusion"] == "unknown_record"


async def test_without_the_code_other_devices_are_closed_there_or_not(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    await logged_in(server, "bela", id="phone-2")
    rekha, ravi = await logged_in(server, "rekha", id="desk"), await logged_in(server, "ravi", id="far")

    for device in ("phone-2", "nowhere"):
        status, answer = await asha.ask("GET", f"/sync/explain?table=trades&id=t&device={device}")
        assert (status, answer["code"]) == (403, "forbidden")
    for manager, device in ((rekha, "nowhere"), (ravi, "phone-1")):
        status, answer = await manager.ask("GET", f"/sync/explain?table=trades&id=t&device={device}")
        assert (status, answer["code"]) == (404, "not_found")


async def test_state_of_the_device_comes_first(people: Database, server: Server) -> None:
    asha, rekha = await logged_in(server, "asha", id="phone-1"), await logged_in(server, "rekha", id="desk")
    await _sync(asha)

    for state in ("revoked", "wiping", "wiped"):
        await _run(people, f"UPDATE device SET state = '{state}' WHERE org_id = '{ORG}' AND id = 'phone-1'")
        why = await _explained(rekha, "p1", device="phone-1")
        assert (why["conclusion"], why["next_pull"]) == (f"device_{state}", "nothing")


async def test_last_verdict_and_open_issues_of_the_record_are_told(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    cursor = await _sync(asha)
    changes = {"business_partners": {"created": [{"id": "bad", "branch_id": "b1", "legal_name": "", "kind": "[]"}]}}
    body = {"push_id": "a", "last_pulled_at": cursor, "schema_version": 2, "changes": changes}
    status, answer = await asha.ask("POST", "/sync/exchange", body)
    assert (status, answer["verdicts"][0]["verdict"]) == (200, "refused")

    why = await _explained(asha, "bad")

    assert why["conclusion"] == "unknown_record"
    assert why["last_verdict"]["verdict"] == "refused"
    assert [issue["kind"] for issue in why["open_issues"]] == ["refused"]


@pytest.mark.parametrize("query", ["", "?table=users&id=u1", "?table=trades&id=a%20b", "?table=trades&id=t&device=%2F"])
async def test_what_cannot_be_read_is_refused(people: Database, server: Server, query: str) -> None:
    asha = await logged_in(server, "asha", id="phone-1")

    status, answer = await asha.ask("GET", f"/sync/explain{query}")

    assert (status, answer["code"]) == (400, "bad_parameter")
