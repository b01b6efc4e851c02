"""An SMS gateway on this machine: it keeps what it is asked to send, and fails as it is told.

Owns: the HTTP that a gateway speaks.
Must not know: what is sent.
Invariant: a message is kept for every request, whatever is answered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sync_server.web import keys
from tests.harness.servers import Server


@dataclass
class Gateway:
    """`asked`: body and headers of every request; `answers`: the statuses of the next requests, then 200."""

    url: str = ""
    asked: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    stalls: bool = False
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await (request.json() if request.content_type == "application/json" else request.post())
        self.asked.append((dict(body), dict(request.headers)))
        if self.stalls:
            await self._released.wait()
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": self.url} if status in (301, 307) else {})

    def texts_to(self, number: str) -> list[str]:
        return [body["text"] for body, _ in self.asked if body["to"] == number]

    def code_to(self, number: str) -> str:
        """Give the newest code that was sent to a number."""
        (code,) = re.findall(r"\b\d{6}\b", self.texts_to(number)[-1])
        return str(code)

    def release(self) -> None:
        self._released.set()


@asynccontextmanager
async def gateway_here() -> AsyncIterator[Gateway]:
    """Run a gateway on a free loopback port."""
    gateway = Gateway()
    app = web.Application()
    app.router.add_post("/send", gateway.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}/send"
        yield gateway
    finally:
        gateway.release()
        await runner.cleanup()


async def all_sent(server: Server) -> None:
    """Wait until every message that was asked for has been dealt with."""
    assert server.app is not None
    await asyncio.wait_for(server.app[keys.CODES].outbox.idle(), 30)
