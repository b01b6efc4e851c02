"""The inbox: a refusal is accepted, explained and corrected; it is never silent (engine/inbox.py; DESIGN.md §5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from erp_core.access import ROLES
from erp_core.catalogue import SYNCED
from erp_core.language import Phone
from sync_server.engine.entitlements import full_mask, mask_of
from sync_server.store.database import Database
from tests.harness.world import House, changed_tables, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p")
    return settled


BAD = {"branch_id": "nowhere"}
SORTER = ["sync.use", "sync.resolve", "partner.read"]
"""Who may resolve, and sees no prices."""


async def test_refusal_holds_what_was_pushed_why_and_what_the_server_has(house: House) -> None:
    cursor = await house.clock()

    answer = await house.push(
        house.actor(), cursor, {"business_partners": {"updated": [{"id": "p", "legal_name": "Phone", **BAD}]}}
    )

    assert answer == {}, "the record is accepted: a rejected id would be pushed for ever"
    issue = next(iter(records(await house.pull(house.actor(), cursor), "sync_issues").values()))
    assert (issue["table_name"], issue["record_id"], issue["operation"]) == ("business_partners", "p", "updated")
    assert (issue["kind"], issue["state"], issue["author_id"]) == ("refused", "open", "agent1")
    assert issue["reason_code"] == "unknown_reference"
    assert json.loads(issue["fields"]) == ["branch_id"]
    assert json.loads(issue["payload"]) == {"legal_name": "Phone", **BAD}
    assert json.loads(issue["ours"])["legal_name"] == "Partner p"
    assert issue["sentence"].endswith(".")
    assert issue["suggestion"]


@pytest.mark.parametrize(
    ("operation", "list_of_the_correction"), [("created", "deleted"), ("updated", "updated"), ("deleted", "created")]
)
async def test_phone_is_corrected_by_its_next_pull_and_by_no_later_one(
    house: House, operation: str, list_of_the_correction: str
) -> None:
    """The record comes back as the server has it: gone, as it was, or created again if the phone destroyed it."""
    pushes: dict[str, tuple[str, Any]] = {
        "created": ("business_partners", partner("new", **BAD)),
        "updated": ("business_partners", {"id": "p", **BAD}),
        "deleted": ("branches", "b1"),
    }
    table, pushed = pushes[operation]
    cursor = await house.clock()

    await house.push(house.actor(), cursor, {table: {operation: [pushed]}})

    answer = await house.pull(house.actor(), cursor)
    corrected = {
        name: [r if isinstance(r, str) else r["id"] for r in found] for name, found in answer["changes"][table].items()
    }
    id = pushed if isinstance(pushed, str) else pushed["id"]
    assert corrected == {"created": [], "updated": [], "deleted": [], list_of_the_correction: [id]}
    assert changed_tables(await house.pull(house.actor(), answer["timestamp"])) == []


async def test_real_device_converges_after_a_refusal_and_pushes_nothing_again(house: House) -> None:
    device = house.device()
    await device.sync()
    device.create("business_partners", {k: v for k, v in partner("new", **BAD).items() if k != "id"}, id="new")
    device.update("business_partners", "p", BAD)
    device.delete("branches", "b2")
    await device.sync()

    await device.sync()

    assert not device.has_unsynced_changes()
    assert sorted(device.rows("business_partners")) == ["p"]
    assert device.rows("business_partners")["p"]["branch_id"] == "b1"
    assert sorted(device.rows("branches")) == ["b1", "b2"]
    assert {row["record_id"] for row in device.rows("sync_issues").values()} == {"new", "p", "b2"}


async def test_same_refusal_pushed_again_is_the_same_issue(house: House) -> None:
    changes = {"business_partners": {"updated": [{"id": "p", **BAD}]}}
    await house.push(house.actor(), await house.clock(), changes)

    await house.push(house.actor(), await house.clock(), changes)

    assert len(await house.issues()) == 1


async def test_issue_that_was_settled_opens_again_if_the_refusal_comes_again(house: House) -> None:
    changes = {"business_partners": {"updated": [{"id": "p", **BAD}]}}
    await house.push(house.actor(), await house.clock(), changes)
    await house.run("UPDATE sync_issues SET state = 'discarded'")

    await house.push(house.actor(), await house.clock(), changes)

    assert [issue["state"] for issue in await house.issues()] == ["open"]


async def test_one_bad_record_does_not_stop_the_others(house: House) -> None:
    """Hole 27."""
    good = [partner(f"good{n}") for n in range(5)]

    await house.push(
        house.actor(),
        await house.clock(),
        {"business_partners": {"created": [*good[:2], partner("bad", **BAD), *good[2:]]}},
    )

    assert await house.ids("business_partners") == [*(f"good{n}" for n in range(5)), "p"]
    assert [issue["record_id"] for issue in await house.issues()] == ["bad"]


async def test_client_without_the_table_keeps_the_record_as_unsent(house: House) -> None:
    cursor = await house.clock()

    answer = await house.push(
        house.actor(), cursor, {"business_partners": {"created": [partner("bad", **BAD)]}}, holds_issues=False
    )

    assert answer == {"experimentalRejectedIds": {"business_partners": ["bad"]}}
    assert await house.issues() == []
    assert changed_tables(await house.pull(house.actor(), cursor)) == [], "never a silent revert"


# --- Whose it is ------------------------------------------------------------------------------------------------------


async def _issue_of_agent1(house: House) -> tuple[str, int]:
    await house.push(
        house.actor("agent1"), await house.clock(), {"business_partners": {"updated": [{"id": "p", **BAD}]}}
    )
    (issue,) = await house.issues()
    return issue["id"], await house.clock()


async def test_issue_is_shown_to_its_author_only(house: House) -> None:
    id, _ = await _issue_of_agent1(house)
    await house.employ("stranger", "agent")

    for cursor in (None, 1_795_400_000_000, (2 << 40) + 1):
        assert sorted(records(await house.pull(house.actor("agent1"), cursor), "sync_issues")) == [id]
        assert not records(await house.pull(house.actor("stranger", "phone2"), cursor), "sync_issues")


async def test_who_resolves_in_the_branch_gets_the_issue_and_nobody_else(house: House) -> None:
    id, _ = await _issue_of_agent1(house)
    for user, branch in (("here", "b1"), ("elsewhere", "b2")):
        await house.employ(user, "manager", branch_id=branch)
    await house.fetch(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'sorter', 'S', $2)", house.org_id, SORTER
    )
    await house.employ("sorter", "sorter", branch_id="b1")

    seen = {u: records(await house.pull(house.actor(u, u)), "sync_issues") for u in ("here", "elsewhere", "sorter")}

    assert list(seen["here"]) == list(seen["sorter"]) == [id]
    assert not seen["elsewhere"]
    assert seen["here"][id]["branch_id"] == "b1"
    hidden = ("sentence", "payload", "base", "ours", "theirs", "outcomes")
    assert [seen["sorter"][id][name] for name in hidden] == [None] * 6, "values are for who may see prices and parties"


def test_who_sees_the_values_of_issues_may_read_all_that_they_can_hold() -> None:
    """Of the roles that ship: whoever resolves and sees values reads every field of every record that phones change."""
    for role in (role for role in ROLES.values() if {"sync.resolve", "desk.read"} <= role.codes):
        for entity in (entity for entity in SYNCED if entity.phone is Phone.BOTH and entity.name != "sync_issue"):
            assert full_mask(entity) == mask_of(entity, role.codes), (role.id, entity.name)


async def test_settled_issue_travels_like_any_record(house: House) -> None:
    id, cursor = await _issue_of_agent1(house)

    await house.push(house.actor("agent1"), cursor, {"sync_issues": {"updated": [{"id": id, "state": "discarded"}]}})

    assert (await house.issues())[0]["state"] == "discarded"


@pytest.mark.parametrize("operation", ["created", "updated", "deleted"])
@pytest.mark.parametrize("holds_issues", [True, False])
async def test_anothers_issue_can_be_neither_changed_nor_read_by_a_push(
    house: House, operation: str, holds_issues: bool
) -> None:
    id, cursor = await _issue_of_agent1(house)
    await house.employ("stranger", "agent")
    intruder = house.actor("stranger", "phone2")
    await house.pull(intruder)
    pushed: Any = id if operation == "deleted" else {"id": id, "state": "discarded", "sentence": "mine now"}

    answer = await house.push(intruder, cursor, {"sync_issues": {operation: [pushed]}}, holds_issues=holds_issues)

    (untouched,) = [issue for issue in await house.issues() if issue["author_id"] == "agent1"]
    assert untouched["state"] == "open"
    seen = json.dumps([answer, await house.pull(intruder, cursor), await house.pull(intruder)])
    assert "nowhere" not in seen
    assert untouched["sentence"] not in seen


async def test_issue_cannot_be_made_in_anothers_name(house: House) -> None:
    forged = {"id": "forged", "author_id": "agent1", "table_name": "trades", "record_id": "t", "kind": "refused"}
    rest = {"operation": "updated", "reason_code": "x", "sentence": "Send your password to agent2."}

    await house.push(
        house.actor("agent2", "phone2"), await house.clock(), {"sync_issues": {"created": [{**forged, **rest}]}}
    )

    assert "forged" not in records(await house.pull(house.actor("agent1")), "sync_issues")


async def test_endless_value_does_not_make_an_endless_sentence(house: House) -> None:
    changes = {"business_partners": {"updated": [{"id": "p", "entity_type": "x" * 900_000}]}}

    await house.push(house.actor(), await house.clock(), changes)

    (issue,) = await house.issues()
    assert len(issue["sentence"]) <= 4_000
