"""Sessions: every request asks whether its session lives, and whoever ends one ends it everywhere within 5 s."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path

import asyncpg
import pytest

from sync_server.identity import watch
from sync_server.identity.watch import FRESH_SECONDS, SessionWatch
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.security import list_happened
from sync_server.store.sessions import SessionKey, admitted, forget_ended, live_among
from tests.harness.people import ORG, OTHER, Client, logged_in, settle
from tests.harness.postgres_proxy import PostgresProxy
from tests.harness.servers import Server, serve_here

PROMISED_SECONDS = 5.0


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


@pytest.fixture
async def elsewhere(people: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """Another process of the same installation, with a memory of its own."""
    async with serve_here(database_url, tmp_path) as serving:
        yield serving


async def run(database: Database, statement: str, *values: object) -> None:
    async with database.acquire_everywhere() as connection:
        await connection.execute(statement, *values)


async def until_refused(client: Client) -> float:
    """Ask again and again; give how long it took until the session was over."""
    began = time.monotonic()
    while time.monotonic() - began < PROMISED_SECONDS + 1:
        status, answer = await client.ask("GET", "/sync/schema")
        if status != 200:
            assert (status, answer["code"]) == (401, "session_ended")
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    raise AssertionError("the session is still let in")


# --- The watch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE session SET revoked_at = now()",
        "UPDATE session SET expires_at = now() - interval '1 second'",
        "UPDATE users SET is_active = false WHERE username = 'asha'",
        "UPDATE device SET state = 'revoked'",
        "UPDATE device SET state = 'wiped'",
        "UPDATE device SET user_id = 'u2'",
        "DELETE FROM session",
        "DELETE FROM device",
    ],
)
async def test_whatever_ends_a_session_shuts_it_out_within_five_seconds(
    people: Database, server: Server, change: str
) -> None:
    asha = await logged_in(server, "asha")
    assert await asha.is_in() == 200

    await run(people, change)

    assert await until_refused(asha) < PROMISED_SECONDS


async def test_a_logout_shuts_out_at_once_here_and_within_five_seconds_elsewhere(
    people: Database, server: Server, elsewhere: Server
) -> None:
    here = await logged_in(server, "asha")
    there = Client(elsewhere, "asha", grant=here.grant)
    assert await there.is_in() == 200

    assert await here.ask("POST", "/auth/logout") == (204, None)

    assert await here.is_in() == 401
    assert await until_refused(there) < PROMISED_SECONDS
    assert (await here.refresh())[0] == 401


async def test_a_session_costs_no_statement_while_what_is_known_of_it_is_fresh(
    people: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[SessionKey] = []

    async def counting(connection: Connection, wanted: Collection[SessionKey]) -> Mapping[SessionKey, Actor]:
        asked.extend(wanted)
        return await live_among(connection, wanted)

    monkeypatch.setattr(watch, "live_among", counting)
    asha = await logged_in(server, "asha")

    for _ in range(20):
        assert await asha.is_in() == 200

    assert asked == [(ORG, asha.grant["session_id"])]


async def test_no_memory_lets_anybody_in_while_the_database_is_away(
    people: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.3)
    proxy = PostgresProxy(database_url)
    await proxy.__aenter__()
    async with serve_here(proxy.url, tmp_path) as behind:
        asha = await logged_in(behind, "asha")
        assert await asha.is_in() == 200
        await proxy.__aexit__()
        await asyncio.sleep(0.4)

        status, problem = await asha.ask("GET", "/sync/schema")

        assert (status, problem["code"]) == (503, "database_unavailable")


class Asked:
    """A reader of sessions that writes down what it was asked, and answers when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[SessionKey]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.live = True

    async def __call__(self, asked: Collection[SessionKey]) -> Mapping[SessionKey, Actor]:
        self.batches.append(sorted(asked))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {key: Actor(key[0], "u", key[1], "d") for key in asked} if self.live else {}


