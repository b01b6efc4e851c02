"""Sockets: one live connection as the hall keeps it.

Owns: what is remembered of a connection beside what the hub knows, whether it reads, and its end.
Must not know: who is told what, the database.
Invariant: nothing is written to a socket that has not read what was written before, so that writing never waits and what is
unsent stays below a frame or two (tests/integration/test_live_limits.py).
"""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from sync_server.live.members import Member
from sync_server.live.meters import ENDED
from sync_server.store.actor import Actor
from sync_server.wire.live import FRAME_MAX, PROTOCOL, Close

UNSENT_BYTES: Final = 16 * 1024
"""What the kernel keeps for a connection that does not read; 100 hints. (Linux doubles it.)"""

MESSAGES_PER_SECOND: Final = 20.0
MESSAGES_AT_ONCE: Final = 40.0
"""A client that comes back subscribes to all that its screens show at once."""

GOODBYE_SECONDS: Final = 2.0
"""How long the other side may take to answer our closing frame."""
ABORT_SECONDS: Final = 10.0
"""After a goodbye, until a connection is cut off with what it has not read."""


@dataclass(slots=True, eq=False)
class Socket:
    """A live connection. Times: of the monotonic clock; `until`: Unix seconds, when its token runs out."""

    ws: web.WebSocketResponse
    transport: asyncio.Transport
    actor: Actor
    until: int
    key_id: str
    member: Member
    heard_at: float = field(default_factory=time.monotonic)
    beat_at: float = 0.0
    warned: bool = False
    stalled_at: float | None = None
    notices: dict[tuple[str, str], str] | None = None
    """(Kind, channel) -> the newest frame that is yet to be sent."""
    shown: frozenset[str] = frozenset()
    """The channels on which it shows itself."""
    ending: bool = False
    _messages: float = MESSAGES_AT_ONCE

    def reads(self, now: float) -> bool:
        """Say whether it has read what was written, and note since when it has not."""
        if self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size():
            self.stalled_at = self.stalled_at or now
            return False
        self.stalled_at = None
        return True

    def may_speak(self, now: float) -> bool:
        """Count a message; False: there were too many."""
        self._messages = min(self._messages + (now - self.heard_at) * MESSAGES_PER_SECOND, MESSAGES_AT_ONCE) - 1
        self.heard_at = now
        return self._messages >= 0

    async def close(self, code: Close) -> None:
        """Say goodbye and why, without waiting for a reader who does not read."""
        self.ending = True
        ENDED.add(code.name.lower())
        loop = asyncio.get_running_loop()
        cut = loop.call_later(ABORT_SECONDS, self.transport.abort)
        try:
            await self.ws.close(code=code, message=code.name.lower().encode(), drain=False)
        finally:
            if self.transport.is_closing() and not self.transport.get_write_buffer_size():
                cut.cancel()


def make_socket() -> web.WebSocketResponse:
    """Make the answer to an upgrade: small frames, nothing compressed (what is secret beside what is chosen would show)."""
    return web.WebSocketResponse(
        protocols=(PROTOCOL,), max_msg_size=FRAME_MAX, compress=False, autoping=False, timeout=GOODBYE_SECONDS
    )


def keep_little(transport: asyncio.Transport) -> None:
    """Have the kernel keep little for a reader who does not read, so that it shows soon and costs little."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, UNSENT_BYTES)
