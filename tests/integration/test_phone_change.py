"""Moving to another number: only by whoever has just logged in and holds the new number; the old one hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.coded import ASHA, PASSWORD, RAVI, App, other, settle
from tests.harness.gateway import all_sent, gateway_here
from tests.harness.servers import serve_here

NEW = "+919825077777"


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[App]:
    await settle(database_url)
    async with gateway_here() as gateway, serve_here(database_url, tmp_path, sms_url=gateway.url) as server:
        yield App(server, gateway, database_url)


async def token_of(app: App, username: str = "asha") -> str:
    return str((await app.password_login(username))[1]["access_token"])


async def ask(app: App, token: str, number: str = NEW) -> str:
    status, asked = await app.post("phone", {"phone": number}, token)
    assert status == 202, asked
    await all_sent(app.server)
    return str(asked["request_id"])


async def verify(app: App, token: str, id: str, code: str) -> tuple[int, dict[str, Any]]:
    answer = await app.post("phone/verify", {"request_id": id, "code": code}, token)
    await all_sent(app.server)
    return answer


async def phone_of(app: App, user_id: str = "asha") -> str:
    [row] = await app.sql("SELECT phone FROM users WHERE id = $1", user_id)
    return str(row["phone"])


async def test_a_user_moves_to_the_number_that_got_the_code_and_the_old_one_hears_of_it(app: App) -> None:
    token = await token_of(app)
    id = await ask(app, token)
    assert await phone_of(app) == ASHA

    code = app.gateway.code_to(NEW)
    assert (await verify(app, token, id, other(code)))[1]["tries_left"] == 4
    assert (await verify(app, token, id, code))[0] == 204

    assert await phone_of(app) == NEW
    assert app.gateway.texts_to(ASHA) == [app.server.settings.sms_notice]
    [event] = await app.sql(
        "SELECT actor, new->>'phone' AS phone FROM event WHERE entity = 'users' AND op = 'u' AND record_id = 'asha'"
    )
    assert tuple(event) == ("asha", NEW)
    assert len(await app.sql("SELECT FROM security_event WHERE kind = 'phone_moved' AND user_id = 'asha'")) == 1
    assert (await app.log_in(NEW))["user_id"] == "asha"
    assert (await verify(app, token, id, code))[1]["code"] == "code_refused"


async def test_only_a_fresh_login_may_ask_for_it(app: App) -> None:
    _, grant = await app.password_login("asha")
    await app.sql("UPDATE session SET created_at = created_at - interval '16 minutes'")
    _, refreshed = await app.post("refresh", {"refresh_token": grant["refresh_token"]})

    for token in (grant["access_token"], refreshed["access_token"]):
        status, refusal = await app.post("phone", {"phone": NEW}, token)
        assert (status, refusal["code"]) == (403, "fresh_login_needed")
    assert app.gateway.asked == []


async def test_a_code_for_moving_is_good_for_nothing_else_and_for_nobody_else(app: App) -> None:
    """Not even on the same device."""
    body = {"username": "asha", "password": PASSWORD, "device": {"id": app.device}}
    token, theirs = (await app.post("login", body))[1]["access_token"], await token_of(app, "ravi")
    moving = await ask(app, token)
    code = app.gateway.code_to(NEW)
    login_id, login_code = await app.code(ASHA)

    assert (await app.verify(moving, code))[1]["code"] == "code_refused"
    assert (await verify(app, theirs, moving, code))[1]["code"] == "code_refused"
    assert (await verify(app, await token_of(app), moving, code))[1][
        "code"
    ] == "code_refused"  # another session of hers
    assert (await verify(app, token, login_id, login_code))[1]["code"] == "code_refused"
    assert (await verify(app, token, moving, code))[0] == 204


async def test_nobody_takes_a_colleagues_number(app: App) -> None:
    token = await token_of(app)
    id = await ask(app, token, RAVI)

    status, refusal = await verify(app, token, id, app.gateway.code_to(RAVI))
    assert (status, refusal["code"]) == (409, "phone_taken")
    assert await phone_of(app) == ASHA


async def test_a_number_of_another_organisation_may_be_had_in_this_one_too(app: App) -> None:
    await app.sql("UPDATE users SET phone = NULL WHERE id = 'ravi'")
    token = await token_of(app)
    id = await ask(app, token, RAVI)

    assert (await verify(app, token, id, app.gateway.code_to(RAVI)))[0] == 204
    assert await phone_of(app) == RAVI


async def test_moving_to_the_number_that_one_has_is_told_to_nobody(app: App) -> None:
    token = await token_of(app)
    id = await ask(app, token, ASHA)

    assert (await verify(app, token, id, app.gateway.code_to(ASHA)))[0] == 204
    assert app.server.settings.sms_notice not in app.gateway.texts_to(ASHA)


async def test_the_routes_need_a_login(app: App) -> None:
    for path in ("phone", "phone/verify", "totp", "totp/confirm", "totp/disable"):
        assert (await app.post(path, {}))[0] == 401
