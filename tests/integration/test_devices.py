"""Devices: an installation is one user's at a time, and what it held of another's can be told by its cursor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sync_server.identity.sessions import DeviceClaim, begin_session
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.people import ORG, OTHER, PASSWORD, Client, logged_in, settle
from tests.harness.proofs import jwk_of, proof
from tests.harness.servers import Server

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


async def device(database: Database, id: str, org_id: str = ORG) -> dict[str, Any]:
    async with database.acquire_everywhere() as connection:
        row = await connection.fetchrow("SELECT * FROM device WHERE org_id = $1 AND id = $2", org_id, id)
    assert row is not None
    return dict(row)


async def clock(database: Database, org_id: str = ORG) -> int:
    async with database.acquire_everywhere() as connection:
        return int(
            await connection.fetchval("SELECT (epoch::bigint << 40) + seq FROM org_clock WHERE org_id = $1", org_id)
        )


# --- Registering ------------------------------------------------------------------------------------------------------


async def test_a_login_registers_its_device(people: Database, server: Server) -> None:
    asha = await logged_in(
        server, "asha", id="phone-1", name="Moto G", platform="android", app_version="2.1", schema_version=1
    )

    registered = await device(people, "phone-1")

    assert asha.grant["device_id"] == "phone-1"
    said = ("user_id", "name", "platform", "app_version", "schema_version", "state", "born", "public_key")
    assert [registered[name] for name in said] == ["u1", "Moto G", "android", "2.1", 1, "active", 0, None]


async def test_a_login_without_a_device_gets_one_for_its_session(people: Database, server: Server) -> None:
    clients = [await logged_in(server, "asha") for _ in range(2)]

    registered = [await device(people, client.grant["device_id"]) for client in clients]

    assert len({row["id"] for row in registered}) == 2
    assert {(row["user_id"], row["platform"], row["born"]) for row in registered} == {("u1", "unknown", 0)}


async def test_the_same_user_keeps_the_registration_and_one_session(people: Database, server: Server) -> None:
    first = await logged_in(server, "asha", id="phone-1", app_version="1")
    before = await device(people, "phone-1")
    async with people.acquire_everywhere() as connection:
        await connection.execute("UPDATE device SET cursor = 7, push_counter = 3")

    second = await logged_in(server, "asha", id="phone-1", app_version="2")

    after = await device(people, "phone-1")
    assert (after["born"], after["registered_at"], after["cursor"], after["push_counter"]) == (
        *(before["born"], before["registered_at"]),
        *(7, 3),
    )
    assert after["app_version"] == "2"
    assert await second.is_in() == 200
    assert (await first.refresh())[0] == 401


async def test_another_user_on_the_same_phone_is_born_at_a_new_position(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    assert await asha.is_in() == 200
    before = await clock(people)

    bela = await logged_in(server, "bela", id="phone-1")

    registered = await device(people, "phone-1")
    assert registered["user_id"] == "u2"
    assert registered["born"] == before + 1 == await clock(people)
    assert (registered["cursor"], registered["pending"], registered["push_counter"]) == (None, None, 0)
    assert await bela.is_in() == 200
    assert (await asha.refresh())[0] == 401

    again = await logged_in(server, "asha", id="phone-1")
    assert (await device(people, "phone-1"))["born"] == before + 2
    assert await again.is_in() == 200


@pytest.mark.parametrize("state", ["revoked", "wiped"])
async def test_a_device_that_was_shut_out_is_registered_anew(people: Database, server: Server, state: str) -> None:
    await logged_in(server, "asha", id="phone-1")
    async with people.acquire_everywhere() as connection:
        await connection.execute("UPDATE device SET state = $1", state)
    before = await clock(people)

    asha = await logged_in(server, "asha", id="phone-1")

    registered = await device(people, "phone-1")
    assert (registered["state"], registered["born"]) == ("active", before + 1)
    assert await asha.is_in() == 200


@pytest.mark.parametrize("who", ["asha", "bela"])
async def test_no_login_calls_a_wipe_off(people: Database, server: Server, who: str) -> None:
    await logged_in(server, "asha", id="phone-1")
    async with people.acquire_everywhere() as connection:
        await connection.execute("UPDATE device SET state = 'wiping'")

    await logged_in(server, who, id="phone-1")

    assert (await device(people, "phone-1"))["state"] == "wiping"


async def test_a_phone_of_two_organisations_has_a_session_in_each(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    before = await clock(people, OTHER)

    ravi = await logged_in(server, "ravi", id="phone-1")

    assert await asha.is_in() == await ravi.is_in() == 200
    assert (await device(people, "phone-1"))["born"] == 0
    assert (await device(people, "phone-1", OTHER))["born"] == before + 1  # a cursor of the first is none of the second


async def test_many_logins_at_once_on_one_phone_leave_one_session(people: Database, server: Server) -> None:
    assert server.app is not None
    tokens = server.app[keys.TOKENS]

    granted = await asyncio.gather(
        *(
            begin_session(people, tokens, org_id=ORG, user_id=user, device=DeviceClaim(id="phone-1"), refresh_days=30)
            for user in ("u1", "u2") * 10
        )
    )

    assert all(granted)
    async with people.acquire_everywhere() as connection:
        (live,) = await connection.fetch("SELECT user_id FROM session WHERE revoked_at IS NULL")
    assert live["user_id"] == (await device(people, "phone-1"))["user_id"]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ([], "/device"),
        ("phone", "/device"),
        ({"id": "a b"}, "/device/id"),
        ({"id": ""}, "/device/id"),
        ({"id": "x" * 65}, "/device/id"),
        ({"id": 7}, "/device/id"),
        ({"name": 7}, "/device/name"),
        ({"name": "x" * 101}, "/device/name"),
        ({"platform": []}, "/device/platform"),
        ({"app_version": {}}, "/device/app_version"),
        ({"schema_version": "1"}, "/device/schema_version"),
        ({"schema_version": 0}, "/device/schema_version"),
        ({"schema_version": 2**31}, "/device/schema_version"),
        ({"schema_version": True}, "/device/schema_version"),
        ({"public_key": "no key"}, "/device/public_key"),
        ({"public_key": 7}, "/device/public_key"),
        ({"token": 7}, "/device/token"),
    ],
)
async def test_a_device_of_the_wrong_shape_is_pointed_at(
    people: Database, server: Server, said: Any, pointer: str
) -> None:
    body = {"username": "asha", "password": PASSWORD, "device": said}

    status, problem = await Client(server, "asha").ask("POST", "/auth/login", body)

    assert status == 422
    assert problem["pointer"] == pointer


# --- With a key -------------------------------------------------------------------------------------------------------


async def test_a_stolen_refresh_token_is_worth_nothing_without_the_devices_key(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1", public_key=jwk_of(KEY))
    stolen = asha.grant["refresh_token"]
    thiefs = ec.generate_private_key(ec.SECP256R1())
    proofs = ["", "rubbish", proof(thiefs, stolen), proof(KEY, "another token"), proof(KEY, stolen, htm="GET")]

    refused = [await Client(server, "asha").refresh(stolen, **{"DPoP": shown} if shown else {}) for shown in proofs]

    assert [(status, problem["code"]) for status, problem in refused] == [(401, "refresh_refused")] * len(proofs)
    async with people.acquire_everywhere() as connection:
        assert await connection.fetchval("SELECT count(*) FROM security_event WHERE kind = 'proof_refused'") == len(
            proofs
        )
    assert (await asha.refresh(DPoP=proof(KEY, stolen)))[0] == 200
    assert await asha.is_in() == 200


async def test_a_thief_without_the_key_cannot_end_the_session_with_an_old_token(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1", public_key=jwk_of(KEY))
    old = asha.grant["refresh_token"]
    for _ in range(2):
        assert (await asha.refresh(DPoP=proof(KEY, asha.grant["refresh_token"])))[0] == 200

    assert (await Client(server, "asha").refresh(old))[0] == 401

    assert (await asha.refresh(DPoP=proof(KEY, asha.grant["refresh_token"])))[0] == 200


async def test_a_device_without_a_key_goes_on_as_before(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")

    assert (await asha.refresh())[0] == 200
    assert (await asha.refresh(DPoP="whatever"))[0] == 200