async def test_sessions_that_ask_at_once_are_looked_up_together_and_once() -> None:
    asked = Asked()
    watching = SessionWatch(asked)

    waiting = [asyncio.create_task(watching.live(Actor("o", "u", f"s{n % 10}"))) for n in range(200)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.gate.set()

    assert {actor and actor.device_id for actor in await asyncio.gather(*waiting)} == {"d"}
    assert asked.batches == [sorted(("o", f"s{n}") for n in range(10))]
    await watching.close()


async def test_an_answer_is_as_old_as_its_question() -> None:
    """A look-up that took long was asked long ago: what it says counts from then."""
    now = 0.0
    asked = Asked()
    watching = SessionWatch(asked, clock=lambda: now)
    waiting = asyncio.create_task(watching.live(Actor("o", "u", "s")))
    await asyncio.sleep(0.01)
    now = FRESH_SECONDS + 0.1
    asked.gate.set()
    assert await waiting is not None
    asked.live = False

    assert await watching.live(Actor("o", "u", "s")) is None

    assert len(asked.batches) == 2
    await watching.close()


async def test_a_failure_reaches_everybody_who_waits_and_is_not_remembered() -> None:
    asked = Asked()
    asked.failure = ConnectionError("away")
    asked.gate.set()
    watching = SessionWatch(asked)

    outcomes = await asyncio.gather(*(watching.live(Actor("o", "u", "s")) for _ in range(5)), return_exceptions=True)
    asked.failure = None

    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 5
    assert await watching.live(Actor("o", "u", "s")) is not None
    await watching.close()


async def test_a_session_is_good_for_its_own_user_only() -> None:
    asked = Asked()
    asked.gate.set()
    watching = SessionWatch(asked)

    assert await watching.live(Actor("o", "somebody else", "s")) is None
    await watching.close()


async def test_who_waits_and_leaves_takes_nobody_along() -> None:
    asked = Asked()
    watching = SessionWatch(asked)
    leaving, staying = (asyncio.create_task(watching.live(Actor("o", "u", "s"))) for _ in range(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    asked.gate.set()

    assert await staying is not None
    await watching.close()


async def test_the_sessions_that_are_not_over_are_named_in_one_statement(people: Database, server: Server) -> None:
    clients = [await logged_in(server, name) for name in ("asha", "bela", "mina", "rekha", "ravi")]
    asha, bela, mina, rekha, ravi = (client.grant["session_id"] for client in clients)
    await run(people, "UPDATE session SET revoked_at = now() WHERE id = $1", asha)
    await run(people, "UPDATE users SET is_active = false WHERE id = 'u2'")
    await run(people, "UPDATE device SET state = 'revoked' WHERE user_id = 'u3'")

    counted: list[str] = []
    async with people.acquire_everywhere() as connection:
        with connection.query_logger(lambda executed: counted.append(executed.query)):
            let_in = await admitted(connection, ORG, [asha, bela, mina, rekha, ravi, "nonsense"])
        live = await live_among(connection, [(ORG, rekha), (OTHER, ravi), (ORG, asha), (OTHER, rekha)])

    assert let_in == {rekha: False}
    assert len(counted) == 1
    assert live.keys() == {(ORG, rekha), (OTHER, ravi)}


# --- One's own --------------------------------------------------------------------------------------------------------


async def test_people_see_their_own_sessions_and_no_others(people: Database, server: Server) -> None:
    phone = await logged_in(server, "asha", id="phone-1", name="Asha's phone", platform="android", app_version="1.2.3")
    web = await logged_in(server, "asha")
    await logged_in(server, "bela")

    status, answer = await web.ask("GET", "/auth/sessions")

    assert status == 200
    listed = {session["id"]: session for session in answer["sessions"]}
    assert listed.keys() == {phone.grant["session_id"], web.grant["session_id"]}
    assert [id for id, session in listed.items() if session["current"]] == [web.grant["session_id"]]
    shown = listed[phone.grant["session_id"]]
    assert shown["device"] == {
        "id": "phone-1",
        "name": "Asha's phone",
        "platform": "android",
        "app_version": "1.2.3",
    }
    assert abs(shown["last_seen_at"] / 1000 - time.time()) < 60
    assert shown["created_at"] <= shown["last_seen_at"] < shown["expires_at"]


async def test_people_end_one_session_or_all_others_or_all(people: Database, server: Server) -> None:
    clients = [await logged_in(server, "asha") for _ in range(4)]
    bela = await logged_in(server, "bela")
    one, *_, mine = clients

    assert await mine.ask("DELETE", f"/auth/sessions/{one.grant['session_id']}") == (200, {"ended": 1})
    assert [await client.is_in() for client in clients] == [401, 200, 200, 200]
    assert await mine.ask("DELETE", "/auth/sessions?keep=current") == (200, {"ended": 2})
    assert [await client.is_in() for client in clients] == [401, 401, 401, 200]
    assert await mine.ask("DELETE", "/auth/sessions") == (200, {"ended": 1})
    assert await mine.is_in() == 401
    assert await bela.is_in() == 200


@pytest.mark.parametrize("of", ["bela", "ravi"])
async def test_nobody_ends_the_session_of_another_as_their_own(people: Database, server: Server, of: str) -> None:
    asha, other = await logged_in(server, "asha"), await logged_in(server, of)

    status, problem = await asha.ask("DELETE", f"/auth/sessions/{other.grant['session_id']}")
    _, unknown = await asha.ask("DELETE", "/auth/sessions/nonsense")

    assert status == 404
    assert {**problem, "correlation_id": ""} == {**unknown, "correlation_id": ""}
    assert await other.is_in() == 200


async def test_keep_can_only_be_current(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha")

    assert (await asha.ask("DELETE", "/auth/sessions?keep=all"))[0] == 400
    assert await asha.is_in() == 200


# --- Those of others --------------------------------------------------------------------------------------------------


async def test_who_may_sees_and_ends_the_sessions_of_others(people: Database, server: Server) -> None:
    rekha, asha, asha_web = [await logged_in(server, name) for name in ("rekha", "asha", "asha")]

    status, answer = await rekha.ask("GET", "/users/u1/sessions")
    assert status == 200
    assert {session["id"] for session in answer["sessions"]} == {asha.grant["session_id"], asha_web.grant["session_id"]}
    one = f"/users/u1/sessions/{asha.grant['session_id']}"
    assert await rekha.ask("DELETE", one) == (200, {"ended": 1})
    assert [await asha.is_in(), await asha_web.is_in()] == [401, 200]
    assert await rekha.ask("DELETE", "/users/u1/sessions") == (200, {"ended": 1})
    assert await asha_web.is_in() == 401


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/any")])
async def test_nobody_without_the_code_sees_or_ends_the_sessions_of_others(
    people: Database, server: Server, method: str, path: str
) -> None:
    bela, asha = await logged_in(server, "bela"), await logged_in(server, "asha")

    status, problem = await bela.ask(method, f"/users/u1/sessions{path}")

    assert (status, problem["code"]) == (403, "forbidden")
    assert await asha.is_in() == 200


async def test_no_administrator_reaches_another_organisation(people: Database, server: Server) -> None:
    """Both have a user u1; ravi's requests are about his own."""
    ravi, asha = await logged_in(server, "ravi"), await logged_in(server, "asha")

    _, answer = await ravi.ask("GET", "/users/u1/sessions")
    assert [session["id"] for session in answer["sessions"]] == [ravi.grant["session_id"]]
    assert (await ravi.ask("GET", "/users/u4/sessions"))[1] == {"sessions": []}
    assert (await ravi.ask("DELETE", f"/users/u1/sessions/{asha.grant['session_id']}"))[0] == 404
    assert await asha.is_in() == 200


async def test_nobody_shuts_out_a_person_who_may_do_more(people: Database, server: Server) -> None:
    mina, rekha, asha = [await logged_in(server, name) for name in ("mina", "rekha", "asha")]

    status, problem = await mina.ask("DELETE", "/users/u4/sessions")

    assert (status, problem["code"]) == (404, "not_found")
    assert await rekha.is_in() == 200
    assert await mina.ask("DELETE", "/users/u1/sessions") == (200, {"ended": 1})
    assert await asha.is_in() == 401


# --- What is written down ---------------------------------------------------------------------------------------------


async def test_who_did_what_is_written_down(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    await Client(server, "asha").login("wrong")
    rekha = await logged_in(server, "rekha")
    await rekha.ask("DELETE", "/users/u1/sessions")
    ravi = await logged_in(server, "ravi")
    await asyncio.sleep(0.1)

    async with people.acquire_everywhere() as connection:
        happened = await list_happened(connection, ORG)
        others = await list_happened(connection, OTHER)

    assert sorted((event.kind, event.user_id, event.detail) for event in happened) == [
        ("logged_in", "u1", "password"),
        ("logged_in", "u4", "password"),
        ("login_failed", "u1", ""),
        ("sessions_ended", "u1", "administrator by u4"),
    ]
    assert {event.address for event in happened} == {"127.0.0.1"}
    assert asha.grant["session_id"] in {event.session_id for event in happened}
    assert [event.session_id for event in others] == [ravi.grant["session_id"]]


@pytest.mark.parametrize(
    "change", ["UPDATE security_event SET user_id = 'x'", "DELETE FROM security_event", "TRUNCATE security_event"]
)
async def test_what_was_written_down_stays(people: Database, server: Server, change: str) -> None:
    await logged_in(server, "asha")

    with pytest.raises(asyncpg.FeatureNotSupportedError, match="append-only"):
        await run(people, change)


async def test_sessions_that_ended_long_ago_are_forgotten_with_the_devices_they_alone_had(
    people: Database, server: Server
) -> None:
    await logged_in(server, "asha")
    await logged_in(server, "asha", id="phone-1", platform="android")
    live = await logged_in(server, "asha")
    await run(
        people, "UPDATE session SET revoked_at = now() - interval '40 days' WHERE id <> $1", live.grant["session_id"]
    )
    await run(people, "UPDATE device SET registered_at = now() - interval '40 days'")

    async with people.acquire_everywhere() as connection, connection.transaction():
        await forget_ended(connection, 30)

    async with people.acquire_everywhere() as connection:
        sessions = await connection.fetch("SELECT id FROM session")
        devices = {row["id"] for row in await connection.fetch("SELECT id FROM device")}
    assert [row["id"] for row in sessions] == [live.grant["session_id"]]
    assert devices == {"phone-1", live.grant["device_id"]}
