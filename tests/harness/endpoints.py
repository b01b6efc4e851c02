"""Endpoints of webhooks on this machine, the wheels of a process that serves them, and a name server that changes its mind.

Owns: the HTTP that an endpoint speaks, the DNS that a name server speaks, and a clock that a test moves.
Must not know: what a message should say.
Invariant: an endpoint keeps every request as it came, whatever it answers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from sync_server.identity.secret_key import SecretKey
from sync_server.identity.webhook_keeping import Asker, Keeper
from sync_server.operate.webhook_sender import open_webhook_sender
from sync_server.operate.webhook_wall import Wall
from sync_server.operate.webhooks import Webhooks
from sync_server.store.webhooks import Webhook
from tests.harness.world import House


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    body: bytes
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.body))

    @property
    def data(self) -> dict[str, Any]:
        return cast(dict[str, Any], self.message["data"])


@dataclass
class Endpoint:
    """`taken`: every request; `answers`: the statuses of the next ones, then `status`. `headers`: sent with each answer."""

    url: str = ""
    taken: list[Taken] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    stalls: bool = False
    floods: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        lower = {name.lower(): value for name, value in request.headers.items()}
        self.taken.append(Taken(await request.read(), lower))
        self.arrived.set()
        if self.stalls:
            await self.released.wait()
        status = self.answers.pop(0) if self.answers else self.status
        if not self.floods:
            return web.Response(status=status, headers=self.headers)
        answer = web.StreamResponse(status=status)
        await answer.prepare(request)
        for _ in range(4_096):
            await answer.write(b"x" * 65_536)
        return answer

    def of(self, record: str) -> list[Taken]:
        """Give what was taken of a record."""
        return [one for one in self.taken if one.data.get("id") == record]


@asynccontextmanager
async def endpoint_here(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Endpoint]:
    """Run an endpoint on a loopback address."""
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/in", endpoint.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        endpoint.url = f"http://{host}:{runner.addresses[0][1]}/in"
        yield endpoint
    finally:
        endpoint.released.set()
        await runner.cleanup()


@dataclass
class Clock:
    """The time, as a test has it."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **times: float) -> None:
        self.now += timedelta(**times)


@dataclass
class Works:
    """What serves the webhooks of a house, moved by hand."""

    house: House
    webhooks: Webhooks
    keeper: Keeper
    clock: Clock

    async def subscribe(
        self, url: str, *events: str, owner: str = "agent1", scopes: Sequence[str] = ()
    ) -> tuple[Webhook, str]:
        """Make a webhook that hears from now on; give it and its secret."""
        by = Asker(self.house.actor(owner), "127.0.0.1")
        return await self.keeper.make(by, url=url, name="", events=events, scopes=scopes)

    async def round(self) -> int:
        """Read on to the end of the log, then send what is due until nothing is; give how many attempts were made."""
        for _ in range(50):
            if not await self.webhooks.follow():
                break
        tried = 0
        for _ in range(50):
            some = await self.webhooks.deliver()
            tried += some
            if not some:
                return tried
        raise AssertionError("there is always something due")

    async def states(self) -> list[str]:
        """Give the states of all deliveries, in the order in which they were queued."""
        return [row["state"] for row in await self.house.fetch("SELECT state FROM webhook_delivery ORDER BY number")]

    async def log(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.house.fetch("SELECT * FROM webhook_delivery ORDER BY number")]

    async def webhook(self, id: str) -> dict[str, Any]:
        (row,) = await self.house.fetch("SELECT * FROM webhook WHERE id = $1", id)
        return dict(row)


@asynccontextmanager
async def works_of(
    house: House, folder: Path, wall: Wall | None = None, name_servers: Sequence[str] = ()
) -> AsyncIterator[Works]:
    """Give what serves the webhooks of a house; by default it may reach this machine."""
    key, clock = SecretKey.open(folder / "webhooks.key"), Clock()
    async with open_webhook_sender(wall or Wall(loopback=True), name_servers) as sender:
        webhooks = Webhooks(house.database, house.standings, key, sender, now=clock)
        yield Works(house, webhooks, Keeper(house.database, key), clock)


# --- Names ----------------------------------------------------------------------------------------------------------------


class NameServer(asyncio.DatagramProtocol):
    """A name server on UDP: `addresses`, name -> its answers one after the other, the last one for ever after.

    An answer is a list of addresses of both kinds. `asked`: (name, kind) of every question.
    """

    def __init__(self) -> None:
        self.addresses: dict[str, list[list[str]]] = {}
        self.asked: list[tuple[str, str]] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        assert self._transport is not None
        name, end = _name_in(data)
        (kind,) = struct.unpack("!H", data[end : end + 2])
        word = {1: "A", 28: "AAAA"}.get(kind, str(kind))
        self.asked.append((name, word))
        rows = self._rows(name, word)
        head = data[:2] + struct.pack("!HHHHH", 0x8580 if rows is not None else 0x8583, 1, len(rows or ()), 0, 0)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(row)) + row for row in rows or ())
        self._transport.sendto(head + data[12 : end + 4] + answers, addr)

    def _rows(self, name: str, word: str) -> list[bytes] | None:
        """Give the addresses of a name; None: there is no such name."""
        if name not in self.addresses:
            return None
        before = sum(1 for asked in self.asked[:-1] if asked == (name, word))
        said = self.addresses[name][min(before, len(self.addresses[name]) - 1)]
        parsed = [ipaddress.ip_address(text) for text in said]
        return [one.packed for one in parsed if (one.version == 4) is (word == "A")]


def _name_in(data: bytes) -> tuple[str, int]:
    """Read the name of the question: (name, where it ends)."""
    labels, place = [], 12
    while data[place]:
        labels.append(data[place + 1 : place + 1 + data[place]].decode())
        place += 1 + data[place]
    return ".".join(labels).lower(), place + 1


@asynccontextmanager
async def name_server_here() -> AsyncIterator[tuple[NameServer, str]]:
    """Run a name server on a free loopback port; give it and its address."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        yield server, "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
