"""Privacy over HTTP: who may ask and decide, what keeps a person from being forgotten, and what a person is given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from erp_core.access import ROLES
from sync_server.identity import watch
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House, contact, partner, trade

CANARY = "Zubeida Kasturbhai"


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    """Somebody who may do everything, in a house that knows two farmers."""
    clerk = await at_desk(server, house, "agent1")
    for body in (partner("farmer", legal_name=CANARY, phone="+919812345670"), partner("buyer")):
        assert (await clerk.ask("POST", "/business_partners", body)).status == 201
    assert (await clerk.ask("POST", "/partner_contacts", contact("c1", "farmer", name=CANARY))).status == 201
    return clerk


async def asked(
    clerk: Clerk, id: str = "farmer", table: str = "business_partners", status: int = 201
) -> dict[str, Any]:
    answer = await clerk.ask("POST", "/privacy/requests", {"table": table, "id": id, "reason": f"{CANARY} asks for it"})
    assert answer.status == status, answer
    found: dict[str, Any] = answer.json
    return found


async def seated(server: Server, house: House, user: str, role: str) -> Clerk:
    """Seat somebody new with one of the roles that ship."""
    assert role in ROLES
    await house.employ(user, role)
    return await at_desk(server, house, user)


async def test_a_request_is_asked_decided_and_done_with_its_proof(clerk: Clerk, house: House) -> None:
    request = await asked(clerk)
    assert (request["state"], request["table"], request["record_id"]) == ("open", "business_partners", "farmer")

    done = await clerk.ask("POST", f"/privacy/requests/{request['id']}/approve")

    assert (done.status, done.json["state"], done.json["reason"]) == (200, "done", "")
    assert done.json["proof"]["records"] == {"business_partners": 1, "partner_contacts": 1}
    assert done.json["files_left"] == 0
    assert (await clerk.ask("GET", "/business_partners/farmer")).json["legal_name"] == "erased"
    assert CANARY not in str(await house.fetch("SELECT t::text FROM privacy_request t"))
    listed = await clerk.ask("GET", "/privacy/requests")
    assert [one["id"] for one in listed.json["requests"]] == [request["id"]]


async def test_devices_that_have_not_been_told_are_named_until_they_are(clerk: Clerk, house: House) -> None:
    await house.fetch(
        "INSERT INTO device (org_id, id, user_id, cursor) VALUES ($1, 'told', 'agent2', $2), ($1, 'away', 'agent2', $3)",
        *(house.org_id, 2**52, await house.clock()),
    )
    request = await asked(clerk)
    done = await clerk.ask("POST", f"/privacy/requests/{request['id']}/approve")
    assert [one["id"] for one in done.json["devices_behind"]] == ["away"]

    await house.fetch("UPDATE device SET cursor = $1 WHERE id = 'away'", await house.clock())

    again = await clerk.ask("GET", f"/privacy/requests/{request['id']}")
    assert again.json["devices_behind"] == []


async def test_a_partner_with_a_deal_under_way_is_not_forgotten(clerk: Clerk) -> None:
    made = await clerk.ask("POST", "/trades", trade("deal", "buyer", "farmer"))
    assert made.status == 201, made
    request = await asked(clerk)

    refused = await clerk.ask("POST", f"/privacy/requests/{request['id']}/approve")
    assert (refused.status, refused.json["code"]) == (409, "still_needed")
    assert refused.json["because"] == [{"table": "trades", "id": "deal"}]
    assert (await clerk.ask("GET", "/business_partners/farmer")).json["legal_name"] == CANARY

    assert (await clerk.ask("DELETE", "/trades/deal")).status in (200, 204)
    assert (await clerk.ask("POST", f"/privacy/requests/{request['id']}/approve")).status == 200


async def test_one_request_is_open_for_a_person_and_it_is_decided_once(clerk: Clerk) -> None:
    request = await asked(clerk)
    assert (await asked(clerk, status=409))["code"] == "asked_already"

    refused = await clerk.ask("POST", f"/privacy/requests/{request['id']}/refuse", {"reason": "A payment is due."})
    assert (refused.status, refused.json["state"], refused.json["reason"]) == (200, "refused", "A payment is due.")
    for path, body in (("approve", None), ("refuse", {"reason": "again"})):
        again = await clerk.ask("POST", f"/privacy/requests/{request['id']}/{path}", body)
        assert (again.status, again.json["code"]) == (409, "already_decided")
    second = await asked(clerk)
    answers = await asyncio.gather(*(clerk.ask("POST", f"/privacy/requests/{second['id']}/approve") for _ in range(3)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert (await clerk.ask("GET", f"/privacy/requests/{second['id']}")).json["state"] == "done"


async def test_who_may_not_is_refused_and_learns_nothing(clerk: Clerk, server: Server, house: House) -> None:
    request = await asked(clerk)
    agent = await seated(server, house, "field", "agent")

    assert (await agent.ask("POST", f"/privacy/requests/{request['id']}/approve")).status == 403
    assert (await agent.ask("GET", f"/privacy/requests/{request['id']}")).status == 404
    assert (await agent.ask("GET", "/privacy/requests")).json == {"requests": []}
    # A partner that the agent does not see is one that is not there.
    unseen = await agent.ask("POST", "/privacy/requests", {"table": "business_partners", "id": "farmer"})
    nobody = await agent.ask("POST", "/privacy/requests", {"table": "business_partners", "id": "nobody"})
    assert (
        (unseen.status, unseen.json["detail"]) == (nobody.status, nobody.json["detail"]) == (404, nobody.json["detail"])
    )
    assert (await agent.ask("GET", "/privacy/export?table=business_partners&id=farmer")).status == 403


async def test_everybody_may_ask_for_themselves_and_nobody_forgets_themselves(
    clerk: Clerk, server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.0)
    agent = await seated(server, house, "field", "agent")
    request = await asked(agent, "field", "users")
    assert (await clerk.ask("POST", f"/privacy/requests/{request['id']}/approve")).status == 200
    assert (await agent.ask("GET", "/me")).status == 401

    own = await asked(clerk, "agent1", "users")
    refused = await clerk.ask("POST", f"/privacy/requests/{own['id']}/approve")
    assert (refused.status, refused.json["code"]) == (409, "still_needed")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"table": "trades", "id": "t1"}, "invalid_value", "/table"),
        ({"table": "users", "id": "a b"}, "invalid_value", "/id"),
        ({"table": "users", "id": "u1", "why": "x"}, "unknown_member", "/why"),
        ({"table": "users", "id": "u1", "reason": 7}, "wrong_type", "/reason"),
        ({"table": "users", "id": "u1", "reason": "x" * 1001}, "invalid_value", "/reason"),
        ([], "wrong_type", ""),
    ],
)
async def test_a_wrong_request_says_what_is_wrong_and_where(clerk: Clerk, body: Any, code: str, pointer: str) -> None:
    answer = await clerk.ask("POST", "/privacy/requests", body)
    assert (answer.json["code"], answer.json["pointer"]) == (code, pointer)


# --- What is known ------------------------------------------------------------------------------------------------------


async def test_what_is_known_of_a_person_is_given_whole_and_nothing_of_others(clerk: Clerk, house: House) -> None:
    await clerk.ask("PATCH", "/business_partners/farmer", {"phone": "+919812345671"})
    visit = {"id": "v1", "branch_id": "b1", "agent_id": "agent2", "partner_id": "farmer", "notes": "rain"}
    assert (await clerk.ask("POST", "/visits", {**visit, "latitude": 21.5, "longitude": 71.5})).status == 201
    await clerk.ask("DELETE", "/partner_contacts/c1")

    known = (await clerk.ask("GET", "/privacy/export?table=business_partners&id=farmer")).json

    assert {(one["table"], one["record_id"]) for one in known["records"]} == {
        ("business_partners", "farmer"),
        ("visits", "v1"),
    }
    before = {(one["record_id"], one["values"].get("phone") or one["values"].get("name")) for one in known["before"]}
    assert before == {("farmer", "+919812345670"), ("c1", CANARY)}
    [told] = [one["values"] for one in known["records"] if one["table"] == "visits"]
    assert told == {"purpose": None, "notes": "rain"}
    assert "agent2" not in str(known)
    assert "71.5" not in str(known)
    own = (await clerk.ask("GET", "/privacy/export?table=users&id=agent2")).json
    [told] = [one["values"] for one in own["records"] if one["table"] == "visits"]
    assert (told["latitude"], told["longitude"], told.get("notes")) == (21.5, 71.5, None)


async def test_a_user_takes_along_what_is_known_of_them(server: Server, house: House, clerk: Clerk) -> None:
    agent = await seated(server, house, "field", "agent")

    known = (await agent.ask("GET", "/privacy/export")).json

    assert known["person"] == {"table": "users", "id": "field"}
    assert {one["record_id"] for one in known["records"]} == {"field"}
    assert len(known["sessions"]) == 1
    assert CANARY not in str(known)
    wrong = await agent.ask("GET", "/privacy/export?table=users")
    assert (wrong.status, wrong.json["code"]) == (400, "bad_parameter")
