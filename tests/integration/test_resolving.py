"""An issue is settled at a desk: the record's change and the issue's state, both or neither (engine/resolving.py).

Planted by hand, each found here: the count written as it was wanted; every column sent instead of the changed ones; no look at
the state after the lock; the refusal of the record swallowed; the resolver's own rights not asked for.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine import resolving
from sync_server.engine.push import push as engine_push
from sync_server.store.database import Database
from tests.harness.office import Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot, partner, request

SORTER = ["sync.use", "sync.resolve", "partner.read", "partner.update"]
"""Who may resolve, and sees no values in issues."""


@pytest.fixture
async def house(server: Server, database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.employ("author", "agent", agent_id="author")
    await settled.grant("author", "grader", branch_id="b1")
    await settled.employ("manager", "manager", branch_id="b1")
    await settled.employ("elsewhere", "manager", branch_id="b2")
    await settled.fetch(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'sorter', 'S', $2)", settled.org_id, SORTER
    )
    await settled.employ("sorter", "sorter", branch_id="b1")
    await push(settled, {"business_partners": {"created": [partner("p"), partner("q", remarks="dry yard")]}})
    await push(settled, {"availabilities": {"created": [lot("l", "p", state="active")]}})
    return settled


async def push(house: House, changes: Any, cursor: int | None = None, user: str = "agent1") -> None:
    at = await house.clock() if cursor is None else cursor
    await house.push(house.actor(user, f"phone-of-{user}"), at, changes)


def edit(table: str, id: str, **values: Any) -> dict[str, Any]:
    return {table: {"updated": [{"id": id, **values, "_changed": ",".join(values)}]}}


async def parked_count(house: House) -> str:
    """Have agent1 sell 60 bales of the lot l, of which agent2 has just sold 70 of 100."""
    cursor = await house.clock()
    await push(house, edit("availabilities", "l", bales_sold=70), cursor, "agent2")
    await push_settling(house, edit("availabilities", "l", bales_sold=60), cursor)
    return await only_issue(house)


async def push_settling(house: House, changes: Any, cursor: int) -> None:
    """Push as an exchange does: clashes are for the server's policies."""
    wanted = replace(request(cursor, changes), settles=True)
    await engine_push(house.database, house.standings, house.actor("agent1", "phone1"), wanted)


async def only_issue(house: House) -> str:
    (issue,) = [issue for issue in await house.issues() if issue["state"] == "open"]
    return str(issue["id"])


async def resolve(clerk: Clerk, id: str, how: str, values: Any = None, **headers: str) -> Answer:
    body = {"how": how} if values is None else {"how": how, "values": values}
    return await clerk.ask("POST", f"/sync/issues/{id}/resolve", body, **headers)


async def state(house: House, id: str) -> str:
    return str(await house.one("SELECT state FROM sync_issues WHERE id = $1", id))


# --- What becomes of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "becomes"), [("theirs", "accepted_ours"), ("discard", "discarded")])
async def test_record_stays_and_the_issue_is_closed(server: Server, house: House, how: str, becomes: str) -> None:
    id, before = await parked_count(house), await house.truth("availabilities")

    answer = await resolve(await at_desk(server, house, "agent1"), id, how)

    assert (answer.status, answer.json["issue"]["state"]) == (200, becomes)
    assert answer.json["record"]["id"] == "l"
    assert (await state(house, id), await house.truth("availabilities")) == (becomes, before)


async def test_mine_adds_to_a_count_what_the_author_added(server: Server, house: House) -> None:
    """Of 100 bales 70 were sold when 60 more were: the office finds 50 that were none."""
    id = await parked_count(house)
    await push(house, edit("availabilities", "l", bales_sold=20), user="agent2")

    answer = await resolve(await at_desk(server, house, "agent1"), id, "mine")

    assert answer.status == 200, answer.json
    assert answer.json["record"]["bales_sold"] == 80
    assert await state(house, id) == "resubmitted"


async def test_mine_writes_only_what_the_author_changed(server: Server, house: House) -> None:
    cursor = await house.clock()
    raw = partner("q", remarks="flooded yard", email="old@example.com", _changed="remarks")
    await push(house, edit("business_partners", "q", remarks="damp yard", email="new@example.com"), cursor, "agent2")
    await push_settling(house, {"business_partners": {"updated": [raw]}}, cursor)

    answer = await resolve(await at_desk(server, house, "agent1"), await only_issue(house), "mine")

    assert answer.status == 200, answer.json
    assert (answer.json["record"]["remarks"], answer.json["record"]["email"]) == ("flooded yard", "new@example.com")


