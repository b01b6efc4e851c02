"""Somebody who listens, for tests of live connections: a WebSocket whose frames are kept as they come.

Owns: opening it, keeping the frames, waiting for one.
Must not know: what should come.
Invariant: it is closed when its block ends, whatever happened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.harness.servers import Server

WAIT_SECONDS = 8.0
Frame = dict[str, Any]


@dataclass
class Listener:
    """A connection; `frames` has what came, `code` the closing code once it is closed."""

    ws: aiohttp.ClientWebSocketResponse
    frames: list[Frame] = field(default_factory=list)
    code: int | None = None
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self) -> None:
        async for message in self.ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue  # a ping, for who answers none
            async with self._heard:
                self.frames.append(json.loads(message.data))
                self._heard.notify_all()
        async with self._heard:
            self.code = self.ws.close_code
            self._heard.notify_all()

    async def until(self, is_it: Callable[[Frame], bool], seconds: float = WAIT_SECONDS) -> Frame:
        """Wait for a frame, among those that came already too. Fails with all that came if it does not come."""
        try:
            async with asyncio.timeout(seconds), self._heard:
                await self._heard.wait_for(lambda: self.code is not None or any(map(is_it, self.frames)))
        except TimeoutError:
            pass
        found = [frame for frame in self.frames if is_it(frame)]
        assert found, f"it did not come: {self.frames}, closed: {self.code}"
        return found[0]

    async def kind(self, kind: str, seconds: float = WAIT_SECONDS) -> Frame:
        return await self.until(lambda frame: frame["type"] == kind, seconds)

    async def hint_of(self, table: str, seconds: float = WAIT_SECONDS) -> Frame:
        return await self.until(lambda frame: frame["type"] == "hint" and table in frame["entities"], seconds)

    async def closed(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait until the server closes it; give the code."""
        async with asyncio.timeout(seconds), self._heard:
            await self._heard.wait_for(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    async def say(self, **frame: Any) -> None:
        await self.ws.send_str(json.dumps(frame))

    async def subscribe(self, channel: str, **more: Any) -> Frame:
        """Subscribe; give the answer."""
        before = len(self.frames)
        await self.say(type="subscribe", channel=channel, **more)
        answers = ("subscribed", "refused")
        await self.until(lambda f: f in self.frames[before:] and f["type"] in answers and f["channel"] == channel)
        return next(f for f in self.frames[before:] if f["type"] in answers and f["channel"] == channel)

    def hints(self) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == "hint"]


@asynccontextmanager
async def listening(
    server: Server, headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Listener]:
    """Open a live connection and wait for its first frame."""
    path = options.pop("path", "/api/v1/live")
    async with server.session.ws_connect(path, headers=dict(headers or {}), **options) as ws:
        listener = Listener(ws)
        reading = asyncio.create_task(listener.read())
        try:
            await listener.kind("hello")
            yield listener
        finally:
            await ws.close()
            await reading


async def refusal(server: Server, headers: Mapping[str, str] | None = None, **options: Any) -> tuple[int, str]:
    """Try to open a live connection; give the status and the code of the refusal."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    path = options.pop("path", "/api/v1/live")
    async with server.session.get(path, headers={**upgrade, **(headers or {})}) as answer:
        if answer.status == 101:
            answer.close()
            return 101, ""
        return answer.status, (await answer.json(content_type=None))["code"]
