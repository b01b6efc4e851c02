"""How a connection ends: with its session, its token or the server; and how it goes on with a newer token."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.web import keys
from sync_server.web.live_tasks import LIVE_ROOM
from sync_server.wire.live import Close
from tests.harness.listeners import listening
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import ORG, House


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


def newer(server: Server, actor: Actor, seconds: int = 600) -> str:
    assert server.app is not None
    tokens = server.app[keys.TOKENS]
    before, tokens.access_seconds = tokens.access_seconds, seconds
    issued = tokens.issue(actor)
    tokens.access_seconds = before
    return issued


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE session SET revoked_at = now() WHERE user_id = 'agent1'",
        "UPDATE users SET is_active = false WHERE id = 'agent1'",
        "UPDATE session SET expires_at = now() WHERE user_id = 'agent1'",
    ],
)
async def test_connection_ends_with_its_session_within_five_seconds(server: Server, house: House, end: str) -> None:
    clerk, other = await at_desk(server, house, "agent1"), await at_desk(server, house, "agent2")
    async with listening(server, clerk.headers) as ear, listening(server, other.headers) as stays:
        began = time.monotonic()
        await house.run(end)

        assert await ear.closed() == Close.SESSION_ENDED
        assert time.monotonic() - began < 5
        assert stays.code is None


async def test_connection_ends_with_its_token_and_is_warned(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "agent1")
    async with listening(server, {"Authorization": f"Bearer {newer(server, clerk.actor, 3)}"}) as ear:
        assert (await ear.kind("expiring"))["expires_in"] <= 3
        assert await ear.closed() == Close.TOKEN_EXPIRED


async def test_newer_token_in_band_lets_it_live_on(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "agent1")
    async with listening(server, {"Authorization": f"Bearer {newer(server, clerk.actor, 2)}"}) as ear:
        await ear.say(type="auth", token=newer(server, clerk.actor))
        assert (await ear.kind("authenticated"))["expires_in"] > 500
        await asyncio.sleep(3)
        assert ear.code is None


async def test_token_of_another_session_or_none_ends_it(server: Server, house: House) -> None:
    clerk, other = await at_desk(server, house, "agent1"), await at_desk(server, house, "agent2")
    for token, code in ((newer(server, other.actor), Close.SESSION_ENDED), ("nonsense", Close.TOKEN_EXPIRED)):
        async with listening(server, clerk.headers) as ear:
            await ear.say(type="auth", token=token)
            assert await ear.closed() == code


async def test_server_that_stops_sends_everybody_away_and_does_not_wait_for_them(
    house: House, database_url: str, tmp_path: Path
) -> None:
    async with serve_here(database_url, tmp_path) as server:
        clerk: Clerk = await at_desk(server, house, "agent1")
        async with listening(server, clerk.headers) as ear:
            assert server.app is not None
            from sync_server.web.draining import FLIGHTS

            began = time.monotonic()
            assert await server.app[FLIGHTS].drain(10) == 0
            assert time.monotonic() - began < 5
            assert await ear.closed() == Close.STOPPING


async def test_nothing_is_remembered_of_who_left(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "agent1")
    assert server.app is not None
    hall = server.app[LIVE_ROOM].hall
    async with listening(server, clerk.headers) as ear:
        await ear.subscribe("branch:b1")
        assert len(hall.sockets) == 1
    async with asyncio.timeout(5):
        while hall.sockets:
            await asyncio.sleep(0.01)
    assert hall.hub.house(ORG) is None
    assert not len(hall.places)
