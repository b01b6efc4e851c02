"""How one wants to be told, over HTTP: for oneself, and for the device of one's session."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.office import Clerk
from tests.harness.servers import PASSWORD, Server

FIRST = {
    "email": "at_once",
    "push": True,
    "quiet_from": "21:00",
    "quiet_until": "07:00",
    "daily_at": "08:00",
    "zone": "Asia/Kolkata",
    "muted": [],
}


async def test_one_says_how_one_wants_to_be_told(clerk: Clerk) -> None:
    assert (await clerk.ask("GET", "/me/notices")).json == FIRST

    wanted = {"email": "daily", "daily_at": "18:30", "zone": "Asia/Dubai", "muted": ["dispatch.late"]}
    said = await clerk.ask("PUT", "/me/notices", wanted)

    assert (said.status, said.json) == (200, {**FIRST, **wanted})
    assert (await clerk.ask("GET", "/me/notices")).json == {**FIRST, **wanted}
    assert (await clerk.ask("PUT", "/me/notices", {})).json == FIRST


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"email": "hourly"}, "invalid_value", "/email"),
        ({"push": "yes"}, "wrong_type", "/push"),
        ({"quiet_from": "24:00"}, "invalid_value", "/quiet_from"),
        ({"daily_at": 480}, "invalid_value", "/daily_at"),
        ({"zone": "Gondal"}, "invalid_value", "/zone"),
        ({"muted": ["rain"]}, "invalid_value", "/muted"),
        ({"muted": "rain"}, "wrong_type", "/muted"),
        ({"sms": True}, "unknown_member", "/sms"),
        ([], "wrong_type", ""),
    ],
)
async def test_wrong_wishes_say_what_is_wrong_and_change_nothing(
    clerk: Clerk, body: Any, code: str, pointer: str
) -> None:
    answer = await clerk.ask("PUT", "/me/notices", body)
    assert (answer.json["code"], answer.json["pointer"]) == (code, pointer)
    assert (await clerk.ask("GET", "/me/notices")).json == FIRST


async def test_a_phone_says_where_it_is_reached_and_takes_it_back(demo_server: Server) -> None:
    asked = {"username": "agent1", "password": PASSWORD, "device": {"id": "phone-of-agent1", "platform": "android"}}
    async with demo_server.session.post("/api/v1/auth/login", json=asked) as answer:
        token = (await answer.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    async def put(body: Any) -> tuple[int, Any]:
        async with demo_server.session.put("/api/v1/me/push-address", json=body, headers=headers) as answer:
            return answer.status, None if answer.status == 204 else await answer.json()

    async def phones() -> Any:
        async with demo_server.session.get("/api/v1/privacy/export", headers=headers) as answer:
            return [(one["device_id"], one["service"]) for one in (await answer.json())["phones"]]

    assert (await put({"service": "expo", "token": "ExponentPushToken[x]"}))[0] == 204
    assert await phones() == [("phone-of-agent1", "expo")]
    assert (await put({"service": "fcm", "token": "another"}))[0] == 204
    assert await phones() == [("phone-of-agent1", "fcm")]
    for wrong in (
        {"service": "pigeon", "token": "x"},
        {"service": "apns", "token": "../../x"},
        {"service": "fcm", "token": ""},
    ):
        assert (await put(wrong))[1]["code"] == "invalid_value"
    async with demo_server.session.delete("/api/v1/me/push-address", headers=headers) as answer:
        assert answer.status == 204
    assert await phones() == []


async def test_a_page_in_the_office_has_no_phone(clerk: Clerk) -> None:
    refused = await clerk.ask("PUT", "/me/push-address", {"service": "expo", "token": "x"})
    assert (refused.status, refused.json["code"]) == (409, "device_state")
