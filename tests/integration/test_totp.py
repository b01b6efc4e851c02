"""Second factors over HTTP and PostgreSQL: set up, asked for at both doors, good once, and nobody locked out."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest
import structlog

from erp_core.access import CODES
from sync_server.identity import totp
from sync_server.identity.totp import POWERFUL, RECOVERY_CODES, right_step
from tests.harness.coded import ASHA, PASSWORD, App, other, settle
from tests.harness.gateway import gateway_here
from tests.harness.servers import serve_here

Open = Callable[..., AbstractAsyncContextManager[App]]


@pytest.fixture
def open_app(database_url: str, tmp_path: Path) -> Open:
    """Open a server with a gateway over the two organisations; keywords are settings."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[App]:
        await settle(database_url)
        fixed = {"limit_codes": "none", "limit_login": "none", "require_totp": True}
        async with (
            gateway_here() as gateway,
            serve_here(database_url, tmp_path, sms_url=gateway.url, **{**fixed, **settings}) as server,
        ):
            yield App(server, gateway, database_url)

    return opened


@pytest.fixture
async def app(open_app: Open) -> AsyncIterator[App]:
    async with open_app() as opened:
        yield opened


class Authenticator:
    """An authenticator app that gives two codes: that of now and that of the next step, as if time had passed."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)
        self._step = int(time.time()) // 30 - 1

    def code(self) -> str:
        self._step += 1
        return self._totp.generate_otp(self._step)


async def token_of(app: App, username: str = "asha", code: str = "") -> str:
    status, grant = await app.password_login(username, code)
    assert status == 200, grant
    return str(grant["access_token"])


async def enrol(app: App, username: str = "asha") -> tuple[Authenticator, list[str], str]:
    """Set up a second factor; give the authenticator, the recovery codes, and the token of the session that did."""
    token = await token_of(app, username)
    status, made = await app.post("totp", {}, token)
    assert status == 200, made
    authenticator = Authenticator(made["secret"])
    status, confirmed = await app.post("totp/confirm", {"code": authenticator.code()}, token)
    assert status == 200, confirmed
    return authenticator, confirmed["recovery_codes"], token


async def session_list(app: App, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with app.server.session.get("/api/v1/auth/sessions", headers=headers) as answer:
        return answer.status


# --- Setting up -------------------------------------------------------------------------------------------------------


async def test_a_secret_is_in_force_once_a_code_of_it_was_shown(app: App) -> None:
    token = await token_of(app)
    _, made = await app.post("totp", {}, token)
    assert made["uri"].startswith(f"otpauth://totp/Cotton%20Sync:asha?secret={made['secret']}&issuer=Cotton%20Sync")
    assert (await app.password_login("asha"))[0] == 200  # not in force yet

    authenticator = Authenticator(made["secret"])
    code = authenticator.code()
    assert (await app.post("totp/confirm", {"code": other(code)}, token))[1]["code"] == "wrong_code"
    assert (await app.password_login("asha"))[0] == 200
    _, confirmed = await app.post("totp/confirm", {"code": code}, token)

    assert len(set(confirmed["recovery_codes"])) == RECOVERY_CODES
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", each) for each in confirmed["recovery_codes"])
    assert (await app.password_login("asha"))[1]["code"] == "second_factor_needed"
    assert (await app.password_login("asha", code))[1]["code"] == "wrong_code"  # it confirmed already
    assert (await app.password_login("asha", authenticator.code()))[0] == 200


async def test_a_second_attempt_to_set_up_voids_the_first_and_none_replaces_what_is_in_force(app: App) -> None:
    token = await token_of(app)
    first, second = [(await app.post("totp", {}, token))[1]["secret"] for _ in range(2)]

    assert (await app.post("totp/confirm", {"code": Authenticator(first).code()}, token))[0] == 403
    assert (await app.post("totp/confirm", {"code": Authenticator(second).code()}, token))[0] == 200
    assert (await app.post("totp", {}, token))[1]["code"] == "second_factor_exists"
    assert (await app.post("totp/confirm", {"code": Authenticator(second).code()}, token))[0] == 403


async def test_what_the_database_keeps_is_neither_secret_nor_recovery_code(app: App) -> None:
    token = await token_of(app)
    with structlog.testing.capture_logs() as lines:
        _, made = await app.post("totp", {}, token)
        _, confirmed = await app.post("totp/confirm", {"code": Authenticator(made["secret"]).code()}, token)

    [kept] = await app.sql("SELECT secret FROM totp")
    hashes = await app.sql("SELECT hash FROM recovery_code")
    assert made["secret"].encode() not in kept["secret"]
    recovery = confirmed["recovery_codes"]
    assert not any(code.replace("-", "").encode() in row["hash"] for code in recovery for row in hashes)
    assert not any(secret in str(lines) for secret in (made["secret"], *recovery))


async def test_a_stale_session_cannot_set_one_up(app: App) -> None:
    token = await token_of(app)
    await app.sql("UPDATE session SET created_at = created_at - interval '16 minutes'")

    assert (await app.post("totp", {}, token))[1]["code"] == "fresh_login_needed"


# --- Logging in -------------------------------------------------------------------------------------------------------


async def test_a_code_is_good_once(app: App) -> None:
    authenticator, _, _ = await enrol(app)
    code = authenticator.code()

    answers = await asyncio.gather(*(app.password_login("asha", code) for _ in range(5)))

    assert sorted(status for status, _ in answers).count(200) == 1
    assert (await app.password_login("asha", code))[1]["code"] == "wrong_code"


async def test_a_code_of_an_earlier_step_is_refused_after_a_later_one() -> None:
    secret = pyotp.random_base32()
    at = 1_800_000_000
    codes = {step: pyotp.TOTP(secret).generate_otp(at // 30 + step) for step in range(-3, 4)}

    taken = {step: right_step(secret, code, 0, at) for step, code in codes.items()}
    assert {step for step, found in taken.items() if found is not None} == {-1, 0, 1}
    assert right_step(secret, codes[0], at // 30, at) is None
    assert right_step(secret, codes[-1], at // 30, at) is None
    assert right_step(secret, codes[1], at // 30, at) == at // 30 + 1


async def test_a_recovery_code_is_good_once_however_it_is_typed(app: App) -> None:
    _, recovery, _ = await enrol(app)

    assert (await app.password_login("asha", recovery[0].lower().replace("-", " ")))[0] == 200
    assert (await app.password_login("asha", recovery[0]))[1]["code"] == "wrong_code"
    answers = await asyncio.gather(*(app.password_login("asha", recovery[1]) for _ in range(4)))
    assert [status for status, _ in answers].count(200) == 1


async def test_the_second_factor_says_nothing_before_the_password_is_right(app: App) -> None:
    authenticator, _, _ = await enrol(app)

    for code in ("", "000000", authenticator.code()):
        answer = await app.post("login", {"username": "asha", "password": "wrong", "code": code})
        assert answer[1]["code"] == "login_refused"


async def test_guesses_at_it_are_slowed_down(app: App) -> None:
    authenticator, _, _ = await enrol(app)
    answers = [await app.password_login("asha", "000000") for _ in range(12)]

    assert answers[0][1]["code"] == "wrong_code"
    assert answers[-1][0] == 429
    assert (await app.password_login("asha", authenticator.code()))[0] == 429


async def test_a_code_by_phone_does_not_get_past_it(app: App) -> None:
    authenticator, recovery, _ = await enrol(app)
    id, code = await app.code(ASHA)

    assert (await app.verify(id, code))[1]["code"] == "second_factor_needed"
    _, wrong = await app.verify(id, code, totp="000000")
    assert (wrong["code"], wrong["tries_left"]) == ("wrong_code", 4)
    assert (await app.verify(id, code, totp=authenticator.code()))[0] == 200
    app.device = "device-2"
    assert (await app.verify(*await app.code(ASHA), totp=recovery[0]))[0] == 200


async def test_recovery_codes_open_when_the_secret_of_the_server_is_lost(open_app: Open, tmp_path: Path) -> None:
    async with open_app() as app:
        authenticator, recovery, _ = await enrol(app)
        url = app.url
    (tmp_path / "keys" / "secret.key").unlink()
    async with gateway_here() as gateway, serve_here(url, tmp_path) as server:
        again = App(server, gateway, url)

        assert (await again.password_login("asha", authenticator.code()))[1]["code"] == "wrong_code"
        assert (await again.password_login("asha", recovery[0]))[0] == 200


# --- Who must have one ------------------------------------------------------------------------------------------------


async def test_a_manager_without_one_can_only_set_it_up(app: App) -> None:
    status, grant = await app.password_login("boss")
    assert (status, grant["must_enrol"]) == (200, True)
    token = grant["access_token"]

    for method, path in (
        ("GET", "auth/sessions"),
        ("GET", "sync"),
        ("POST", "sync"),
        ("GET", "sync/schema"),
        ("POST", "auth/phone"),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        async with app.server.session.request(method, f"/api/v1/{path}", headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "enrolment_needed")

    _, made = await app.post("totp", {}, token)
    authenticator = Authenticator(made["secret"])
    assert (await app.post("totp/confirm", {"code": authenticator.code()}, token))[0] == 200
    assert await session_list(app, token) == 200
    status, grant = await app.password_login("boss", authenticator.code())
    assert status == 200
    assert "must_enrol" not in grant


async def test_a_refreshed_session_must_still_enrol(app: App) -> None:
    _, grant = await app.password_login("boss")
    _, refreshed = await app.post("refresh", {"refresh_token": grant["refresh_token"]})

    assert await session_list(app, refreshed["access_token"]) == 403


async def test_an_agent_needs_none(app: App) -> None:
    assert await session_list(app, await token_of(app, "asha")) == 200


async def test_a_grant_that_is_over_needs_none(app: App) -> None:
    await app.sql("UPDATE grants SET valid_until = now() - interval '1 minute' WHERE id = 'g1'")

    assert await session_list(app, await token_of(app, "boss")) == 200


async def test_where_it_is_not_required_a_manager_needs_none(open_app: Open) -> None:
    async with open_app(require_totp=False) as app:
        assert await session_list(app, await token_of(app, "boss")) == 200


def test_what_makes_powerful_is_a_code() -> None:
    assert set(POWERFUL) <= CODES


# --- Taking it away ---------------------------------------------------------------------------------------------------


async def test_it_is_taken_away_for_password_and_code(app: App) -> None:
    authenticator, _, token = await enrol(app)

    code = authenticator.code()
    wrong = {"password": "wrong", "code": code}
    assert (await app.post("totp/disable", wrong, token))[1]["code"] == "password_refused"
    assert (await app.post("totp/disable", {"password": PASSWORD, "code": "000000"}, token))[1]["code"] == "wrong_code"
    right = {"password": PASSWORD, "code": code}
    assert (await app.post("totp/disable", right, token))[0] == 204
    assert (await app.password_login("asha"))[0] == 200
    assert await app.sql("SELECT FROM recovery_code") == []
    kinds = await app.sql("SELECT kind FROM security_event WHERE kind LIKE 'totp%' ORDER BY id")
    assert [row["kind"] for row in kinds] == ["totp_enrolled", "totp_disabled"]


async def test_an_administrator_helps_whoever_has_lost_everything(open_app: Open) -> None:
    async with open_app(require_totp=False) as app:
        await app.sql(
            "INSERT INTO grants (org_id, id, user_id, role_id) VALUES ('org.1', 'g2', 'boss', 'administrator')"
        )
        await enrol(app, "asha")
        theirs = await token_of(app, "ravi")
        boss = await token_of(app, "boss")

        async def take_away(token: str, user_id: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with app.server.session.delete(f"/api/v1/users/{user_id}/totp", headers=headers) as answer:
                return answer.status

        assert await take_away(theirs, "asha") == 403
        assert await take_away(boss, "ravi2") == 404  # of another organisation
        assert await take_away(boss, "asha") == 204
        assert await take_away(boss, "asha") == 404
        assert (await app.password_login("asha"))[0] == 200


async def test_two_who_confirm_at_once_get_one_set_of_recovery_codes(app: App) -> None:
    token = await token_of(app)
    _, made = await app.post("totp", {}, token)
    code = Authenticator(made["secret"]).code()

    answers = await asyncio.gather(*(app.post("totp/confirm", {"code": code}, token) for _ in range(5)))

    assert sorted(status for status, _ in answers) == [200, 403, 403, 403, 403]
    assert len(await app.sql("SELECT FROM recovery_code")) == totp.RECOVERY_CODES
