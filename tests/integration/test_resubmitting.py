"""An issue is settled on a phone, offline, too: the record's edit and the state go together (engine/resubmitting.py).

Planted by hand, each found here: no `keep_open`; no `hold_back`; an issue named by what was refused instead of by its record;
the earlier edit of an open issue forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mobile.replica import Replica
from sync_server.store.database import Database
from tests.harness.office import at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot, partner
from tests.integration.test_exchange import Field, updated

BAD = {"phone": "12345"}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.employ("manager", "manager", branch_id="b1")
    changes = {"business_partners": {"created": [partner("p"), partner("q", remarks="dry yard")]}}
    await settled.push(settled.actor(), await settled.clock(), changes)
    lots = {"availabilities": {"created": [lot("l", "p", state="active", bales_sold=10)]}}
    await settled.push(settled.actor(), await settled.clock(), lots)
    return settled


async def refused(house: House, user: str = "agent1", **values: Any) -> tuple[Replica, str]:
    """Have a phone edit the partner p so that it is refused, and sync until it holds the issue."""
    device = house.device(user, f"phone-of-{user}")
    await device.sync()
    device.update("business_partners", "p", values or BAD)
    for _ in range(2):
        await device.sync()
    (issue,) = device.rows("sync_issues")
    return device, issue


def settle(device: Replica, id: str, how: str, **values: Any) -> None:
    device.update("sync_issues", id, {"state": how})
    if values:
        device.update("business_partners", "p", values)


async def states(house: House) -> dict[str, str]:
    return {issue["id"]: issue["state"] for issue in await house.issues()}


# --- Offline ----------------------------------------------------------------------------------------------------------


async def test_author_settles_offline(house: House) -> None:
    device, id = await refused(house)
    settle(device, id, "resubmitted", phone="+919825012345")

    await device.sync()

    assert await states(house) == {id: "resubmitted"}
    assert (await house.truth("business_partners"))["p"]["phone"] == "+919825012345"
    await device.sync()
    assert not device.has_unsynced_changes()


async def test_who_resolves_in_the_branch_settles_anothers_issue_offline(house: House) -> None:
    author, id = await refused(house)
    manager = house.device("manager", "phone-of-manager")
    await manager.sync()
    settle(manager, id, "resubmitted", phone="+919825012345")
    await manager.sync()
    await author.sync()

    assert author.rows("sync_issues")[id]["state"] == "resubmitted"
    assert author.rows("business_partners")["p"]["phone"] == "+919825012345"


@pytest.mark.parametrize("how", ["accepted_ours", "discarded"])
async def test_issue_that_is_let_go_takes_no_other_edit_of_the_record_with_it(house: House, how: str) -> None:
    device, id = await refused(house)
    settle(device, id, how, branch_id="nowhere")

    for _ in range(2):
        await device.sync()

    assert await states(house) == {id: "open"}, "filed in the same issue, as it is about the same record"
    assert json.loads((await house.issues())[0]["payload"])["branch_id"] == "nowhere"


# --- Refused again ----------------------------------------------------------------------------------------------------


async def test_issue_whose_edit_is_refused_again_is_open_and_says_why(house: House) -> None:
    device, id = await refused(house)
    settle(device, id, "resubmitted", phone="+919825012345", branch_id="nowhere")

    for _ in range(2):
        await device.sync()

    (issue,) = await house.issues()
    assert (issue["id"], issue["state"], issue["reason_code"]) == (id, "open", "unknown_reference")
    assert json.loads(issue["payload"])["phone"] == "+919825012345", "what was edited is not lost"
    assert device.rows("sync_issues")[id]["state"] == "open"
    assert device.rows("sync_issues")[id]["reason_code"] == "unknown_reference"
    assert not device.has_unsynced_changes()


async def test_anothers_issue_stays_open_if_the_edit_of_who_resolves_is_refused(house: House) -> None:
    _, id = await refused(house)
    manager = house.device("manager", "phone-of-manager")
    await manager.sync()
    settle(manager, id, "resubmitted", phone="777")

    for _ in range(2):
        await manager.sync()

    found = {issue["author_id"]: issue for issue in await house.issues()}
    assert {user: issue["state"] for user, issue in found.items()} == {"agent1": "open", "manager": "open"}
    assert json.loads(found["agent1"]["payload"])["phone"] == "12345"
    assert json.loads(found["manager"]["payload"])["phone"] == "777", "what was typed on the phone is not lost"
    assert manager.rows("sync_issues")[id]["state"] == "open"


async def test_exchange_says_that_the_issue_stays_open(server: Server, house: House) -> None:
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await field.exchange(updated("business_partners", "p", **BAD))
    id = field.verdict("p")["issue"]

    await field.exchange(
        updated("business_partners", "p", phone="777") | updated("sync_issues", id, state="resubmitted")
    )

    assert (field.verdict("p")["verdict"], field.verdict("p")["issue"]) == ("refused", id)
    assert (field.verdict(id)["verdict"], field.verdict(id)["set"]["state"]) == ("duplicate", "open")
    assert field.record("sync_issues", id)["state"] == "open"
    assert '"777"' in field.record("sync_issues", id)["payload"]


async def test_exchange_settles_what_is_taken(server: Server, house: House) -> None:
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await field.exchange(updated("business_partners", "p", **BAD))
    id = field.verdict("p")["issue"]

    await field.exchange(
        updated("business_partners", "p", phone="+919825012345") | updated("sync_issues", id, state="resubmitted")
    )

    assert (field.verdict("p")["verdict"], field.verdict(id)["verdict"]) == ("accepted", "accepted")
    assert await states(house) == {id: "resubmitted"}


async def test_record_made_anew_under_the_id_of_a_deleted_one_leaves_its_issue_open(
    server: Server, house: House
) -> None:
    """Who made the record would be told that it is there already, and lose it."""
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await house.push(house.actor("agent2", "phone2"), await house.clock(), {"business_partners": {"deleted": ["q"]}})
    await field.exchange(updated("business_partners", "q", remarks="still here"))
    id = field.verdict("q")["issue"]

    await field.exchange(
        {"business_partners": {"created": [partner("q")]}} | updated("sync_issues", id, state="resubmitted")
    )

    assert (field.verdict("q")["verdict"], field.verdict("q")["code"]) == ("refused", "deleted_meanwhile")
    assert await states(house) == {id: "open"}


# --- Two who settle ---------------------------------------------------------------------------------------------------


async def test_count_that_two_do_again_offline_is_added_once(server: Server, house: House) -> None:
    """Ten bales are refused to an agent; author and manager both do it again, neither knowing of the other."""
    author, manager = [Field(await at_desk(server, house, user)) for user in ("agent1", "manager")]
    await author.exchange()
    await author.exchange(updated("availabilities", "l", bales_sold=20, branch_id="nowhere"))
    id = author.verdict("l")["issue"]
    await manager.exchange()

    for phone in (manager, author):
        await phone.exchange(
            updated("availabilities", "l", bales_sold=20) | updated("sync_issues", id, state="resubmitted")
        )

    assert manager.verdict("l")["verdict"] == "accepted"
    assert (author.verdict("l")["verdict"], author.verdict("l")["code"]) == ("refused", "issue_closed")
    assert (await house.truth("availabilities"))["l"]["bales_sold"] == 20
    assert author.record("sync_issues", id)["state"] == "open", "what the second one wanted waits"


async def test_who_decided_otherwise_first_is_not_overruled_in_silence(house: House) -> None:
    device, id = await refused(house)
    manager = house.device("manager", "phone-of-manager")
    await manager.sync()
    settle(manager, id, "accepted_ours")
    settle(device, id, "discarded")
    await manager.sync()

    for _ in range(2):
        await device.sync()

    assert await states(house) == {id: "accepted_ours"}, "no issue about an issue"
    assert device.rows("sync_issues")[id]["state"] == "accepted_ours"
    assert not device.has_unsynced_changes()


@pytest.mark.parametrize("how", ["resubmitted", "discarded"])
async def test_issue_that_holds_more_than_was_decided_about_stays_open(server: Server, house: House, how: str) -> None:
    """Another phone of the author has had a further edit refused, which nobody has looked at."""
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await field.exchange(updated("business_partners", "p", **BAD))
    id = field.verdict("p")["issue"]
    other = updated("business_partners", "p", branch_id="nowhere")
    await house.push(house.actor("agent1", "second-phone"), await house.clock(), other)

    edit = updated("business_partners", "p", phone="+919825012345") if how == "resubmitted" else {}
    await field.exchange(edit | updated("sync_issues", id, state=how))

    assert await states(house) == {id: "open"}
    assert field.record("sync_issues", id)["state"] == "open"
    assert not edit or field.verdict("p")["code"] == "issue_changed"
    assert "nowhere" in field.record("sync_issues", id)["payload"]


async def test_own_decision_whose_answer_was_lost_is_not_refused(server: Server, house: House) -> None:
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await field.exchange(updated("business_partners", "p", **BAD))
    id, before = field.verdict("p")["issue"], field.cursor
    settling = updated("business_partners", "p", phone="+919825012345") | updated(
        "sync_issues", id, state="resubmitted"
    )
    await field.exchange(settling)
    field.cursor = before

    await field.exchange(settling)

    assert {one["verdict"] for one in field.answer["verdicts"]} == {"duplicate"}
    assert await states(house) == {id: "resubmitted"}


# --- One issue per record ---------------------------------------------------------------------------------------------


async def test_next_refusal_of_a_record_is_filed_in_the_same_issue(house: House) -> None:
    device, id = await refused(house)
    first = (await house.issues())[0]
    device.update("business_partners", "p", {"branch_id": "nowhere"})

    for _ in range(2):
        await device.sync()

    (issue,) = await house.issues()
    assert (issue["id"], issue["reason_code"], issue["created_at"]) == (id, "unknown_reference", first["created_at"])
    assert issue["updated_at"] > first["updated_at"]
    assert issue["sentence"] != first["sentence"]
    assert device.rows("sync_issues")[id]["reason_code"] == "unknown_reference"
    payload, wanted = json.loads(issue["payload"]), json.loads(issue["theirs"])
    assert {payload["phone"], wanted["phone"]} == {"12345"}, "the edit before it is not lost"
    assert {payload["branch_id"], wanted["branch_id"]} == {"nowhere"}
    assert set(payload["_changed"].split(",")) == {"phone", "branch_id"}
    assert json.loads(issue["base"])["phone"] in (None, "")
    assert set(issue["fields"]) == {"phone", "branch_id"}


async def test_newest_value_of_a_column_counts(house: House) -> None:
    device, id = await refused(house)
    device.update("business_partners", "p", {"phone": "777"})

    await device.sync()

    (issue,) = await house.issues()
    assert (issue["id"], json.loads(issue["payload"])["phone"]) == (id, "777")


async def test_deletion_is_the_last_word(house: House) -> None:
    device, id = await refused(house)
    await house.push(house.actor("agent2", "x"), await house.clock(), updated("business_partners", "p", remarks="y"))
    device.delete("business_partners", "p")

    await device.sync()

    (issue,) = await house.issues()
    assert (issue["id"], issue["operation"], issue["state"]) == (id, "deleted", "open")
    assert json.loads(issue["payload"]) == {}


async def test_issue_that_was_settled_holds_nothing_of_before(house: House) -> None:
    device, id = await refused(house)
    settle(device, id, "discarded")
    await device.sync()
    device.update("business_partners", "p", {"branch_id": "nowhere"})

    for _ in range(2):
        await device.sync()

    (issue,) = await house.issues()
    assert (issue["id"], issue["state"]) == (id, "open")
    assert json.loads(issue["payload"])["phone"] in (None, "")


# --- To the letter ----------------------------------------------------------------------------------------------------


async def test_phone_that_settled_an_issue_holds_it_as_a_pull_would_send_it(server: Server, house: House) -> None:
    """A document has many spellings; a phone that is told another one than the next pull sends seems to have drifted."""
    field = Field(await at_desk(server, house, "agent1"))
    await field.exchange()
    await field.exchange(updated("business_partners", "p", **BAD))
    held = field.record("sync_issues", field.verdict("p")["issue"])

    settled = {**held, "state": "discarded", "_status": "updated", "_changed": "state"}
    await field.exchange({"sync_issues": {"updated": [settled]}})

    told = {**held, "state": "discarded", **field.verdict(held["id"])["set"]}
    fresh = Field(field.clerk)
    await fresh.exchange()
    assert told == fresh.record("sync_issues", held["id"])
