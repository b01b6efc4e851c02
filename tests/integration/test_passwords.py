"""Passwords: changed by who knows the old one, reset by who was given a token, and nobody of before stays in."""

from __future__ import annotations

import asyncio

import pytest

from sync_server.identity import changing, passwords
from sync_server.identity.guesses import FREE
from sync_server.identity.opaque import OpaqueToken
from sync_server.store.database import Database
from tests.harness.people import PASSWORD, Answer, Client, logged_in, settle
from tests.harness.servers import Server

NEW = "monsoon over Rajkot"


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


async def change(client: Client, old: str = PASSWORD, new: str = NEW) -> Answer:
    return await client.ask("POST", "/auth/password", {"old_password": old, "new_password": new})


async def reset(server: Server, token: str, password: str = NEW) -> Answer:
    return await Client(server, "").ask("POST", "/auth/password/reset", {"token": token, "password": password})


async def given(client: Client, user_id: str = "u1") -> str:
    status, answer = await client.ask("POST", f"/users/{user_id}/password")
    assert status == 200, answer
    assert answer["expires_in"] == 24 * 3_600
    return str(answer["token"])


# --- Changing ---------------------------------------------------------------------------------------------------------


async def test_who_knows_the_old_password_sets_a_new_one_and_the_other_sessions_end(
    people: Database, server: Server
) -> None:
    mine, other = await logged_in(server, "asha"), await logged_in(server, "asha")

    assert await change(mine) == (200, {"ended": 1})

    assert [await mine.is_in(), await other.is_in()] == [200, 401]
    assert (await Client(server, "asha").login())[0] == 401
    assert (await Client(server, "asha").login(NEW))[0] == 200


async def test_who_does_not_know_it_changes_nothing_and_cannot_guess_on(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha")
    for _ in range(FREE + 1):
        status, problem = await change(asha, old="a guess of mine")
        assert (status, problem["code"], problem["pointer"]) == (403, "password_refused", "/old_password")

    assert (await change(asha))[0] == 429

    assert (await Client(server, "asha").login())[0] == 200  # whoever has the session guesses for that session only


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("short", "at least 8"),
        ("password1", "everybody tries first"),
        ("PASSWORD", "everybody tries first"),
        ("asha-2026", "more than the username"),
        ("Asha1234", "more than the username"),
        ("x" * 257, "at most 256"),
    ],
)
async def test_a_password_that_is_easy_to_guess_is_not_taken(
    people: Database, server: Server, chosen: str, why: str
) -> None:
    asha = await logged_in(server, "asha")

    status, problem = await change(asha, new=chosen)

    assert (status, problem["code"], problem["pointer"]) == (422, "invalid_value", "/new_password")
    assert why in problem["detail"]
    assert chosen not in str(problem)


@pytest.mark.parametrize("chosen", ["eight ch", "कपास का भाव", "x" * 256, "        spaces        "])
async def test_any_characters_and_any_length_of_eight_or_more_are_taken(
    people: Database, server: Server, chosen: str
) -> None:
    asha = await logged_in(server, "asha")

    assert (await change(asha, new=chosen))[0] == 200
    assert (await Client(server, "asha").login(chosen))[0] == 200


def test_the_list_of_common_passwords_has_what_everybody_tries_and_nothing_that_is_too_short_anyway() -> None:
    common = passwords._common()

    assert {"password", "12345678", "qwertyuiop", "iloveyou1"} <= common
    assert len(common) > 8_000
    assert {word for word in common if len(word) < passwords.PASSWORD_MIN or word != word.casefold()} == set()


async def test_a_password_needs_a_login_to_be_changed(people: Database, server: Server) -> None:
    assert (await change(Client(server, "asha")))[0] == 401


# --- Reset ------------------------------------------------------------------------------------------------------------


async def test_a_reset_sets_a_password_once_and_ends_all_sessions(people: Database, server: Server) -> None:
    rekha, asha = await logged_in(server, "rekha"), await logged_in(server, "asha")
    token = await given(rekha)
    assert await asha.is_in() == 200
    assert (await Client(server, "asha").login())[0] == 200

    assert await reset(server, token) == (204, None)

    assert await asha.is_in() == 401
    assert (await Client(server, "asha").login())[0] == 401
    assert (await Client(server, "asha").login(NEW))[0] == 200
    status, problem = await reset(server, token, "another password of mine")
    assert (status, problem["code"]) == (403, "reset_refused")


