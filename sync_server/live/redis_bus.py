"""The bus over Redis or Valkey: one channel for each organisation that somebody here listens to.

Owns: what waits to be told, what is listened to, and coming back after Redis was away.
Must not know: what a message says, whether there is one Redis or a cluster (redis_wires.py).
Invariant: telling never waits and holds at most `OUTBOX_MAX` messages; however often Redis goes away, the bus is taken up again
and whoever listens is told that something may have been missed (tests/integration/test_live_bus.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import structlog
from redis.exceptions import RedisClusterException, RedisError

from sync_server.live.meters import BUS_LOST, BUS_UP

PREFIX: Final = "cotton-live:"
OUTBOX_MAX: Final = 1_000
"""Messages that wait for Redis, 50 KB each at most; older ones are dropped, as the log has them."""

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 2.0
"""Between tries to reach Redis."""

FAULTS: Final = (RedisError, RedisClusterException, OSError, TimeoutError)

log = structlog.get_logger(__name__)


class Wire(Protocol):
    """A connection to Redis, of whatever kind, as long as it lasts. Everything raises one of FAULTS when it does not."""

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell everybody who is subscribed."""

    async def subscribe(self, channel: str) -> None:
        """Hear what is published on a channel from now on."""

    async def unsubscribe(self, channel: str) -> None:
        """Hear it no more."""

    async def read(self, hear: Callable[[bytes], None]) -> None:
        """Hand on what is heard, for ever."""


Connect = Callable[[], AbstractAsyncContextManager[Wire]]


class RedisBus:
    """A bus over the Redis that `connect` reaches, for the processes over one database: positions of another mean nothing."""

    def __init__(self, connect: Connect, database: str) -> None:
        self._connect = connect
        self._prefix = f"{PREFIX}{database}:"
        self._outbox: deque[tuple[str, bytes]] = deque(maxlen=OUTBOX_MAX)
        self._wanted: frozenset[str] = frozenset()
        self._told = asyncio.Event()
        self._turned = asyncio.Event()
        self._up = True

    def publish(self, org_id: str, message: bytes, /) -> None:
        """Tell the other processes, as soon as Redis can be reached."""
        self._outbox.append((self._prefix + org_id, message))
        self._told.set()

    def follow(self, org_ids: Collection[str], /) -> None:
        """Listen to these organisations."""
        wanted = frozenset(self._prefix + org_id for org_id in org_ids)
        if wanted != self._wanted:
            self._wanted = wanted
            self._turned.set()

    async def run(self, hear: Callable[[bytes], None], back: Callable[[], None], /) -> None:
        """Keep the bus up, until cancelled."""
        wait = FIRST_SECONDS
        while True:
            try:
                async with self._connect() as wire, asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(wire, back))
                    tasks.create_task(self._send(wire))
                    tasks.create_task(wire.read(hear))
            except* FAULTS as faults:
                wait = FIRST_SECONDS if self._up else min(wait * 2, LONGEST_SECONDS)
                self._note(up=False, fault=_first(faults))
            await asyncio.sleep(wait)

    async def _listen(self, wire: Wire, back: Callable[[], None]) -> None:
        had: frozenset[str] = frozenset()
        while True:
            self._turned.clear()
            wanted = self._wanted
            for channel in wanted - had:
                await wire.subscribe(channel)
            for channel in had - wanted:
                await wire.unsubscribe(channel)
            had = wanted
            self._note(up=True)
            back()
            await self._turned.wait()

    async def _send(self, wire: Wire) -> None:
        while True:
            while self._outbox:
                channel, message = self._outbox[0]
                await wire.publish(channel, message)
                self._outbox.popleft()
            self._told.clear()
            await self._told.wait()

    def _note(self, *, up: bool, fault: BaseException | None = None) -> None:
        """Log that Redis is gone or back, once each."""
        BUS_UP.set(up)
        if up is not self._up:
            BUS_LOST.add(n=not up)
            self._up = up
            log.warning("live_bus_is_back" if up else "live_bus_unreachable", fault=type(fault).__name__)


def _first(fault: BaseException) -> BaseException:
    """Give a fault out of groups of groups: the tasks of a wire end together."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault
