"""Wires to Redis or Valkey: one server, or a cluster with sharded pub/sub.

Owns: connections, and which node an organisation's messages go through.
Must not know: what a message says, when a wire is made anew (redis_bus.py).
Invariant: a message of an organisation crosses one node of a cluster (SPUBLISH, SSUBSCRIBE; plain pub/sub would flood all of
them); a channel whose slot moves ends the wire, and the next one asks where it is (tests/integration/test_live_bus.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Lost
from redis.maint_notifications import MaintNotificationsConfig

ANSWER_SECONDS_MAX: Final = 1.0
"""Redis answers in a millisecond or is away."""

ALIVE: Final = "cotton-live"
"""A channel on which nothing is said: a subscriber without any is no subscriber."""

_PATIENT: Final[dict[str, Any]] = {
    "socket_connect_timeout": ANSWER_SECONDS_MAX,
    "socket_keepalive": True,
    "retry": Retry(NoBackoff(), 0),
}
_PLAIN: Final[dict[str, Any]] = {
    # Of Redis Enterprise; Valkey refuses the question.
    "maint_notifications_config": MaintNotificationsConfig(enabled=False)
}


class _Single:
    """One server."""

    def __init__(self, client: Redis, pubsub: PubSub) -> None:
        self._client = client
        self._pubsub = pubsub

    async def publish(self, channel: str, message: bytes) -> None:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await self._client.publish(channel, message)

    async def subscribe(self, channel: str) -> None:
        await self._pubsub.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        await self._pubsub.unsubscribe(channel)

    async def read(self, hear: Callable[[bytes], None]) -> None:
        await _read(self._pubsub, "message", hear)


@asynccontextmanager
async def single_wire(url: str) -> AsyncIterator[_Single]:
    """Connect to the server at `url`, redis:// or rediss://."""
    async with Redis.from_url(url, **_PATIENT, **_PLAIN) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(ALIVE)
        yield _Single(client, pubsub)


class _Cluster:
    """A cluster: a subscriber for each node that has a channel of ours."""

    def __init__(self, cluster: RedisCluster, url: str) -> None:
        self._cluster = cluster
        self._options = {**parse_url(url), **_PATIENT}
        self._lines: dict[str, tuple[Redis, PubSub]] = {}
        self._homes: dict[str, PubSub] = {}
        self._new: asyncio.Queue[PubSub] = asyncio.Queue()

    async def publish(self, channel: str, message: bytes) -> None:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await self._cluster.execute_command("SPUBLISH", channel, message)

    async def subscribe(self, channel: str) -> None:
        node = self._cluster.get_node_from_key(channel)
        if node is None:
            raise Lost(f"no node has the slot of {channel}")
        line = self._lines.get(node.name)
        if line is None:
            place = {"host": node.host, "port": node.port}
            client = Redis(connection_pool=ConnectionPool(**{**self._options, **place, **_PLAIN}))
            line = self._lines[node.name] = (client, client.pubsub())
            await line[1].ssubscribe(channel)
            self._new.put_nowait(line[1])
        else:
            await line[1].ssubscribe(channel)
        self._homes[channel] = line[1]

    async def unsubscribe(self, channel: str) -> None:
        home = self._homes.pop(channel, None)
        if home is not None:
            await home.sunsubscribe(channel)

    async def read(self, hear: Callable[[bytes], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                line = await self._new.get()
                tasks.create_task(_read(line, "smessage", hear, gone=self._has_moved))

    def _has_moved(self, channel: str) -> bool:
        """A node takes a channel away when its slot has moved; it said so of one that we want."""
        return channel in self._homes

    async def close(self) -> None:
        for client, pubsub in self._lines.values():
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis has no types for it
            await client.aclose()
            await client.connection_pool.disconnect()


@asynccontextmanager
async def cluster_wire(url: str) -> AsyncIterator[_Cluster]:
    """Connect to the cluster of which one node is at `url`, redis:// or rediss://."""
    async with RedisCluster.from_url(url, socket_connect_timeout=ANSWER_SECONDS_MAX, **_PLAIN) as cluster:
        wire = _Cluster(cluster, url)
        try:
            yield wire
        finally:
            await wire.close()


async def _read(
    pubsub: PubSub, kind: str, hear: Callable[[bytes], None], gone: Callable[[str], bool] = lambda _channel: False
) -> None:
    while True:
        message = await pubsub.get_message(timeout=None)
        if message is None:
            await asyncio.sleep(0)  # a confirmation
        elif message["type"] == kind:
            hear(message["data"])
        elif message["type"] == "sunsubscribe" and gone(message["channel"].decode()):
            raise Lost("a slot has moved")