async def test_edited_writes_its_values_in_place_of_what_was_wanted(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", phone="12345", email="p@example.com"))
    id = await only_issue(house)

    answer = await resolve(await at_desk(server, house, "agent1"), id, "edited", {"phone": "+919825012345"})

    assert answer.status == 200, answer.json
    assert (answer.json["record"]["phone"], answer.json["record"]["email"]) == ("+919825012345", "p@example.com")


async def test_record_that_was_refused_is_made_under_its_own_id(server: Server, house: House) -> None:
    await push(house, {"business_partners": {"created": [partner("new", phone="12345")]}})

    answer = await resolve(await at_desk(server, house, "agent1"), await only_issue(house), "edited", {"phone": None})

    assert (answer.status, answer.json["record"]["id"]) == (200, "new")


async def test_deleted_record_is_made_anew_under_another_id(server: Server, house: House) -> None:
    cursor = await house.clock()
    await push(house, {"business_partners": {"deleted": ["q"]}}, cursor, "agent2")
    raw = partner("q", remarks="still here", _changed="remarks")
    await push(house, {"business_partners": {"updated": [raw]}}, cursor)

    answer = await resolve(await at_desk(server, house, "agent1"), await only_issue(house), "mine")

    assert answer.status == 200, answer.json
    assert (answer.json["record"]["legal_name"], answer.json["record"]["remarks"]) == ("Partner q", "still here")
    assert answer.json["record"]["id"] != "q"
    assert "q" not in await house.ids("business_partners"), "whoever was told that it is gone was told the truth"


async def test_deletion_is_done_again(server: Server, house: House) -> None:
    cursor = await house.clock()
    await push(house, edit("business_partners", "q", phone="+919825012345"), cursor, "agent2")
    await push(house, {"business_partners": {"deleted": ["q"]}}, cursor)

    answer = await resolve(await at_desk(server, house, "agent1"), await only_issue(house), "mine")

    assert (answer.status, answer.json["record"]) == (200, None)
    assert await house.ids("business_partners") == ["p"]


async def test_log_says_who_resolved(server: Server, house: House) -> None:
    id, clock = await parked_count(house), await house.clock()
    await push(house, edit("availabilities", "l", bales_sold=20), user="agent2")

    await resolve(await at_desk(server, house, "manager"), id, "mine")

    events = [(e["entity"], e["actor"]) for e in await house.events(clock) if e["actor"] != "agent2"]
    assert sorted(events) == [("availabilities", "manager"), ("sync_issues", "manager")]


# --- Both or neither --------------------------------------------------------------------------------------------------


async def test_what_the_rules_refuse_again_leaves_both_as_they_are(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", phone="12345"))
    id, clock = await only_issue(house), await house.clock()

    answer = await resolve(await at_desk(server, house, "agent1"), id, "edited", {"phone": "777", "branch_id": "b1"})

    assert (answer.status, answer.json["code"], answer.reasons) == (422, "rule_broken", ["malformed"])
    assert answer.json["reasons"][0]["pointers"] == ["/values/phone"]
    assert (await state(house, id), await house.clock()) == ("open", clock)


async def test_pointers_name_nothing_that_was_not_sent(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", phone="12345"))

    answer = await resolve(await at_desk(server, house, "agent1"), await only_issue(house), "mine")

    assert (answer.status, answer.json["reasons"][0]["pointers"]) == (422, [])


async def test_issue_that_cannot_be_closed_keeps_the_record_as_it_is(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await parked_count(house)
    await push(house, edit("availabilities", "l", bales_sold=20), user="agent2")
    before = await house.truth("availabilities")
    monkeypatch.setitem(resolving.SETTLED, resolving.How.MINE, "resubmitted ")
    monkeypatch.setattr(resolving, "_mutation", _always_again(resolving._mutation))

    answer = await resolve(await at_desk(server, house, "agent1"), id, "mine")

    assert (answer.status, answer.reasons) == (422, ["unknown_choice"])
    assert await house.truth("availabilities") == before


def _always_again(inner: Any) -> Any:
    def mutation(held: Any, choice: Any) -> Any:
        return inner(held, resolving.Choice(resolving.How.EDITED, choice.values))

    return mutation


@pytest.mark.parametrize("how", ["mine", "theirs", "edited", "discard"])
async def test_settled_issue_is_not_settled_again(server: Server, house: House, how: str) -> None:
    id = await parked_count(house)
    clerk = await at_desk(server, house, "agent1")
    assert (await resolve(clerk, id, "theirs")).status == 200
    clock = await house.clock()

    answer = await resolve(clerk, id, how, {"bales_sold": 80} if how == "edited" else None)

    assert (answer.status, answer.json["code"], await house.clock()) == (409, "issue_closed", clock)


async def test_of_many_who_resolve_at_once_one_does(server: Server, house: House) -> None:
    id = await parked_count(house)
    await push(house, edit("availabilities", "l", bales_sold=1), user="agent2")
    clerks = [await at_desk(server, house, user) for user in ("agent1", "agent2", "agent3", "manager")]

    answers = await asyncio.gather(*(resolve(clerk, id, "mine") for clerk in clerks))

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert (await house.truth("availabilities"))["l"]["bales_sold"] == 61


async def test_issue_that_moved_since_it_was_read_is_not_settled(server: Server, house: House) -> None:
    id = await parked_count(house)
    clerk = await at_desk(server, house, "agent1")
    tag = (await clerk.ask("GET", f"/sync_issues/{id}")).headers["ETag"]
    await house.run("UPDATE sync_issues SET sentence = 'Something else by now.'")

    answer = await resolve(clerk, id, "discard", If_Match=tag)

    assert (answer.status, answer.json["code"], await state(house, id)) == (412, "changed_meanwhile", "open")


# --- Who may ----------------------------------------------------------------------------------------------------------


async def test_who_resolves_in_the_branch_may_and_nobody_elsewhere(server: Server, house: House) -> None:
    id = await parked_count(house)
    await push(house, edit("availabilities", "l", bales_sold=20), user="agent2")

    for user in ("elsewhere", "author"):
        refused = await resolve(await at_desk(server, house, user), id, "mine")
        assert (refused.status, refused.json["code"]) == (404, "not_found")
        unknown = await resolve(await at_desk(server, house, user), "nosuchissue", "mine")
        assert {**refused.json, "correlation_id": ""} == {**unknown.json, "correlation_id": ""}
    assert (await resolve(await at_desk(server, house, "manager"), id, "mine")).status == 200


async def test_author_without_the_right_to_change_the_record_is_told_so(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", legal_name="Mine"), user="author")
    id = await only_issue(house)

    answer = await resolve(await at_desk(server, house, "author"), id, "mine")

    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert answer.json["detail"].endswith(".")
    assert (await state(house, id), (await house.truth("business_partners"))["p"]["legal_name"]) == (
        "open",
        "Partner p",
    )
    assert (await resolve(await at_desk(server, house, "author"), id, "discard")).status == 200
    assert (await house.truth("business_partners"))["p"]["legal_name"] == "Partner p"


async def test_who_may_do_it_does_it_for_the_author(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", remarks="by the author"), user="author")

    answer = await resolve(await at_desk(server, house, "manager"), await only_issue(house), "mine")

    assert (answer.status, answer.json["record"]["remarks"]) == (200, "by the author")


async def test_who_does_not_see_what_was_wanted_cannot_send_it(server: Server, house: House) -> None:
    await push(house, edit("business_partners", "p", phone="12345"))
    id, sorter = await only_issue(house), await at_desk(server, house, "sorter")

    for how, values in (("mine", None), ("edited", {"phone": "+919825012345"})):
        answer = await resolve(sorter, id, how, values)
        assert (answer.status, answer.reasons) == (403, ["not_allowed"])
    answer = await resolve(sorter, id, "discard")
    assert answer.status == 200
    assert "12345" not in json.dumps(answer.json)


# --- Shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        ([], "wrong_type", ""),
        ({}, "missing_field", "/how"),
        ({"how": "yes"}, "invalid_value", "/how"),
        ({"how": ["mine"]}, "invalid_value", "/how"),
        ({"how": "mine", "why": 1}, "unknown_member", "/why"),
        ({"how": "edited"}, "missing_field", "/values"),
        ({"how": "edited", "values": []}, "wrong_type", "/values"),
        ({"how": "mine", "values": {"bales_sold": 1}}, "invalid_value", "/values"),
        ({"how": "edited", "values": {"bales": 1}}, "unknown_column", "/values/bales"),
        ({"how": "edited", "values": {"bales_sold": "1"}}, "wrong_type", "/values/bales_sold"),
        ({"how": "edited", "values": {"created_by": "me"}}, "read_only", "/values/created_by"),
    ],
)
async def test_wrong_member_is_pointed_at(server: Server, house: House, body: Any, code: str, where: str) -> None:
    id, clerk = await parked_count(house), await at_desk(server, house, "agent1")
    clock = await house.clock()

    answer = await clerk.ask("POST", f"/sync/issues/{id}/resolve", body)

    assert (answer.status, answer.json["code"], answer.json["pointer"]) == (422, code, where)
    assert (await state(house, id), await house.clock()) == ("open", clock)
