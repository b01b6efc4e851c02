"""What happened to a record, how it was, bringing it back, and the audit trail; each as far as one may see it.

Planted at the end: a past without the labels of its time, a past without the mask.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sync_server.engine import history
from sync_server.store import histories
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House


async def changed(clerk: Clerk, house: House) -> list[int]:
    """Change p1 three times, by three ways; give its positions, oldest first."""
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "one", "credit_limit": 5_000})
    phone = house.actor("agent2", "phone2")
    edit = {"business_partners": {"updated": [{"id": "p1", "remarks": "two"}]}}
    await house.push(phone, await house.clock(), edit)
    await house.run("UPDATE business_partners SET remarks = 'three' WHERE id = 'p1'")
    return [e["position"] for e in await house.events() if e["record_id"] == "p1"]


async def test_history_says_who_changed_what_by_which_way_newest_first(clerk: Clerk, house: House) -> None:
    positions = await changed(clerk, house)

    answer = await clerk.ask("GET", "/business_partners/p1/history")
    events = answer.json["events"]

    assert [event["position"] for event in events] == positions[::-1]
    assert [(e["operation"], e["by"], e["channel"]) for e in events[:3]] == [
        ("updated", None, "sql"),
        ("updated", "agent2", "phone"),
        ("updated", "agent1", "office"),
    ]
    assert events[0]["changes"]["remarks"] == {"from": "two", "to": "three"}
    assert events[2]["changes"] == {
        "remarks": {"from": None, "to": "one"},
        "credit_limit": {"from": None, "to": 5_000},
    }
    assert (events[-1]["operation"], events[-1]["changes"]["legal_name"]["to"]) == ("created", "Partner p1")
    assert events[2]["session"] == "desk-of-agent1"


async def test_history_is_paged(clerk: Clerk, house: House) -> None:
    positions = await changed(clerk, house)
    found, after = [], ""
    for _ in positions:
        page = (await clerk.ask("GET", f"/business_partners/p1/history?limit=2&after={after}")).json
        found += [event["position"] for event in page["events"]]
        if page["next"] is None:
            break
        after = page["next"]

    assert found == positions[::-1]


async def test_record_is_given_as_it_was_at_a_position_and_at_a_time(clerk: Clerk, house: House) -> None:
    before = datetime.now(UTC)
    positions = await changed(clerk, house)

    async def remarks(at: Any) -> Any:
        answer = await clerk.ask("GET", f"/business_partners/p1?at={at}")
        return answer.json["remarks"] if answer.status == 200 else answer.status

    assert [await remarks(p) for p in positions[-3:]] == ["one", "two", "three"]
    assert await remarks(positions[-1] + 1_000) == "three"
    assert await remarks(before.isoformat().replace("+00:00", "Z")) is None
    assert await remarks("2020-01-01T00:00:00Z") == 404
    assert await remarks(1) == 404
    assert await remarks("yesterday") == 400


async def test_earlier_state_comes_back_as_a_new_change(clerk: Clerk, house: House) -> None:
    positions = await changed(clerk, house)

    answer = await clerk.ask("POST", "/business_partners/p1/restore", {"position": positions[-3]})

    assert (answer.status, answer.json["remarks"]) == (200, "one")
    newest = (await clerk.ask("GET", "/business_partners/p1/history?limit=1")).json["events"][0]
    assert (newest["by"], newest["changes"]) == ("agent1", {"remarks": {"from": "three", "to": "one"}})
    assert newest["position"] > positions[-1]
    nowhere = await clerk.ask("POST", "/business_partners/p1/restore", {"position": 1})
    wrong = await clerk.ask("POST", "/business_partners/p1/restore", {"position": "1"})
    assert (nowhere.status, wrong.status) == (404, 422)


async def test_rules_hold_for_what_comes_back(clerk: Clerk, house: House) -> None:
    """A confirmed trade does not become a draft again by its history."""
    await house.run("UPDATE trades SET state = 'draft' WHERE id = 't1'; UPDATE trades SET state = 'confirmed'")
    draft = [e["position"] for e in await house.events() if e["record_id"] == "t1"][-2]

    answer = await clerk.ask("POST", "/trades/t1/restore", {"position": draft})

    assert answer.status in (403, 422), answer.json
    assert (await house.truth("trades"))["t1"]["state"] == "confirmed"


async def test_past_out_of_sight_is_not_shown(server: Server, house: House) -> None:
    """What a record was in another branch, and what a side was not to see of a draft, stays there."""
    await house.run("UPDATE business_partners SET remarks = 'in Rajkot' WHERE id = 'p1'")
    await house.run("UPDATE business_partners SET branch_id = 'b2', remarks = 'moved' WHERE id = 'p1'")
    await house.employ("akola", "manager", branch_id="b2")
    akola = await at_desk(server, house, "akola")
    positions = [e["position"] for e in await house.events() if e["record_id"] == "p1"]

    events = (await akola.ask("GET", "/business_partners/p1/history")).json["events"]

    assert [event["position"] for event in events] == positions[-1:]
    assert all("from" not in change for change in events[0]["changes"].values())
    assert (await akola.ask("GET", f"/business_partners/p1?at={positions[-2]}")).status == 404
    assert (await akola.ask("POST", "/business_partners/p1/restore", {"position": positions[-2]})).status == 404
    assert not [seen for seen in akola.seen if "in Rajkot" in seen]


async def test_past_of_a_hidden_field_is_hidden(server: Server, house: House, clerk: Clerk) -> None:
    positions = await changed(clerk, house)
    await house.employ("grader", "grader", branch_id="b1")
    grader = await at_desk(server, house, "grader")

    events = (await grader.ask("GET", "/business_partners/p1/history")).json["events"]
    past = (await grader.ask("GET", f"/business_partners/p1?at={positions[-2]}")).json

    assert len(events) == len(positions)
    assert not any("credit_limit" in event["changes"] for event in events)
    assert "credit_limit" not in past
    assert not any("session" in event for event in events), "where others work is for auditors"


async def test_history_of_nothing_is_that_of_what_is_out_of_sight(server: Server, house: House) -> None:
    await house.employ("akola", "manager", branch_id="b2")
    akola = await at_desk(server, house, "akola")

    for path in ("/business_partners/{}/history", "/business_partners/{}?at=99999999999999"):
        answers = [await akola.ask("GET", path.format(id)) for id in ("p1", "p9")]
        assert [answer.status for answer in answers] == [404, 404]


async def test_deletion_is_in_the_history_of_whoever_saw_the_record(server: Server, house: House, clerk: Clerk) -> None:
    await house.employ("akola", "manager", branch_id="b2")
    akola = await at_desk(server, house, "akola")
    await house.run("DELETE FROM trades WHERE id = 't1'")

    newest = (await clerk.ask("GET", "/trades/t1/history")).json["events"][0]

    assert (newest["operation"], newest["changes"]) == ("deleted", {})
    assert (await akola.ask("GET", "/trades/t1/history")).status == 404
    assert (await clerk.ask("GET", "/trades/t1?at=9999999999999999")).status == 404


# --- The audit trail ----------------------------------------------------------------------------------------------------


async def test_audit_trail_is_the_log_by_user_table_record_and_time(clerk: Clerk, house: House) -> None:
    await changed(clerk, house)
    log = [e for e in await house.events() if e["entity"] != "no"]
    found, after = [], ""
    for _ in range(100):
        page = (await clerk.ask("GET", f"/audit?limit=10&after={after}")).json
        found += page["events"]
        if page["next"] is None:
            break
        after = page["next"]

    assert [e["position"] for e in found] == [e["position"] for e in log][::-1]
    by_user = (await clerk.ask("GET", "/audit?user=agent2")).json["events"]
    assert [(e["by"], e["id"]) for e in by_user] == [("agent2", "p1")]
    of_record = (await clerk.ask("GET", "/audit?table=business_partners&id=p1&limit=100")).json["events"]
    assert [e["position"] for e in of_record] == [e["position"] for e in log if e["record_id"] == "p1"][::-1]
    assert (await clerk.ask("GET", "/audit?until=2020-01-01T00:00:00Z")).json == {"events": [], "next": None}
    assert (await clerk.ask("GET", "/audit?since=2999-01-01T00:00:00Z")).json["events"] == []
    assert (await clerk.ask("GET", "/audit?colour=red")).status == 400


async def test_audit_trail_is_searched_in_bounded_steps(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "SCAN_MAX", 5)
    await changed(clerk, house)
    page = (await clerk.ask("GET", "/audit?table=branches")).json

    assert page["events"] == []
    assert page["next"] is not None


async def test_audit_trail_shows_only_what_one_may_read_and_audit(server: Server, house: House, clerk: Clerk) -> None:
    await changed(clerk, house)
    await house.employ("akola", "manager", branch_id="b2")
    await house.employ("trader", "trader", branch_id="b1")
    akola, trader = await at_desk(server, house, "akola"), await at_desk(server, house, "trader")

    seen = (await akola.ask("GET", "/audit?limit=100")).json["events"]

    assert "business_partners" not in {event["table"] for event in seen}
    assert (await trader.ask("GET", "/audit")).status == 403


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_past_without_the_labels_of_its_time_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories.Course, "labels_at", lambda self, _: [label for label, _, _ in self.labels])

    with pytest.raises(AssertionError):
        await test_past_out_of_sight_is_not_shown(server, house)


async def test_planted_past_without_the_mask_is_found(
    server: Server, house: House, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "hidden_fields", lambda *_: frozenset())

    with pytest.raises(AssertionError):
        await test_past_of_a_hidden_field_is_hidden(server, house, clerk)
