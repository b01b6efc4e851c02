"""Limits of live connections: what a client may send, how many there may be, how fast they come, and who does not read."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sync_server.live.members import MERGED_MAX, SUBSCRIPTIONS_MAX, Heard, pend
from sync_server.store.database import Database
from sync_server.web import hall as halls
from sync_server.web.live_tasks import LIVE_ROOM
from sync_server.wire.live import FRAME_MAX, Close
from tests.harness.listeners import listening, refusal
from tests.harness.office import at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import ORG, House

UPGRADE = (
    "GET /api/v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n\r\n"
)


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@asynccontextmanager
async def serving(
    house: House, database_url: str, tmp_path: Path, **settings: Any
) -> AsyncIterator[tuple[Server, dict[str, str]]]:
    async with serve_here(database_url, tmp_path / "s", **settings) as server:
        yield server, dict((await at_desk(server, house, "agent1")).headers)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00", Close.UNREADABLE),
        ("{", Close.UNREADABLE),
        ('{"type":"shout"}', Close.UNREADABLE),
        ('{"type":"ping","pad":"' + "x" * FRAME_MAX + '"}', Close.TOO_BIG),
    ],
    ids=["bytes", "no JSON", "unknown", "big"],
)
async def test_what_a_client_may_not_send_ends_its_connection(
    server: Server, house: House, message: str | bytes, code: Close
) -> None:
    clerk = await at_desk(server, house, "agent1")
    async with listening(server, clerk.headers) as ear:
        await (ear.ws.send_bytes(message) if isinstance(message, bytes) else ear.ws.send_str(message))
        assert await ear.closed() == code


async def test_twenty_messages_a_second_may_be_sent_and_a_flood_may_not(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "agent1")
    async with listening(server, clerk.headers) as ear:
        for _ in range(30):
            await ear.say(type="ping")
        await ear.kind("pong")
        await asyncio.sleep(1)
        assert ear.code is None
        for _ in range(100):
            await ear.say(type="ping")
        assert await ear.closed() == Close.TOO_MANY_MESSAGES


async def test_fifty_channels_and_no_more(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "agent1")
    async with listening(server, clerk.headers) as ear:
        answers = []
        for n in range(SUBSCRIPTIONS_MAX):
            answers.append(await ear.subscribe(f"branch:b{n}"))
            await asyncio.sleep(0.03)
        assert [answer["type"] for answer in answers[-3:]] == ["subscribed", "refused", "refused"]
        assert answers[-1]["code"] == "too_many_channels"


@pytest.mark.parametrize("kind", ["user", "device", "address", "organisation"])
async def test_connections_of_one_have_a_bound_and_a_place_is_free_again(
    house: House, database_url: str, tmp_path: Path, kind: str
) -> None:
    async with (
        serving(house, database_url, tmp_path, **{f"live_per_{kind}": 2}) as (server, headers),
        AsyncExitStack() as stack,
    ):
        if kind == "device":
            await _on_a_device(house)
        for _ in range(2):
            last = await stack.enter_async_context(listening(server, headers))
        assert await refusal(server, headers) == (429, "too_many_requests")
        await last.ws.close()
        async with asyncio.timeout(5):
            while (await refusal(server, headers))[0] != 101:
                await asyncio.sleep(0.05)


async def _on_a_device(house: House) -> None:
    await house.fetch("INSERT INTO device (org_id, id, user_id) VALUES ($1, 'd1', 'agent1')", ORG)
    await house.fetch("UPDATE session SET device_id = 'd1' WHERE org_id = $1 AND user_id = 'agent1'", ORG)


async def test_storm_is_let_in_at_a_rate_and_told_when_to_come_back(
    house: House, database_url: str, tmp_path: Path
) -> None:
    async with serving(house, database_url, tmp_path, live_admitted_per_second=5) as (server, headers):
        tried = await asyncio.gather(*(refusal(server, headers) for _ in range(40)))
    statuses = [status for status, _ in tried]

    assert 10 <= statuses.count(101) <= 20
    assert statuses.count(503) == 40 - statuses.count(101)


async def test_client_that_is_not_heard_of_is_let_go(house: House, database_url: str, tmp_path: Path) -> None:
    async with (
        serving(house, database_url, tmp_path, live_heartbeat_seconds=1) as (server, headers),
        listening(server, headers, autoping=False) as deaf,
        listening(server, headers) as alive,
    ):
        assert await deaf.closed() == Close.SILENT
        await asyncio.sleep(1)
        assert alive.code is None


# --- Readers who do not read --------------------------------------------------------------------------------------------


async def stall(server: Server, headers: dict[str, str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and read nothing but the answer to the upgrade."""
    host, port = server.url.removeprefix("http://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # before it connects, as it bounds what is offered
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1)
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
    writer.write(UPGRADE.format(headers=lines).encode())
    await writer.drain()
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    return reader, writer


