"""What one agrees to and takes back counts at once: where one is, and being told outside of the app.

Planted at the end: a place that is noted all the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from erp_core.catalogue import SCHEMA_VERSION
from sync_server.engine import holding
from sync_server.engine.notices import follow
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

VISIT = {"id": "v1", "branch_id": "b1", "agent_id": "agent1", "partner_id": "p1", "latitude": 21.5, "longitude": 71.5}


async def say(clerk: Clerk, purpose: str, given: bool, **more: Any) -> Any:
    answer = await clerk.ask("PUT", f"/me/consents/{purpose}", {"given": given, **more})
    assert answer.status == 200, answer
    return answer.json


async def place(house: House, id: str) -> tuple[object, object]:
    [row] = await house.fetch("SELECT latitude, longitude FROM visits WHERE id = $1", id)
    return (row["latitude"], row["longitude"])


async def test_one_is_asked_in_ones_language_and_what_one_said_is_kept(clerk: Clerk, house: House) -> None:
    await house.run("UPDATE users SET language = 'hi' WHERE id = 'agent1'")
    first = (await clerk.ask("GET", "/me/consents")).json
    assert [(one["purpose"], one["given"]) for one in first["purposes"]] == [("location", None), ("messages", None)]
    assert "फ़ोटो" in first["purposes"][0]["words"]

    await say(clerk, "location", True, version=1)
    said = await say(clerk, "location", False)

    assert [one["given"] for one in said["purposes"]] == [False, None]
    assert [(one["purpose"], one["given"]) for one in said["history"]] == [("location", False), ("location", True)]


async def test_where_one_is_is_not_noted_of_who_took_it_back(clerk: Clerk, server: Server, house: House) -> None:
    other = await at_desk(server, house, "agent2")
    await say(clerk, "location", False)
    assert (await clerk.ask("POST", "/visits", VISIT)).status == 201
    assert (await other.ask("POST", "/visits", {**VISIT, "id": "v2"})).status == 201
    assert (await place(house, "v1"), None in await place(house, "v2")) == ((None, None), False)
    assert await house.one("SELECT count(*) FROM event WHERE record_id = 'v1' AND new::text LIKE '%71.5%'") == 0

    await say(clerk, "location", True, version=1)
    await clerk.ask("POST", "/visits", {**VISIT, "id": "v3"})
    assert None not in await place(house, "v3")


async def test_a_phone_that_notes_it_all_the_same_is_corrected(clerk: Clerk, house: House) -> None:
    await say(clerk, "location", False)
    device = house.device("agent1")
    device.version = SCHEMA_VERSION
    await device.sync()
    device.create("visits", {name: value for name, value in VISIT.items() if name != "id"}, id="v9")
    await device.sync()
    await device.sync()
    assert await place(house, "v9") == (None, None)
    assert device.rows("visits")["v9"]["latitude"] in (None, "")


async def test_who_does_not_want_messages_gets_none(clerk: Clerk, server: Server, house: House) -> None:
    await house.run("UPDATE users SET email = id || '@example.com'")
    await follow(house.database, house.standings, "org_a")
    await say(await at_desk(server, house, "agent4"), "messages", False)
    await house.run(
        "DELETE FROM notice_message; SET cotton.actor = 'agent1';"
        "INSERT INTO trades (org_id, id, number, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy,"
        " trade_date) VALUES ('org_a', 't7', 'RJK/7', 'b1', 'p2', 'p1', 'lint', 5, 62000, '2026-11-20')"
    )
    await follow(house.database, house.standings, "org_a")
    told = {row["user_id"] for row in await house.fetch("SELECT user_id FROM notice_message")}
    assert "agent2" in told
    assert "agent4" not in told


@pytest.mark.parametrize(
    ("purpose", "body", "code"),
    [
        ("rain", {"given": True, "version": 1}, "not_found"),
        ("location", {"given": True}, "invalid_value"),
        ("location", {"given": True, "version": 99}, "invalid_value"),
        ("location", {"given": "yes"}, "wrong_type"),
        ("location", {"given": False, "for": "ever"}, "unknown_member"),
        ("location", [], "wrong_type"),
    ],
)
async def test_a_consent_that_cannot_count_is_refused(clerk: Clerk, purpose: str, body: Any, code: str) -> None:
    answer = await clerk.ask("PUT", f"/me/consents/{purpose}", body)
    assert answer.json["code"] == code
    assert (await clerk.ask("GET", "/me/consents")).json["history"] == []


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_a_place_that_is_noted_all_the_same_is_caught(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "WHERE", {})
    await say(clerk, "location", False)
    await clerk.ask("POST", "/visits", VISIT)
    assert await place(house, "v1") != (None, None)
