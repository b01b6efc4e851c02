"""Servers for tests: one inside this process, or real ones that can be killed.

Owns: starting, waiting for readiness, and stopping by pid.
Must not know: what is asked of the server.
Invariant: whatever a test does, its servers and the postmasters they started are gone when it ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sync_server.config import BUCKETS, Settings
from tests.harness.clusters import stop_orphan

PASSWORD = "cotton-demo"
UNLIMITED = {f"limit_{bucket}": "none" for bucket in BUCKETS}
"""Tests ask more from one address in a second than an office in an hour; those of the limits say their own."""
READY_SECONDS = 60


@dataclass
class Server:
    """A server to talk to: `session` has its address as base URL, so paths are enough."""

    url: str
    session: aiohttp.ClientSession
    settings: Settings
    app: web.Application | None = None

    async def login(self, username: str, password: str = PASSWORD) -> str:
        """Log in; give the access token."""
        return str((await self.grant(username, password))["access_token"])

    async def grant(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        """Log in; give the whole answer."""
        credentials = {"username": username, "password": password}
        async with self.session.post("/api/v1/auth/login", json=credentials) as answer:
            assert answer.status == 200, await answer.text()
            grant: dict[str, Any] = await answer.json()
            return grant

    async def bearer(self, username: str, password: str = PASSWORD) -> dict[str, str]:
        """Log in; give the headers of a request of this user."""
        return {"Authorization": f"Bearer {await self.login(username, password)}"}


@asynccontextmanager
async def serve_here(database_url: str, data: Path, **settings: Any) -> AsyncIterator[Server]:
    """Serve `database_url` inside this process on a free loopback port; it works on no jobs unless it is told to."""
    from sync_server.app import create_app, make_runner  # here, so that a test of one room does not need all the others

    chosen = Settings(data=data, port=0, **{"drain_seconds": 2, "jobs": False, **UNLIMITED, **settings})
    app = create_app(chosen, database_url)
    runner = make_runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(url) as session:
            yield Server(url, session, chosen, app)
    finally:
        await runner.cleanup()


def free_port() -> int:
    """Find a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ServerProcess:
    """A real `python -m sync_server serve` on a port of its own, which it keeps over restarts.

    `environment`: settings as variables. Without COTTON_DATABASE_URL it runs its own embedded PostgreSQL below `data`.
    """

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    def output(self) -> str:
        """Read what the server has printed and logged so far, all starts together."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it is ready."""
        self.data.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COTTON_")}
        own = {"COTTON_DATA": str(self.data), "COTTON_PORT": str(self.port), "COTTON_DRAIN_SECONDS": "5"}
        unlimited = {f"COTTON_{name.upper()}": value for name, value in UNLIMITED.items()}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sync_server", "serve"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**inherited, **unlimited, **own, **self.environment},
                start_new_session=True,
            )
        if wait:
            await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until /readyz says yes. Fails with the log if the server ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await self._is_ready(session):
                assert self.process is not None
                assert self.process.returncode is None, f"the server ended:\n{self.output()[-4000:]}"
                assert time.monotonic() < deadline, f"the server does not become ready:\n{self.output()[-4000:]}"
                await asyncio.sleep(0.05)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def kill(self) -> None:
        """Kill it as a power cut would: no handler runs."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask it to stop, wait until it has; give its exit code."""
        return await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """Start it again after `kill` or `terminate`."""
        assert self.process is None or self.process.returncode is not None, "it still runs"
        await self.start()

    async def _end(self, how: signal.Signals) -> int:
        assert self.process is not None, "the server was not started"
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 60)

    async def clean_up(self) -> None:
        """End it, and the postmaster it may have left behind when it was killed."""
        if self.process is not None and self.process.returncode is None:
            await self.terminate()
        await asyncio.to_thread(stop_orphan, self.data / "postgres")
