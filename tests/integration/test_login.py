"""Login and refresh against real PostgreSQL: who gets in, who does not, and what a refusal tells."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher

from sync_server.identity import passwords
from sync_server.identity.login import log_in
from sync_server.identity.opaque import OpaqueToken
from sync_server.identity.passwords import Overloaded, check_password, hash_password, is_outdated
from sync_server.identity.people import add_user
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.servers import Server

PASSWORD = "correct horse battery"
Answer = tuple[int, dict[str, Any]]


@pytest.fixture
async def people(database: Database) -> Database:
    """Two organisations with a user each, and one who has left."""
    async with database.acquire_everywhere() as connection:
        for org_id, user_id, username in (("org.1", "u1", "Asha"), ("org.2", "u1", "ravi"), ("org.1", "u2", "gone")):
            await add_user(
                connection,
                org_id=org_id,
                user_id=user_id,
                username=username,
                name=username,
                password=PASSWORD,
            )
        await connection.execute("UPDATE users SET is_active = false WHERE username = 'gone'")
    return database


async def post(server: Server, path: str, body: Any) -> Answer:
    async with server.session.post(f"/api/v1/auth/{path}", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def login(server: Server, username: str, password: str = PASSWORD) -> Answer:
    return await post(server, "login", {"username": username, "password": password})


async def refresh(server: Server, token: str) -> Answer:
    return await post(server, "refresh", {"refresh_token": token})


# --- Login ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["asha", "Asha", " ASHA ", "Ａｓｈａ"])
async def test_a_person_gets_in_however_the_name_is_typed(people: Database, server: Server, typed: str) -> None:
    status, grant = await login(server, typed)

    assert status == 200
    assert grant.keys() == {
        *("access_token", "refresh_token", "token_type", "expires_in"),
        *("org_id", "user_id", "session_id", "device_id", "device_token"),
    }
    assert (grant["org_id"], grant["user_id"]) == ("org.1", "u1")
    assert grant["token_type"] == "Bearer"
    assert grant["expires_in"] == server.settings.access_token_seconds


async def test_the_token_of_a_login_opens_what_needs_one(people: Database, server: Server) -> None:
    headers = await server.bearer("asha", PASSWORD)

    async with server.session.get("/api/v1/sync/schema") as refused:
        assert refused.status == 401
    async with server.session.get("/api/v1/sync/schema", headers=headers) as answer:
        assert answer.status == 200


async def test_options_that_is_no_preflight_is_verified_like_any_request(people: Database, server: Server) -> None:
    _, grant = await login(server, "asha")
    statuses = []
    for token in (grant["access_token"], "nobody's"):
        headers = {"Authorization": f"Bearer {token}"}
        async with server.session.options("/api/v1/auth/password", headers=headers) as answer:
            statuses.append(answer.status)

    assert statuses == [405, 401]


@pytest.mark.parametrize(
    ("username", "password"),
    [("asha", "wrong"), ("asha", ""), ("nobody", PASSWORD), ("gone", PASSWORD), ("", ""), ("asha", PASSWORD + "\n")],
)
async def test_every_refusal_is_the_same(people: Database, server: Server, username: str, password: str) -> None:
    status, problem = await login(server, username, password)

    assert status == 401
    del problem["correlation_id"]
    assert problem == {
        "type": "urn:cotton-sync:problem:login_refused",
        "title": "The login is refused",
        "status": 401,
        "detail": "Username and password do not match an active user; try again.",
        "code": "login_refused",
    }


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    people: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are checked against a hash of the same parameters; the time itself is compared in medians, with much room."""
    checked: list[str] = []
    real = passwords._matches

    def watching(stored: str, password: str) -> bool:
        checked.append(stored)
        return real(stored, password)

    monkeypatch.setattr(passwords, "_matches", watching)
    times: dict[str, list[float]] = {"asha": [], "nobody": []}
    for _ in range(10):
        async with people.acquire_everywhere() as connection:
            await connection.execute("DELETE FROM login_guess")  # or the delays of guesses would be compared
        for username, taken in times.items():
            began = time.perf_counter()
            assert (await login(server, username, "wrong"))[0] == 401
            taken.append(time.perf_counter() - began)

    assert len(checked) == 20
    assert len({stored.split("$")[3] for stored in checked}) == 1
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2


