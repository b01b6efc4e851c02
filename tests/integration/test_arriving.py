"""The whole, checked: settled once, whoever is killed over it; and an inspection waits for what was declared of it."""

from __future__ import annotations

from typing import Any

import pytest

from sync_server.engine import arriving
from sync_server.engine.reclaiming import reclaim
from sync_server.store.blobs import StoreFailed
from sync_server.web.uploads import ARRIVALS
from tests.harness.attaching import Sender, declaration, declare, picture
from tests.harness.office import Clerk
from tests.harness.servers import Server
from tests.harness.world import House

PHOTO = picture()


@pytest.fixture
async def whole(clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """An upload that came whole to a process that was killed before it looked at it."""

    async def killed(_arrivals: Any, _org_id: str, _upload: Any) -> None:
        return None

    sender = await declare(clerk, PHOTO)
    with monkeypatch.context() as patch:
        patch.setattr(arriving.Arrivals, "finish", killed)
        assert (await sender.send()).status == 204
    assert (await sender.record())["state"] == "declared"
    return sender


async def test_what_a_killed_process_left_is_finished_by_the_keeper(
    whole: Sender, server: Server, house: House
) -> None:
    assert server.app is not None
    await reclaim(server.app[ARRIVALS])
    assert (await whole.record())["state"] == "declared", "it may be at it still"

    await house.run("UPDATE upload SET began_at = now() - interval '1 hour'")
    await reclaim(server.app[ARRIVALS])
    assert (await whole.record())["state"] == "verified"


async def test_part_without_a_byte_has_the_whole_looked_at(whole: Sender) -> None:
    assert (await whole.part(len(PHOTO), body=b"")).status == 204
    assert (await whole.record())["state"] == "verified"


async def test_store_that_fails_loses_nothing(
    clerk: Clerk, server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        raise StoreFailed

    assert server.app is not None
    sender = await declare(clerk, PHOTO)
    with monkeypatch.context() as patch:
        patch.setattr(arriving.Arrivals, "_put", full)
        answer = await sender.send()
    assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
    assert (await sender.record())["state"] == "received"

    await house.run("UPDATE upload SET claimed_at = now() - interval '1 hour'")
    await reclaim(server.app[ARRIVALS])
    assert (await sender.record())["state"] == "verified"


async def test_phones_hear_of_what_the_server_found(clerk: Clerk, house: House) -> None:
    sender = await declare(clerk, PHOTO)
    before = await house.clock()
    await sender.send()
    assert [event["op"] for event in await house.events(before)] == [b"u", b"u"]
    assert {event["actor"] for event in await house.events(before)} == {"server"}


# --- Evidence -----------------------------------------------------------------------------------------------------------


async def submitted(clerk: Clerk, house: House) -> Sender:
    """An inspection that was submitted, with one photo declared for it."""
    made = await clerk.ask("POST", "/quality-inspections".replace("-", "_"), {"id": "q1", "availability_id": "l1"})
    assert made.status == 201, made.json
    sender = await declare(clerk, PHOTO, inspection_id="q1")
    await house.run("UPDATE quality_inspections SET state = 'submitted', grade = 'A', inspected_at = now()")
    return sender


async def test_inspection_is_not_accepted_over_rest_before_its_photo_is_there(clerk: Clerk, house: House) -> None:
    sender = await submitted(clerk, house)
    refused = await clerk.ask("POST", "/quality_inspections/q1/accept", {})
    assert (refused.status, refused.reasons) == (422, ["evidence_missing"])
    patched = await clerk.ask("PATCH", "/quality_inspections/q1", {"state": "accepted"})
    assert (patched.status, patched.reasons) == (422, ["evidence_missing"])

    assert (await sender.send()).status == 204
    assert (await clerk.ask("POST", "/quality_inspections/q1/accept", {})).status == 200


async def test_inspection_is_not_accepted_by_a_push_before_its_photo_is_there(clerk: Clerk, house: House) -> None:
    sender = await submitted(clerk, house)
    actor = house.actor("agent1")
    accepted = {"quality_inspections": {"created": [], "updated": [{"id": "q1", "state": "accepted"}], "deleted": []}}
    await house.push(actor, await house.clock(), accepted)
    assert await house.one("SELECT state FROM quality_inspections") == "submitted"
    assert [issue["reason_code"] for issue in await house.issues() if issue["record_id"] == "q1"] == [
        "evidence_missing"
    ]

    assert (await sender.send()).status == 204
    await house.push(actor, await house.clock(), accepted)
    assert await house.one("SELECT state FROM quality_inspections") == "accepted"


async def test_photo_that_comes_with_the_acceptance_counts_too(clerk: Clerk, house: House) -> None:
    sender = await submitted(clerk, house)
    await sender.send()
    photo = {"id": "a2", **declaration(PHOTO, inspection_id="q1"), "kind": "photo"}
    both = {
        "quality_inspections": {"created": [], "updated": [{"id": "q1", "state": "accepted"}], "deleted": []},
        "attachments": {"created": [photo], "updated": [], "deleted": []},
    }
    await house.push(house.actor("agent1"), await house.clock(), both)
    assert await house.one("SELECT state FROM quality_inspections") == "submitted"


async def test_what_the_server_says_no_client_does(clerk: Clerk, house: House) -> None:
    """It is not heard; what was declared once is refused."""
    sender = await declare(clerk, PHOTO)
    assert (await clerk.ask("PATCH", "/attachments/a1", {"state": "verified"})).json["state"] == "declared"
    assert (await clerk.ask("PATCH", "/attachments/a1", {"sha256": "00" * 32})).reasons == ["set_once"]
    said = {"attachments": {"created": [], "updated": [{"id": "a1", "state": "verified"}], "deleted": []}}
    await house.push(house.actor("agent1"), await house.clock(), said)
    assert (await sender.record())["state"] == "declared"