async def test_of_many_uses_of_a_reset_at_once_one_counts(people: Database, server: Server) -> None:
    token = await given(await logged_in(server, "rekha"))

    answers = await asyncio.gather(*(reset(server, token, f"password number {n}") for n in range(10)))

    assert sorted(status for status, _ in answers) == [204] + [403] * 9


@pytest.mark.parametrize(
    "change_it",
    [
        "UPDATE password_reset SET expires_at = now()",
        "UPDATE users SET is_active = false WHERE id = 'u1'",
        "DELETE FROM password_reset",
    ],
)
async def test_a_reset_that_is_over_is_refused(people: Database, server: Server, change_it: str) -> None:
    token = await given(await logged_in(server, "rekha"))
    async with people.acquire_everywhere() as connection:
        await connection.execute(change_it)

    assert (await reset(server, token))[1]["code"] == "reset_refused"


async def test_a_newer_reset_and_a_changed_password_void_the_one_before(people: Database, server: Server) -> None:
    rekha, asha = await logged_in(server, "rekha"), await logged_in(server, "asha")
    first, second = await given(rekha), await given(rekha)
    assert (await reset(server, first))[0] == 403

    await change(asha)

    assert (await reset(server, second))[0] == 403


async def test_a_weak_password_does_not_use_a_reset_up(people: Database, server: Server) -> None:
    token = await given(await logged_in(server, "rekha"))

    assert (await reset(server, token, "short"))[1]["pointer"] == "/password"
    assert (await reset(server, token, "asha1234"))[0] == 422

    assert (await reset(server, token))[0] == 204


async def test_tokens_of_other_kinds_are_no_reset_and_a_reset_is_none_of_them(people: Database, server: Server) -> None:
    rekha, asha = await logged_in(server, "rekha"), await logged_in(server, "asha", id="phone-1")
    token = await given(rekha)

    for other in ("", "x", *(asha.grant[name] for name in ("access_token", "refresh_token", "device_token"))):
        assert (await reset(server, other))[0] == 403
    assert (await asha.refresh(token))[0] == 401
    assert (await Client(server, "", grant={"access_token": token}).is_in()) == 401
    assert (await Client(server, "", grant={"access_token": asha.grant["device_token"]}).is_in()) == 401
    assert (await asha.refresh(asha.grant["device_token"]))[0] == 401
    assert (await reset(server, token))[0] == 204


async def test_only_a_hash_of_a_reset_is_stored(people: Database, server: Server) -> None:
    token = OpaqueToken.read(await given(await logged_in(server, "rekha")))

    assert token is not None
    async with people.acquire_everywhere() as connection:
        (row,) = await connection.fetch("SELECT * FROM password_reset")
    assert row["hash"] == token.digest()
    assert token.secret not in repr(dict(row))


@pytest.mark.parametrize(
    ("who", "user_id", "expected"),
    [
        ("asha", "u2", 403),
        ("mina", "u1", 403),  # a manager ends sessions, but does not set passwords
        ("rekha", "nobody", 404),
        ("ravi", "u4", 404),  # of the other organisation
        ("rekha", "u3", 200),
    ],
)
async def test_who_may_give_a_reset_and_to_whom(
    people: Database, server: Server, who: str, user_id: str, expected: int
) -> None:
    client = await logged_in(server, who)

    assert (await client.ask("POST", f"/users/{user_id}/password"))[0] == expected


async def test_nobody_takes_over_a_person_who_may_do_more(people: Database, server: Server) -> None:
    """A role with user.update alone must not become the administrator's."""
    async with people.acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO roles (org_id, id, title, codes) VALUES ('org.1', 'desk', 'Help desk', '{user.update}')"
        )
        await connection.execute("UPDATE grants SET role_id = 'desk' WHERE org_id = 'org.1' AND user_id = 'u3'")
        await connection.execute("UPDATE grants SET branch_id = NULL WHERE org_id = 'org.1'")
    mina = await logged_in(server, "mina")

    assert (await mina.ask("POST", "/users/u4/password"))[0] == 404
    assert (await mina.ask("POST", "/users/u3/password"))[0] == 200


def test_a_reset_lives_for_a_day() -> None:
    assert changing.RESET_LIFE.total_seconds() == 86_400