async def test_a_person_without_a_password_cannot_log_in(people: Database, server: Server) -> None:
    async with people.acquire_everywhere() as connection:
        await connection.execute("UPDATE credential SET password_hash = NULL")

    assert (await login(server, "asha"))[0] == 401
    assert (await login(server, "asha", ""))[0] == 401


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ([], "wrong_type", ""),
        ({"username": "asha"}, "missing_field", "/password"),
        ({"username": 7, "password": "x"}, "wrong_type", "/username"),
        ({"username": "asha", "password": None}, "wrong_type", "/password"),
        ({"username": "asha", "password": "x" * 1001}, "invalid_value", "/password"),
        ({"username": "a\0", "password": "x"}, "unsafe_text", "/username"),
    ],
)
async def test_a_login_of_the_wrong_shape_is_pointed_at(
    people: Database, server: Server, body: Any, code: str, pointer: str
) -> None:
    status, problem = await post(server, "login", body)

    assert 400 <= status < 500
    assert (problem["code"], problem["pointer"]) == (code, pointer)


async def test_a_name_belongs_to_one_person_over_all_organisations(people: Database) -> None:
    async with people.acquire_everywhere() as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await add_user(
                connection,
                org_id="org.2",
                user_id="u9",
                username="ASHA",
                name="Another",
                password=PASSWORD,
            )
        assert await connection.fetchval("SELECT count(*) FROM users WHERE id = 'u9'") == 0


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_login(people: Database, server: Server) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    async with people.acquire_everywhere() as connection:
        await connection.execute(
            "UPDATE credential SET password_hash = $1 WHERE user_id = 'u1' AND org_id = 'org.1'", older
        )

    assert (await login(server, "asha", "wrong"))[0] == 401
    assert (await login(server, "asha"))[0] == 200

    async with people.acquire_everywhere() as connection:
        newer = await connection.fetchval(
            "SELECT password_hash FROM credential WHERE user_id = 'u1' AND org_id = 'org.1'"
        )
    assert is_outdated(older)
    assert not is_outdated(newer)
    assert (await login(server, "asha"))[0] == 200


# --- Passwords --------------------------------------------------------------------------------------------------------


async def test_nobody_has_a_hash_of_todays_parameters_that_nothing_matches() -> None:
    assert not is_outdated(passwords._NOBODY)
    assert not await check_password(None, "")
    assert not await check_password(None, "secret")


async def test_a_very_long_password_matches_nothing() -> None:
    stored = await hash_password("x" * passwords.PASSWORD_MAX)

    assert await check_password(stored, "x" * passwords.PASSWORD_MAX)
    assert not await check_password(stored, "x" * (passwords.PASSWORD_MAX + 1))


async def test_a_stored_hash_that_is_none_matches_nothing() -> None:
    assert not await check_password("plain text", "plain text")


async def test_more_logins_than_can_wait_are_told_to_come_back() -> None:
    most = passwords.THREADS + passwords.WAITING_MAX

    outcomes = await asyncio.gather(*(check_password(None, "x") for _ in range(most + 5)), return_exceptions=True)

    assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) == 5
    assert not await check_password(None, "x")


async def test_the_event_loop_runs_on_while_passwords_are_checked() -> None:
    longest = 0.0
    checks = asyncio.gather(*(check_password(None, "x") for _ in range(8)))
    while not checks.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began)

    assert longest < 0.5
    await checks


# --- Refresh ----------------------------------------------------------------------------------------------------------


async def test_a_refresh_token_gives_the_next_pair(people: Database, server: Server) -> None:
    first = (await login(server, "asha"))[1]

    status, second = await refresh(server, first["refresh_token"])

    assert status == 200
    assert second.keys() == first.keys() - {"device_token"}
    assert second["refresh_token"] != first["refresh_token"]
    assert second["session_id"] == first["session_id"]
    assert (await refresh(server, second["refresh_token"]))[0] == 200
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    async with server.session.get("/api/v1/sync/schema", headers=headers) as answer:
        assert answer.status == 200


async def test_a_refresh_token_that_is_shown_again_ends_the_session_of_whoever_has_it(
    people: Database, server: Server
) -> None:
    first = (await login(server, "asha"))[1]["refresh_token"]
    second = (await refresh(server, first))[1]["refresh_token"]
    third = (await refresh(server, second))[1]["refresh_token"]

    assert (await refresh(server, first))[0] == 401

    assert (await refresh(server, third))[0] == 401
    async with people.acquire_everywhere() as connection:
        (event,) = await connection.fetch("SELECT * FROM security_event WHERE kind = 'refresh_reused'")
        assert await connection.fetchval("SELECT ended_by FROM session") == "reuse"
    assert (event["org_id"], event["user_id"], event["address"]) == ("org.1", "u1", "127.0.0.1")
    assert event["detail"] == "generation 1 of 3"