@pytest.mark.parametrize("readers", [1_000])
async def test_stalled_readers_cost_no_memory_and_are_let_go(
    house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    """Whatever happens, a reader who does not read holds a cell of bounded size, and in the end no place."""
    monkeypatch.setattr(halls, "SLOW_SECONDS", 3.0)
    limits = {"live_per_user": 2_000, "live_admitted_per_second": 1_000}
    async with serving(house, database_url, tmp_path, **limits) as (server, headers):
        assert server.app is not None
        hall = server.app[LIVE_ROOM].hall
        stalled = [await stall(server, headers) for _ in range(readers)]
        async with listening(server, headers) as reads:
            await _until(lambda: len(hall.sockets) == readers + 1)
            tracemalloc.start()
            await _tell_much(hall, 200)
            before = _bytes()
            await _tell_much(hall, 600)
            grown = _bytes() - before
            tracemalloc.stop()
            assert grown < readers * 4_096, f"{grown / readers:.0f} bytes for each reader"
            assert all(len(m.pending.tables) <= MERGED_MAX for m in hall.sockets if m.pending is not None)
            await _until(lambda: len(hall.sockets) == 1, 30)
            assert reads.code is None
        for _, writer in stalled:
            writer.transport.abort()


async def _tell_much(hall: halls.Hall, times: int) -> None:
    """Have so much happen that the buffers of the kernel are full, too."""
    names = [f"table_{n:03}_{'x' * 40}" for n in range(60)]
    for n in range(times):
        heard = Heard()
        for member in hall.sockets:
            pend(member, n, (names[n % 60],), f"org:{ORG}", heard)
        hall.tell(heard)
        if n % 10 == 0:
            await asyncio.sleep(0.002)


def _bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _until(is_so: Any, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.05)


async def test_slow_reader_is_told_why_it_is_let_go(
    house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reads in the end are the frames of before, and a goodbye with the code that says: come back, and pull."""
    monkeypatch.setattr(halls, "SLOW_SECONDS", 1.0)
    monkeypatch.setattr(halls, "TOGETHER_SECONDS", 0.0)
    async with serving(house, database_url, tmp_path) as (server, headers):
        assert server.app is not None
        hall = server.app[LIVE_ROOM].hall
        _, writer = await stall(server, headers)
        await _until(lambda: len(hall.sockets) == 1)
        (connection,) = hall.sockets.values()
        async with asyncio.timeout(60):
            while not connection.ending:
                await _tell_much(hall, 200)
                await asyncio.sleep(0.01)
        received = bytearray()
        raw = writer.transport.get_extra_info("socket")
        loop = asyncio.get_running_loop()
        with raw.dup() as reading:
            reading.setblocking(False)
            async with asyncio.timeout(20):
                while b"too_slow" not in received:
                    piece = await loop.sock_recv(reading, 1 << 16)
                    assert piece, "it ended without a goodbye"
                    received += piece
        assert Close.TOO_SLOW.to_bytes(2, "big") + b"too_slow" in received
        writer.transport.abort()


async def test_heartbeats_are_json_of_a_hundred_bytes(house: House, database_url: str, tmp_path: Path) -> None:
    async with (
        serving(house, database_url, tmp_path, live_heartbeat_seconds=1) as (server, headers),
        listening(server, headers) as ear,
    ):
        beat = await ear.kind("heartbeat")
        assert len(json.dumps(beat)) < 120
