"""Webhooks over HTTP: who may have whom told, what is shown of it, and what is written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from sync_server.identity import webhook_keeping
from sync_server.operate import webhooks as serving
from sync_server.operate.webhook_tasks import WEBHOOKS
from tests.harness.endpoints import Endpoint, endpoint_here
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import House

ROUTES = (
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/secret"),
    ("POST", "/ping"),
    ("POST", "/redeliver"),
    ("GET", "/deliveries"),
    ("POST", "/deliveries/x/redeliver"),
)


@pytest.fixture
async def server(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.02)
    async with serve_here(database_url, tmp_path, webhook_loopback=True) as serving_here:
        yield serving_here


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


async def make(clerk: Clerk, url: str, *events: str, **more: Any) -> dict[str, Any]:
    answer = await clerk.ask("POST", "/webhooks", {"url": url, "events": list(events or ("*",)), **more})
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json
    return made


async def taken_by(endpoint: Endpoint, number: int) -> None:
    async with asyncio.timeout(20):
        while len(endpoint.taken) < number:
            await asyncio.sleep(0.02)


async def settled(clerk: Clerk, id: str, state: str, number: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            answer = await clerk.ask("GET", f"/webhooks/{id}/deliveries?state={state}")
            if len(answer.json["deliveries"]) >= number:
                found: list[dict[str, Any]] = answer.json["deliveries"]
                return found
            await asyncio.sleep(0.02)


async def test_an_endpoint_hears_what_others_do_over_rest(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url, "business_partners.updated", name="Accounts")
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "two presses"})
    await taken_by(endpoint, 1)

    message = Verifier(made["secret"]).verify(endpoint.taken[0].body, endpoint.taken[0].headers)
    assert (message["type"], message["data"]["by"]) == ("business_partners.updated", "agent1")
    record = (await clerk.ask("GET", "/business_partners/p1")).json
    assert message["data"]["record"] == record
    (delivery,) = await settled(clerk, made["id"], "delivered")
    assert (delivery["id"], delivery["status"], delivery["attempts"]) == (endpoint.taken[0].id, 204, 1)


async def test_the_secret_is_shown_once(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    one, (listed,) = (
        await clerk.ask("GET", f"/webhooks/{made['id']}"),
        (await clerk.ask("GET", "/webhooks")).json["webhooks"],
    )
    assert one.json == listed == {name: value for name, value in made.items() if name != "secret"}

    changed = await clerk.ask("PATCH", f"/webhooks/{made['id']}", {"name": "x"})
    assert "secret" not in changed.json
    rows = await asyncio.to_thread(str, await _rows(clerk, "SELECT * FROM webhook"))
    assert made["secret"] not in rows
    assert made["secret"].removeprefix("whsec_") not in rows


async def _rows(clerk: Clerk, statement: str) -> list[Any]:
    from sync_server.web import keys

    assert clerk.server.app is not None
    async with clerk.server.app[keys.DATABASE].acquire_everywhere() as connection:
        return [dict(row) for row in await connection.fetch(statement)]


async def test_a_rotated_secret_signs_beside_the_one_before(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    rotated = (await clerk.ask("POST", f"/webhooks/{made['id']}/secret")).json
    assert rotated["secret"] != made["secret"]
    assert rotated["secret_before_until"] > rotated["changed_at"]
    await clerk.ask("POST", f"/webhooks/{made['id']}/ping")
    await taken_by(endpoint, 1)

    for secret in (made["secret"], rotated["secret"]):
        assert Verifier(secret).verify(endpoint.taken[0].body, endpoint.taken[0].headers)["type"] == "webhook.ping"
    third = (await clerk.ask("POST", f"/webhooks/{made['id']}/secret")).json
    await clerk.ask("POST", f"/webhooks/{made['id']}/ping")
    await taken_by(endpoint, 2)
    signatures = endpoint.taken[1].headers["webhook-signature"].split(" ")
    assert len(signatures) == 2
    assert third["secret"] not in (made["secret"], rotated["secret"])


async def test_a_ping_is_tried_once(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    endpoint.status = 500
    queued = await clerk.ask("POST", f"/webhooks/{made['id']}/ping")
    assert (queued.status, queued.json["type"], queued.json["state"]) == (202, "webhook.ping", "pending")

    (dead,) = await settled(clerk, made["id"], "dead")
    assert (dead["id"], dead["status"], dead["error"]) == (queued.json["id"], 500, "refused")
    assert len(endpoint.taken) == 1


async def test_what_is_dead_is_sent_again_under_its_id(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    endpoint.answers = [500]
    queued = (await clerk.ask("POST", f"/webhooks/{made['id']}/ping")).json
    await settled(clerk, made["id"], "dead")

    again = await clerk.ask("POST", f"/webhooks/{made['id']}/deliveries/{queued['id']}/redeliver")
    assert (again.status, again.json) == (202, {"queued": 1})
    await settled(clerk, made["id"], "delivered")
    assert [taken.id for taken in endpoint.taken] == [queued["id"]] * 2
    assert (await clerk.ask("POST", f"/webhooks/{made['id']}/redeliver")).json == {"queued": 0}
    assert (await clerk.ask("POST", f"/webhooks/{made['id']}/deliveries/nothing/redeliver")).status == 404


async def test_a_paused_webhook_goes_on_where_it_stopped_or_from_now(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url, "business_partners.updated")
    path = f"/webhooks/{made['id']}"
    paused = await clerk.ask("PATCH", path, {"state": "paused"})
    assert (paused.json["state"], paused.json["reason"]) == ("paused", "person")
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "while paused"})
    await asyncio.sleep(0.2)
    assert endpoint.taken == []

    await clerk.ask("PATCH", path, {"state": "active"})
    await taken_by(endpoint, 1)
    await clerk.ask("PATCH", path, {"state": "paused"})
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "missed"})
    await clerk.ask("PATCH", path, {"state": "active", "skip_missed": True})
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "after"})
    await taken_by(endpoint, 2)

    assert [taken.data["changes"]["remarks"]["to"] for taken in endpoint.taken] == ["while paused", "after"]


async def test_a_removed_webhook_hears_nothing_and_its_log_is_gone(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    assert (await clerk.ask("DELETE", f"/webhooks/{made['id']}")).status == 204
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "x"})
    await asyncio.sleep(0.2)

    assert endpoint.taken == []
    for method, path in ROUTES:
        body: Any = {} if method == "PATCH" else None
        assert (await clerk.ask(method, f"/webhooks/{made['id']}{path}", body)).status == 404, path


# --- Who may --------------------------------------------------------------------------------------------------------------


async def test_nobody_has_the_messages_of_who_may_do_more_sent_elsewhere(
    server: Server, house: House, clerk: Clerk, endpoint: Endpoint
) -> None:
    """What is sent is what the owner sees: to turn it elsewhere is to see it."""
    await house.fetch(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'setter', 'Sets', '{setting.update}')"
    )
    await house.employ("setter", "setter")
    setter = await at_desk(server, house, "setter")
    made = await make(clerk, endpoint.url)
    path = f"/webhooks/{made['id']}"

    for method, below in ROUTES:
        if method != "GET":
            refused = await setter.ask(method, path + below, {"url": endpoint.url} if method == "PATCH" else None)
            assert (refused.status, refused.json["code"]) == (404, "not_found"), below
    assert (await setter.ask("PATCH", path, {"take_over": True})).status == 404
    own = await make(setter, endpoint.url, "trades.*")
    taken_over = await clerk.ask("PATCH", f"/webhooks/{own['id']}", {"take_over": True})
    assert (taken_over.status, taken_over.json["owner_id"]) == (200, "agent1")
    assert (await setter.ask("PATCH", f"/webhooks/{own['id']}", {"name": "mine"})).status == 404


async def test_another_organisation_has_webhooks_of_its_own(
    server: Server, house: House, clerk: Clerk, endpoint: Endpoint, tmp_path: Path
) -> None:
    other = await House.settle(house.database, tmp_path, "org_b")
    stranger = await at_desk(server, other, "agent1", "desk-b")
    made = await make(clerk, endpoint.url)

    assert (await stranger.ask("GET", "/webhooks")).json == {"webhooks": []}
    for method, below in ROUTES:
        answer = await stranger.ask(method, f"/webhooks/{made['id']}{below}", {} if method == "PATCH" else None)
        assert answer.status == 404, below


async def test_an_old_login_cannot_have_anything_sent_anywhere(house: House, clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url)
    await house.run("UPDATE session SET created_at = now() - interval '1 day'")

    asked = {"url": endpoint.url, "events": ["*"]}
    answers = [
        await clerk.ask("POST", "/webhooks", asked),
        await clerk.ask("PATCH", f"/webhooks/{made['id']}", {"url": endpoint.url}),
        await clerk.ask("POST", f"/webhooks/{made['id']}/secret"),
    ]
    assert [answer.json["code"] for answer in answers] == ["fresh_login_needed"] * 3
    assert (await clerk.ask("PATCH", f"/webhooks/{made['id']}", {"state": "paused"})).status == 200


async def test_an_organisation_has_only_so_many(
    clerk: Clerk, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_keeping, "PER_ORGANISATION_MAX", 1)
    await make(clerk, endpoint.url)
    answer = await clerk.ask("POST", "/webhooks", {"url": endpoint.url, "events": ["*"]})
    assert (answer.status, answer.json["code"]) == (422, "invalid_value")


# --- Shapes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"events": ["*"]}, "missing_field", "/url"),
        ({"url": "https://example.com"}, "missing_field", "/events"),
        ({"url": 7, "events": ["*"]}, "wrong_type", "/url"),
        ({"url": "https://10.0.0.1/", "events": ["*"]}, "invalid_value", "/url"),
        ({"url": "http://example.com/", "events": ["*"]}, "invalid_value", "/url"),
        ({"url": "https://example.com/", "events": []}, "invalid_value", "/events"),
        ({"url": "https://example.com/", "events": ["nothing.at_all"]}, "invalid_value", "/events"),
        ({"url": "https://example.com/", "events": "*"}, "wrong_type", "/events"),
        ({"url": "https://example.com/", "events": ["*"], "scopes": ["everything"]}, "invalid_value", "/scopes"),
        ({"url": "https://example.com/", "events": ["*"], "owner_id": "agent2"}, "unknown_member", "/owner_id"),
        ([], "wrong_type", ""),
    ],
)
async def test_a_body_of_the_wrong_shape_is_pointed_at(clerk: Clerk, body: Any, code: str, pointer: str) -> None:
    answer = await clerk.ask("POST", "/webhooks", body)
    assert (answer.status, answer.json["code"], answer.json.get("pointer", "")) == (422, code, pointer)


@pytest.mark.parametrize("query", ["state=odd", "limit=0", "limit=101", "after=x", "colour=red"])
async def test_a_page_that_cannot_be_is_refused(clerk: Clerk, endpoint: Endpoint, query: str) -> None:
    made = await make(clerk, endpoint.url)
    answer = await clerk.ask("GET", f"/webhooks/{made['id']}/deliveries?{query}")
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


async def test_the_delivery_log_has_pages_and_names_no_record(clerk: Clerk, endpoint: Endpoint) -> None:
    made = await make(clerk, endpoint.url, "business_partners.updated")
    for n in range(5):
        await clerk.ask("PATCH", "/business_partners/p1", {"remarks": f"n{n}"})
    await settled(clerk, made["id"], "delivered", 5)

    seen, after = [], ""
    while True:
        page = (await clerk.ask("GET", f"/webhooks/{made['id']}/deliveries?limit=2&after={after}")).json
        seen += page["deliveries"]
        assert "p1" not in [value for one in page["deliveries"] for value in one.values()]
        if page["next"] is None:
            break
        after = page["next"]
    assert [one["id"] for one in seen] == [taken.id for taken in reversed(endpoint.taken)]


# --- What is written down ---------------------------------------------------------------------------------------------------


async def test_who_changed_what_is_written_down_without_url_or_secret(
    house: House, clerk: Clerk, endpoint: Endpoint
) -> None:
    made = await make(clerk, f"{endpoint.url}?key=canary")
    await clerk.ask("PATCH", f"/webhooks/{made['id']}", {"url": endpoint.url, "state": "paused"})
    await clerk.ask("POST", f"/webhooks/{made['id']}/secret")
    await clerk.ask("DELETE", f"/webhooks/{made['id']}")

    rows = await house.fetch("SELECT kind, user_id, detail FROM security_event WHERE kind LIKE 'webhook%' ORDER BY id")
    kinds = ["webhook_made", "webhook_changed", "webhook_secret_rotated", "webhook_removed"]
    assert [(row["kind"], row["user_id"]) for row in rows] == [(kind, "agent1") for kind in kinds]
    assert rows[1]["detail"] == f"{made['id']} state url"
    assert "canary" not in json.dumps([dict(row) for row in rows])
    assert "http" not in json.dumps([dict(row) for row in rows])


async def test_a_process_that_may_not_go_out_sends_nothing(database_url: str, tmp_path: Path) -> None:
    async with serve_here(database_url, tmp_path, webhooks=False) as silent:
        assert silent.app is not None
        assert WEBHOOKS not in silent.app
