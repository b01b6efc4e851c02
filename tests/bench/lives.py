"""Live connections: what an idle one costs, how soon a change is told to everybody, and how soon while a crowd comes back.

Owns: the listeners, and the three jobs.
Must not know: how the server tells.
Invariant: floor and subject have as many connections from one client that says the same (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import orjson
import psutil

from tests.bench.lean import LeanClient, request
from tests.bench.measure import Figure
from tests.bench.world import ORG, World
from tests.harness.servers import ServerProcess, free_port

MARK = b'"type":"hint"'
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
)
OPENING = 100
"""Connections that are opened side by side."""
SETTLE_SECONDS = 1.0

STORM_SECONDS = 5.0
"""In which all come back."""
STORM_HINTS_SECONDS = 0.5
"""Between two changes while they do."""

KINDS = ("PER_USER", "PER_DEVICE", "PER_ADDRESS", "PER_ORGANISATION", "ADMITTED_PER_SECOND")
ADMITTED = "200"
"""A second, as the default is."""
FREE = {"COTTON_LIMIT_REST": "none", **{f"COTTON_LIVE_{kind}": "10000" for kind in KINDS}}


PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
"""Frames without a payload (RFC 6455, 5.5); what a client sends is masked, here with nothing."""


@dataclass
class Ear(asyncio.Protocol):
    """A connection that notes when it hears a hint, and answers when it is asked whether it is there."""

    sent: bytes
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    heard: float = 0.0
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.transport.write(self.sent)

    def data_received(self, data: bytes) -> None:
        if not self.opened.is_set():
            assert data.startswith(b"HTTP/1.1 101"), data
            self.opened.set()
            return
        if PING in data and self.transport is not None:
            self.transport.write(PONG)
        if not self.heard and MARK in data:
            self.heard = time.perf_counter()


@asynccontextmanager
async def ears(url: str, number: int, path: str, more: str = "", *, a_second: int = 0) -> AsyncIterator[list[Ear]]:
    """Open so many connections; `a_second`: no faster than the server lets them in."""
    host, port = url.removeprefix("http://").split(":")
    sent = UPGRADE.format(path=path, more=more).encode()
    made = [Ear(sent) for _ in range(number)]
    loop = asyncio.get_running_loop()
    for first in range(0, number, OPENING):
        some = made[first : first + OPENING]
        await asyncio.gather(*(loop.create_connection(lambda ear=ear: ear, host, int(port)) for ear in some))  # type: ignore[misc]
        await asyncio.gather(*(ear.opened.wait() for ear in some))
        await asyncio.sleep(OPENING / a_second if a_second else 0)
    await asyncio.sleep(SETTLE_SECONDS)
    yield made
    for ear in made:
        assert ear.transport is not None
        ear.transport.abort()
    await asyncio.sleep(SETTLE_SECONDS)


@asynccontextmanager
async def servers(world: World, **more: str) -> AsyncIterator[tuple[ServerProcess, str, int]]:
    """Start a server of ours with room for everybody, and the floor's; give ours, the floor's address and its pid."""
    environment = {
        "COTTON_DATABASE_URL": world.cluster.url(),
        "COTTON_SIGNING_KEY_FILE": str(world.folder / "server" / "keys"),
        "COTTON_REQUIRE_TOTP": "false",
        **FREE,
        **more,
    }
    ours = ServerProcess(world.folder / "live", environment)
    port = free_port()
    floor = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.echo_server", str(port))
    try:
        await ours.start()
        yield ours, f"http://127.0.0.1:{port}", floor.pid
    finally:
        await ours.clean_up()
        floor.terminate()
        await floor.wait()


def _authorized(world: World) -> str:
    token = world.get(ORG, None).decode().partition("Authorization: Bearer ")[2].split("\r\n")[0]
    return f"Authorization: Bearer {token}\r\n"


async def idle(world: World) -> AsyncIterator[Figure]:
    """Memory of a connection on which nothing happens."""
    number = world.sizes.listeners
    async with servers(world) as (ours, floor_url, floor_pid):
        took = []
        for pid, url, path, more in (
            (floor_pid, floor_url, "/ws", _authorized(world)),
            (ours.pid, ours.url, "/api/v1/live", _authorized(world)),
        ):
            async with ears(url, 5, path, more):  # whatever is made once
                before = psutil.Process(pid).memory_info().rss
                async with ears(url, number, path, more):
                    took.append((psutil.Process(pid).memory_info().rss - before) / number / 1024)
    floor, subject = (max(kilobytes, 0.1) for kilobytes in took)
    yield Figure("live: idle connection", "kB", [subject], [floor], 1.5, facts={"connections": number})


async def hints(world: World) -> AsyncIterator[Figure]:
    """From sending a change to the hint on every connection of the organisation, against sending one frame to all."""
    number = world.sizes.listeners
    async with servers(world) as (ours, floor_url, _):
        floors = await _rounds(world, floor_url, "/ws", _authorized(world), _broadcast)
        subjects = await _rounds(world, ours.url, "/api/v1/live", _authorized(world), _change(world, ours.url))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        floor, subject = ([_at(times, share) for times in rounds] for rounds in (floors, subjects))
        yield Figure(f"live: change to hint, {name}", "ms", subject, floor, 2, facts={"connections": number})


async def storm(world: World) -> AsyncIterator[Figure]:
    """From a change to the hint on connections that stay, while a crowd comes back and once all of it is there."""
    number = world.sizes.listeners
    stay = max(number // 10, 1)
    async with servers(world, COTTON_LIVE_ADMITTED_PER_SECOND=ADMITTED) as (ours, _, __):
        url, more = ours.url, _authorized(world)
        async with ears(url, stay, "/api/v1/live", more, a_second=int(ADMITTED)) as staying:
            act = _change(world, url)
            async with _crowd(url, more, number - stay) as coming:
                stormy = []
                while not coming.done():
                    stormy.append(await _once(staying, act))
                    await asyncio.sleep(STORM_HINTS_SECONDS)
                calm = [await _once(staying, act) for _ in range(world.sizes.rounds + 1)][1:]
                told = orjson.loads(await coming)
    floor, subject = ([_at(times, 0.99) for times in rounds] for rounds in (calm, stormy))
    facts = {"connections": number, "changes_in_the_storm": len(stormy), **told}
    yield Figure("live: change to hint in a storm, p99", "ms", subject, floor, 2, facts=facts)


@asynccontextmanager
async def _crowd(url: str, more: str, number: int) -> AsyncIterator[asyncio.Future[bytes]]:
    """Let so many come; what is awaited says what became of them once all are in, which they stay to the end of the block."""
    host, port = url.removeprefix("http://").split(":")
    storming = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.storm_client", host, port, str(number), str(STORM_SECONDS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert storming.stdin is not None
    assert storming.stdout is not None
    storming.stdin.write(more.encode())
    coming = asyncio.ensure_future(storming.stdout.readline())
    try:
        yield coming
    finally:
        coming.cancel()
        storming.stdin.close()
        await storming.wait()


async def _rounds(
    world: World, url: str, path: str, more: str, act: Callable[[list[Ear]], Awaitable[None]]
) -> list[list[float]]:
    rounds = []
    async with ears(url, world.sizes.listeners, path, more) as listening:
        for _ in range(world.sizes.rounds + 1):
            rounds.append(await _once(listening, act))
            await asyncio.sleep(0.3)
    return rounds[1:]


async def _once(listening: list[Ear], act: Callable[[list[Ear]], Awaitable[None]]) -> list[float]:
    """Act, and give how many milliseconds it took each to hear of it, in order."""
    for ear in listening:
        ear.heard = 0.0
    began = time.perf_counter()
    await act(listening)
    async with asyncio.timeout(60):
        while not all(ear.heard for ear in listening):
            await asyncio.sleep(0.01)
    return sorted((ear.heard - began) * 1_000 for ear in listening)


async def _broadcast(listening: list[Ear]) -> None:
    """Have the floor send a frame of a hint's size to everybody."""
    text = b'{"type":"hint","clock":2199023255595,"entities":["business_partners"],"channels":["org:bench"]}'
    transport = listening[0].transport
    assert transport is not None
    transport.write(bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text)  # masked with nothing


def _change(world: World, url: str) -> Callable[[list[Ear]], Awaitable[None]]:
    client = LeanClient(url)
    numbers = iter(range(1_000_000))

    async def change(_: list[Ear]) -> None:
        body = orjson.dumps({"trade_name": f"Changed {next(numbers)}"})
        id = await world.connection.fetchval("SELECT min(id) FROM business_partners WHERE org_id = $1", ORG)
        token = _authorized(world).removeprefix("Authorization: Bearer ").strip()
        asked = request("PATCH", f"/api/v1/business_partners/{id}", token, body)
        asked = asked.replace(b"Content-Type", b"If-Match: *\r\nContent-Type", 1)
        await asyncio.to_thread(client.ask, asked)

    return change


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]