async def test_of_many_refreshes_at_once_all_get_one_successor(people: Database, server: Server) -> None:
    """The phone may have sent it again and again: what must not be is two lines of descent."""
    token = (await login(server, "asha"))[1]["refresh_token"]

    answers = await asyncio.gather(*(refresh(server, token) for _ in range(100)))

    assert {status for status, _ in answers} == {200}
    (successor,) = {grant["refresh_token"] for _, grant in answers}
    async with people.acquire_everywhere() as connection:
        assert await connection.fetchval("SELECT max(generation) FROM refresh_token") == 2
    assert (await refresh(server, successor))[0] == 200


async def test_only_a_digest_of_a_refresh_token_is_stored(people: Database, server: Server) -> None:
    token = OpaqueToken.read((await login(server, "asha"))[1]["refresh_token"])

    assert token is not None
    async with people.acquire_everywhere() as connection:
        (row,) = await connection.fetch("SELECT * FROM refresh_token")
        (session,) = await connection.fetch("SELECT * FROM session")
    assert row["hash"] == token.digest()
    assert token.secret not in repr(dict(row)) + repr(dict(session))
    assert (session["org_id"], session["id"], session["user_id"]) == ("org.1", token.id, "u1")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE session SET revoked_at = now()",
        "UPDATE session SET expires_at = now() - interval '1 second'",
        "UPDATE users SET is_active = false",
        "DELETE FROM session",
        "DELETE FROM users",
    ],
)
async def test_a_session_that_has_ended_is_not_refreshed(people: Database, server: Server, change: str) -> None:
    token = (await login(server, "asha"))[1]["refresh_token"]
    async with people.acquire_everywhere() as connection:
        await connection.execute(change)

    status, problem = await refresh(server, token)

    assert (status, problem["code"]) == (401, "refresh_refused")


async def test_a_session_ends_after_its_whole_life_however_often_it_is_refreshed(
    people: Database, server: Server
) -> None:
    token = (await login(server, "asha"))[1]["refresh_token"]
    async with people.acquire_everywhere() as connection:
        await connection.execute("UPDATE session SET created_at = now() - interval '80 days'")

    assert (await refresh(server, token))[0] == 200

    async with people.acquire_everywhere() as connection:
        assert await connection.fetchval("SELECT expires_at = created_at + interval '90 days' FROM session")


async def test_a_refresh_token_of_another_organisation_or_session_is_refused(people: Database, server: Server) -> None:
    mine = OpaqueToken.read((await login(server, "asha"))[1]["refresh_token"])
    theirs = OpaqueToken.read((await login(server, "ravi"))[1]["refresh_token"])
    assert mine is not None
    assert theirs is not None

    for forged in (
        OpaqueToken(theirs.org_id, theirs.id, mine.secret),
        OpaqueToken(theirs.org_id, mine.id, mine.secret),
        OpaqueToken(mine.org_id, theirs.id, mine.secret),
        OpaqueToken.make(mine.org_id, mine.id),
    ):
        assert (await refresh(server, str(forged)))[0] == 401
    assert (await refresh(server, str(mine)))[0] == 200


async def test_an_access_token_does_not_refresh_and_a_refresh_token_opens_nothing(
    people: Database, server: Server
) -> None:
    grant = (await login(server, "asha"))[1]

    assert (await refresh(server, grant["access_token"]))[0] == 401
    headers = {"Authorization": f"Bearer {grant['refresh_token']}"}
    async with server.session.get("/api/v1/sync/schema", headers=headers) as answer:
        assert answer.status == 401


async def test_a_user_who_left_during_the_password_check_gets_no_session(
    people: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_check(_stored: str | None, _password: str) -> bool:
        async with people.acquire_everywhere() as connection:
            await connection.execute("UPDATE users SET is_active = false WHERE username = 'asha'")
        return True

    assert server.app is not None
    monkeypatch.setattr("sync_server.identity.login.check_password", slow_check)

    grant = await log_in(people, server.app[keys.TOKENS], username="asha", password=PASSWORD, refresh_days=30)

    assert grant is None
