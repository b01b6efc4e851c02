"""The registry of devices: who sees which, what a device says of itself, and how one is shut out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sync_server.engine.push import PushRequest, push
from sync_server.engine.standing import Standings
from sync_server.store import registry
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.registry import Device
from sync_server.web import keys
from tests.harness.counting import CountingDatabase
from tests.harness.people import ORG, Client, logged_in, settle
from tests.harness.servers import Server


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


async def run(database: Database, statement: str, *values: Any) -> Any:
    async with database.acquire_everywhere() as connection:
        return await connection.fetchval(statement, *values)


async def listed(client: Client, query: str = "") -> set[str]:
    status, answer = await client.ask("GET", f"/devices{query}")
    assert status == 200, answer
    return {device["id"] for device in answer["devices"]}


# --- Seeing -----------------------------------------------------------------------------------------------------------


async def test_people_see_their_own_devices_and_managers_everybodys_of_their_organisation(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1", name="Moto G")
    await logged_in(server, "bela", id="phone-2")
    mina = await logged_in(server, "mina", id="desk")
    await logged_in(server, "ravi", id="elsewhere")

    assert await listed(asha) == await listed(asha, "?user_id=u1") == {"phone-1"}
    assert await listed(mina) == {"desk"}
    assert await listed(mina, "?user_id=u2") == {"phone-2"}
    assert await listed(mina, "?all=true") == {"phone-1", "phone-2", "desk"}
    assert await listed(mina, "?all=true&after=desk") == {"phone-1", "phone-2"}
    for query in ("?all=true", "?user_id=u2"):
        assert (await asha.ask("GET", f"/devices{query}"))[0] == 403
    assert (await asha.ask("GET", "/devices?all=yes"))[1]["code"] == "bad_parameter"


@pytest.mark.parametrize("name", ["user_id", "after"])
async def test_a_list_of_devices_is_asked_for_by_ids_only(people: Database, server: Server, name: str) -> None:
    asha = await logged_in(server, "asha")

    status, answer = await asha.ask("GET", f"/devices?{name}=no%20id")

    assert (status, answer["code"]) == (400, "bad_parameter")


async def test_a_long_list_goes_on_after_its_last_device(
    people: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mina = await logged_in(server, "mina", id="desk")
    await run(
        people,
        "INSERT INTO device (org_id, id, user_id) SELECT 'org.1', 'many-' || n, 'u1' FROM generate_series(1001, 1600) n",
    )

    _, first = await mina.ask("GET", "/devices?all=true")
    _, second = await mina.ask("GET", f"/devices?all=true&after={first['next']}")

    assert len(first["devices"]) == registry.LISTED_MAX
    assert second["next"] is None
    assert len({d["id"] for d in (*first["devices"], *second["devices"])}) == 601


async def test_a_device_shows_what_it_said_of_itself_and_how_far_behind_it_is(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1", name="Moto G", platform="android", app_version="1.0")
    _, pulled = await asha.ask("GET", "/sync?last_pulled_at=null&schema_version=1")
    said = {"Cotton-App-Version": "2.0", "Cotton-Pending": "7", "Cotton-Device": "phone-1"}
    cursor = pulled["timestamp"]
    assert (await asha.ask("GET", f"/sync?last_pulled_at={cursor}&schema_version=1", **said))[0] == 200
    await run(people, "INSERT INTO organisations (org_id, id, legal_name) VALUES ('org.1', 'org.1', 'A')")
    assert server.app is not None
    await server.app[keys.SIGHTINGS].write(people)

    status, shown = await asha.ask("GET", "/devices/phone-1")

    assert status == 200
    assert abs(shown.pop("last_seen_at") / 1000 - time.time()) < 60
    assert abs(shown.pop("registered_at") / 1000 - time.time()) < 60
    assert shown == {
        "id": "phone-1",
        "current": True,
        "user_id": "u1",
        "name": "Moto G",
        "platform": "android",
        "app_version": "2.0",
        "schema_version": 1,
        "state": "active",
        "cursor": cursor,
        "lag": 1,
        "pending": 7,
        "wipe": None,
    }


@pytest.mark.parametrize("said", ["-1", "1.5", "many", "9" * 10, ""])
async def test_what_a_device_says_of_itself_and_cannot_be_read_is_not_noted(
    people: Database, server: Server, said: str
) -> None:
    asha = await logged_in(server, "asha", id="phone-1", app_version="1.0")
    path = "/sync?last_pulled_at=null&schema_version=999999999999"

    assert (await asha.ask("GET", path, **{"Cotton-Pending": said, "Cotton-App-Version": "x" * 41}))[0] == 200

    assert server.app is not None
    await server.app[keys.SIGHTINGS].write(people)
    shown = (await asha.ask("GET", "/devices/phone-1"))[1]
    assert (shown["pending"], shown["app_version"], shown["schema_version"]) == (None, "1.0", None)


def test_lag_is_told_only_within_one_history() -> None:
    def device(cursor: int | None, clock: int) -> Device:
        moment: Any = None
        return Device("d", "u", "", "", "", None, "active", moment, moment, cursor, None, clock)

    assert [device(c, (2 << 40) + 9).lag for c in ((2 << 40) + 4, (2 << 40) + 9, (2 << 40) + 10)] == [5, 0, 0]
    assert device(None, 2 << 40).lag is None
    assert device(2 << 40, 3 << 40).lag is None


async def test_a_device_that_is_not_for_the_asker_is_not_told_from_one_that_is_not_there(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    mina = await logged_in(server, "mina", id="desk")
    await logged_in(server, "rekha", id="office")
    await logged_in(server, "ravi", id="elsewhere")

    def without_id(answer: tuple[int, Any]) -> tuple[int, Any]:
        return answer[0], {k: v for k, v in answer[1].items() if k != "correlation_id"}

    requests: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/revoke", None),
        ("POST", "/wipe", None),
        ("GET", "/impounded", None),
        ("GET", "/impounded/p", None),
        ("POST", "/impounded/p/release", None),
        ("POST", "/impounded/p/discard", None),
    ]
    for method, path, body in requests:
        agents = [
            without_id(await asha.ask(method, f"/devices/{id}{path}", body)) for id in ("desk", "elsewhere", "nowhere")
        ]
        assert agents[0][0] == 403
        assert agents[0] == agents[1] == agents[2]
        ids = ("office", "elsewhere", "nowhere") if method != "GET" or path else ("elsewhere", "nowhere")
        managers = [without_id(await mina.ask(method, f"/devices/{id}{path}", body)) for id in ids]
        assert managers[0][0] == 404, "a manager does nothing to the device of an administrator"
        assert all(answer == managers[0] for answer in managers)
    assert await run(people, "SELECT count(*) FROM device WHERE state <> 'active'") == 0


# --- Changing ---------------------------------------------------------------------------------------------------------


async def test_a_device_is_renamed(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")

    status, shown = await asha.ask("PATCH", "/devices/phone-1", {"name": "Asha's phone"})

    assert (status, shown["name"]) == (200, "Asha's phone")
    bodies: list[Any] = [{"name": ""}, {"name": "x" * 101}, {}, {"name": 7}, {"state": "wiped"}, []]
    for body in bodies:
        assert (await asha.ask("PATCH", "/devices/phone-1", body))[0] == 422
    assert (await asha.ask("GET", "/devices/phone-1"))[1]["name"] == "Asha's phone"


@pytest.mark.parametrize("who", ["asha", "mina"])
async def test_a_revoked_device_is_out_and_begins_anew(people: Database, server: Server, who: str) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    _, pulled = await asha.ask("GET", "/sync?last_pulled_at=null&schema_version=1")
    revoker = await logged_in(server, who, id="elsewhere")
    assert await asha.is_in() == 200

    status, shown = await revoker.ask("POST", "/devices/phone-1/revoke")

    assert (status, shown["state"]) == (200, "revoked")
    assert (await asha.ask("GET", "/sync/schema"))[1]["code"] == "session_ended"
    assert (await asha.refresh())[1]["code"] == "refresh_refused"
    assert (await revoker.ask("POST", "/devices/phone-1/revoke"))[0] == 200, "twice is once"
    assert await run(people, "SELECT count(*) FROM security_event WHERE kind = 'device_revoked'") == 1
    assert await revoker.is_in() == 200
    asha = await logged_in(server, "asha", id="phone-1")
    assert (await asha.ask("GET", f"/sync?last_pulled_at={pulled['timestamp']}"))[1]["code"] == "cursor_of_another"
    assert (await asha.ask("GET", "/sync?last_pulled_at=null"))[0] == 200


async def test_a_device_that_is_being_wiped_is_not_revoked_before_it_is_empty(people: Database, server: Server) -> None:
    await logged_in(server, "asha", id="phone-1")
    mina = await logged_in(server, "mina", id="desk")
    await mina.ask("POST", "/devices/phone-1/wipe")

    assert (await mina.ask("POST", "/devices/phone-1/revoke"))[1]["code"] == "device_state"
    assert await run(people, "SELECT state FROM device WHERE org_id = $1 AND id = 'phone-1'", ORG) == "wiping"


async def test_a_revoked_device_can_be_wiped_when_somebody_logs_in_on_it(people: Database, server: Server) -> None:
    await logged_in(server, "asha", id="phone-1")
    mina = await logged_in(server, "mina", id="desk")
    await mina.ask("POST", "/devices/phone-1/revoke")

    status, shown = await mina.ask("POST", "/devices/phone-1/wipe", {"immediately": True})

    assert (status, shown["state"], shown["wipe"]["ordered_by"]) == (200, "wiping", "u3")
    bela = await logged_in(server, "bela", id="phone-1")
    assert (await bela.ask("GET", "/sync/schema"))[1]["code"] == "device_wiping"
    assert (await bela.ask("GET", "/sync?last_pulled_at=null"))[1]["experimentalStrategy"] == "replacement"


async def test_an_order_to_wipe_of_the_wrong_shape_is_pointed_at(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")

    for body, pointer in [({"immediately": "yes"}, "/immediately"), ({"now": True}, "/now"), ([], "")]:
        status, problem = await asha.ask("POST", "/devices/phone-1/wipe", body)
        assert (status, problem["pointer"]) == (422, pointer)
    assert await run(people, "SELECT state FROM device") == "active"


# --- A push at the last moment ----------------------------------------------------------------------------------------


async def test_a_push_is_refused_though_its_session_was_seen_alive_a_second_ago(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    push = {"sync_issues": {}, "business_partners": {"created": [{"id": "late", "legal_name": "Late"}]}}
    assert (await asha.ask("POST", "/sync?last_pulled_at=null", {}))[0] == 200
    await run(people, "UPDATE session SET revoked_at = now()")  # by another process

    status, problem = await asha.ask("POST", "/sync?last_pulled_at=null", push)

    assert (status, problem["code"]) == (401, "session_ended")
    assert await run(people, "SELECT count(*) FROM event WHERE record_id = 'late'") == 0
    assert await run(people, "SELECT count(*) FROM sync_issues") == 0
    assert await run(people, "SELECT count(*) FROM push_receipt") == 1, "what was never let in is no repetition later"


async def test_a_repeated_push_of_an_ended_session_keeps_its_receipt(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    assert (await asha.ask("POST", "/sync?last_pulled_at=null", {}))[0] == 200
    await run(people, "UPDATE session SET revoked_at = now()")

    assert (await asha.ask("POST", "/sync?last_pulled_at=null", {}))[0] == 401

    assert await run(people, "SELECT count(*) FROM push_receipt") == 1


# --- What it costs ----------------------------------------------------------------------------------------------------


async def test_a_push_asks_once_whether_its_session_lives_and_counts_only_where_it_is_numbered(
    people: Database, database_url: str, server: Server
) -> None:
    asha = (await logged_in(server, "asha", id="phone-1")).grant
    counting = await CountingDatabase.open(database_url, pool_max=2)
    known = Actor(ORG, "u1", asha["session_id"], "phone-1")
    standings = Standings()

    async def cost(actor: Actor, digest: bytes, counter: int | None = None) -> int:
        counting.statements.clear()
        await push(counting, standings, actor, PushRequest(None, [], digest, holds_issues=True, counter=counter))
        return len(counting.statements)

    await cost(known, b"0")
    without_session = await cost(Actor(ORG, "u1", "s"), b"1")
    assert await cost(known, b"2") == without_session + 1
    assert await cost(known, b"3", 1) == without_session + 2
    await counting.close()
