"""The hall: the live connections of one process, and the tasks that tell them what there is to tell.

Owns: joining and leaving, sending hints and heartbeats, and the end of connections that are too slow, silent or out of time.
Must not know: how the log is read, who sees what (live/), what clients say (web/live.py).
Invariant: one task writes hints and never waits for a reader; what a connection has yet to be told is in the hub, coalesced, so
memory does not grow with what happens (tests/integration/test_live_limits.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from sync_server.config import Settings
from sync_server.live.admission import Bucket, Places
from sync_server.live.hub import Hub
from sync_server.live.members import Heard, Hint, Member
from sync_server.live.meters import HINT_LATENCY, HINTS
from sync_server.live.tail import Mark, Seen
from sync_server.web.sockets import Socket
from sync_server.wire import live as frames
from sync_server.wire.live import Close

TOGETHER_SECONDS: Final = 0.05
"""After a round of hints, what happens is gathered for the next: 20 a second are enough to tell a phone to pull."""

TICK_SECONDS: Final = 0.5
SLOW_SECONDS: Final = 15.0
"""How long a reader may leave a hint unread; a phone on 2G reads it in one."""

SILENT_BEATS: Final = 2.5
"""Heartbeats that a client may leave unanswered."""

WARN_SECONDS: Final = 60
"""Before a token runs out its holder is told; a refresh takes a second."""

FAIR: Final = 200
"""Connections that are written to before others have their turn; some 4 ms."""


def _nobody_asks(_socket: Socket, _channel: str) -> None:
    """Before somebody does."""


class Hall:
    """The connections of one process."""

    def __init__(self, settings: Settings) -> None:
        self.hub = Hub()
        self.bucket = Bucket(settings.live_admitted_per_second, time.monotonic())
        kinds = ("user", "device", "address", "organisation")
        self.places = Places({kind: getattr(settings, f"live_per_{kind}") for kind in kinds})
        self.heartbeat_seconds = settings.live_heartbeat_seconds
        self.sockets: dict[Member, Socket] = {}
        self.stopping = False
        self.on_lost: Callable[[Socket, str], None] = _nobody_asks
        """Told of each channel that a connection has lost."""
        self._ready: set[Member] = set()
        self._since: float | None = None
        self._woken = asyncio.Event()
        self._goodbyes: set[asyncio.Task[None]] = set()

    # --- Coming and going -----------------------------------------------------------------------------------------------

    def join(self, socket_of: Mapping[str, Any], org_id: str, user_id: str, mark: Mark, seen: Seen) -> Socket:
        """Add a connection; `socket_of`: the other fields of its `Socket`."""
        house = self.hub.open(org_id, *mark)
        if house.rights != mark[1]:
            house.rights = (-1, -1)  # somebody's sight is of other rights: the tail works all of them out anew
        member = self.hub.join(house, user_id, seen.sight, seen.until)
        now = time.monotonic()
        socket = Socket(member=member, beat_at=now + self.heartbeat_seconds, **socket_of)
        self.sockets[member] = socket
        return socket

    def leave(self, socket: Socket) -> None:
        """Forget a connection."""
        self.hub.leave(socket.member)
        self._ready.discard(socket.member)
        del self.sockets[socket.member]

    def end(self, socket: Socket, code: Close) -> None:
        """Close a connection, without waiting for it."""
        if not socket.ending:
            socket.ending = True
            self._spawn(socket.close(code))

    def end_all(self, code: Close) -> None:
        """Close every connection."""
        for socket in list(self.sockets.values()):
            self.end(socket, code)

    def _spawn(self, goodbye: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(goodbye)
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def close(self) -> None:
        """Close every connection and wait for their goodbyes."""
        self.stopping = True
        self.end_all(Close.STOPPING)
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    # --- Telling --------------------------------------------------------------------------------------------------------

    def tell(self, heard: Heard) -> None:
        """Have what was heard told, soon."""
        for member, name in heard.lost:
            socket = self.sockets.get(member)
            if socket is not None:
                self.on_lost(socket, name)
                self.notify(socket, "unsubscribed", name, frames.unsubscribed(name, "forbidden"))
        self._ready |= heard.ready
        if heard.ready and heard.since is not None:
            self._since = heard.since if self._since is None else min(self._since, heard.since)
        if self._ready:
            self._woken.set()

    def notify(self, socket: Socket, kind: str, channel: str, text: str) -> None:
        """Have a frame sent soon, instead of an older one of its kind on its channel."""
        socket.notices = {**(socket.notices or {}), (kind, channel): text}
        self._ready.add(socket.member)
        self._woken.set()

    async def pump(self) -> None:
        """Tell everybody what there is to tell, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            ready, self._ready = self._ready, set()
            since, self._since = self._since, None
            await self._tell_all(ready)
            if since is not None:
                HINT_LATENCY.observe(time.monotonic() - since)
            await asyncio.sleep(TOGETHER_SECONDS)

    async def _tell_all(self, ready: Iterable[Member]) -> None:
        written: dict[Hint, str] = {}
        for number, member in enumerate(ready, start=1):
            socket = self.sockets.get(member)
            if socket is not None and not socket.ending and socket.reads(time.monotonic()):
                await self._tell_one(socket, written)
            if number % FAIR == 0:
                await asyncio.sleep(0)

    async def _tell_one(self, socket: Socket, written: dict[Hint, str]) -> None:
        texts = list((socket.notices or {}).values())
        socket.notices = None
        hint = self.hub.take(socket.member)
        if hint is not None:
            if hint not in written:
                written[hint] = frames.hint(hint.clock, hint.entities, hint.channels)
            texts.append(written[hint])
            HINTS.add()
        for text in texts:
            await self.send(socket, text)

    async def send(self, socket: Socket, text: str) -> None:
        """Send a frame; a connection that has just gone will be forgotten by its handler."""
        with suppress(ConnectionError, RuntimeError):  # aiohttp raises RuntimeError once its own side is closed
            await socket.ws.send_str(text)

    # --- The clock's doing ----------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Send heartbeats, and end what is slow, silent or out of time, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now, unix = time.monotonic(), time.time()
            for number, socket in enumerate(list(self.sockets.values()), start=1):
                if not socket.ending:
                    await self._look_after(socket, now, unix)
                if number % FAIR == 0:
                    await asyncio.sleep(0)

    async def _look_after(self, socket: Socket, now: float, unix: float) -> None:
        code = self._over(socket, now, unix)
        if code is not None:
            self.end(socket, code)
        elif socket.reads(now):
            if socket.member.pending is not None or socket.notices is not None:
                self.tell(Heard(ready={socket.member}))
            if now >= socket.beat_at:
                socket.beat_at = now + self.heartbeat_seconds
                await self._beat_one(socket)
            if not socket.warned and unix > socket.until - WARN_SECONDS:
                socket.warned = True
                await self.send(socket, frames.expiring(max(int(socket.until - unix), 0)))

    def _over(self, socket: Socket, now: float, unix: float) -> Close | None:
        if unix >= socket.until:
            return Close.TOKEN_EXPIRED
        if socket.stalled_at is not None and now - socket.stalled_at > SLOW_SECONDS:
            return Close.TOO_SLOW
        if now - socket.heard_at > SILENT_BEATS * self.heartbeat_seconds:
            return Close.SILENT
        return None

    async def _beat_one(self, socket: Socket) -> None:
        await self.send(socket, frames.heartbeat(socket.member.org.clock, socket.member.due))
        with suppress(ConnectionError, RuntimeError):
            await socket.ws.ping()
