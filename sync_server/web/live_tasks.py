"""What keeps live connections going: the tail, the bus, the hall's tasks and the watch over sessions.

Owns: starting and ending them, and that a failure of the database or the bus ends none of them.
Must not know: frames, what clients say.
Invariant: within `WATCH_SECONDS` and a moment of its end, no connection of a session is open, whoever ended it; losing the
database or the bus closes no connection (tests/integration/test_live_ends.py, tests/integration/test_live_bus.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import islice
from typing import Final

import structlog
from aiohttp import web

from sync_server.ending import end
from sync_server.identity.tokens import Tokens
from sync_server.live.bus import Bus
from sync_server.live.choose import choose_bus
from sync_server.live.news import Batch, read_batch, write_batch
from sync_server.live.presence import read_shown
from sync_server.live.tail import Mark, Seen, Tail
from sync_server.store.actor import Actor
from sync_server.store.database import NO_ORGANISATION, Database, nobody_listens
from sync_server.store.enduring import for_ever
from sync_server.store.facts import read_identity
from sync_server.store.sessions import live_among
from sync_server.web import keys
from sync_server.web.attendance import Attendance
from sync_server.web.draining import FLIGHTS
from sync_server.web.hall import Hall
from sync_server.web.live_source import LogSource
from sync_server.web.sockets import Socket
from sync_server.wire.live import Close

WATCH_SECONDS: Final = 2.0
"""Between two looks at the sessions of all connections; what is promised is 5 s (OWASP ASVS 5.0, 7.4.1)."""

TOGETHER_MAX: Final = 1_000
"""Sessions that are asked for in one statement."""

AGAIN_SECONDS: Final = 0.5
"""After the database did not answer."""

WITHOUT_DATABASE: Final = "live_without_database"

log = structlog.get_logger(__name__)


class Live:
    """The live connections of an application, and what they need."""

    def __init__(self, hall: Hall, database: Database, tokens: Tokens, bus: Bus) -> None:
        self.hall = hall
        self.source = LogSource(database)
        self._bus = bus
        self._database = database
        self._tokens = tokens
        self.tail = Tail(hall.hub, self.source, tell=hall.tell, publish=self._publish)
        self.attendance = Attendance(hall, bus)
        hall.on_lost = self.attendance.hide

    async def look(self, actor: Actor) -> tuple[Mark, Seen]:
        """Say what somebody who comes sees, and by which clock. Cost: nothing if another connection of theirs is here."""
        house = self.hall.hub.house(actor.org_id)
        viewer = house.viewers.get(actor.user_id) if house is not None else None
        if house is not None and viewer is not None:
            return (house.clock, house.rights), Seen(viewer.sight, viewer.until)
        mark, seen = await self.source.sights(actor.org_id, [actor.user_id])
        return mark, seen[actor.user_id]

    def enter(self, request: web.Request, ws: web.WebSocketResponse, mark: Mark, seen: Seen) -> Socket:
        """Let a connection in whose upgrade is answered."""
        actor, transport = request[keys.ACTOR], request.transport
        if transport is None:
            raise ConnectionResetError("gone before it began")
        until, key_id = request[keys.TOKEN_UNTIL], request[keys.TOKEN_KEY]
        fields = {"ws": ws, "transport": transport, "actor": actor, "until": until, "key_id": key_id}
        socket = self.hall.join(fields, actor.org_id, actor.user_id, mark, seen)
        self._follow()
        self.tail.wake()
        return socket

    def leave(self, socket: Socket) -> None:
        """Forget a connection."""
        self.attendance.hide_all(socket)
        self.hall.leave(socket)

    def _publish(self, batch: Batch) -> None:
        self._bus.publish(batch.org_id, write_batch(batch))

    def _follow(self) -> None:
        self._bus.follow({house.org_id for house in self.hall.hub.houses()})

    def _hear(self, message: bytes) -> None:
        batch = read_batch(message)
        if batch is not None:
            self.tail.hear(batch)
            return
        shown = read_shown(message)
        if shown is not None:
            self.attendance.hear(shown)

    # --- Tasks ----------------------------------------------------------------------------------------------------------

    def tasks(self, draining: asyncio.Event) -> Sequence[Awaitable[None]]:
        """Give what is to run as long as the application does."""
        return (
            self.hall.pump(),
            self.hall.beat(),
            self.attendance.keep(),
            for_ever(self.tail.follow, WITHOUT_DATABASE, again_seconds=AGAIN_SECONDS),
            for_ever(self._watch, WITHOUT_DATABASE, again_seconds=AGAIN_SECONDS),
            self._bus.run(self._hear, self.tail.wake),
            self._stop(draining),
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._follow()
            await self.end_dead()

    async def end_dead(self) -> None:
        """End the connections of sessions that do not live, and of keys that are no longer good."""
        accepted = {key: self._tokens.is_accepted(key) for key in {s.key_id for s in self.hall.sockets.values()}}
        waiting = iter(list(self.hall.sockets.values()))
        while some := list(islice(waiting, TOGETHER_MAX)):
            asked = {(socket.actor.org_id, socket.actor.session_id) for socket in some}
            async with self._database.acquire_everywhere() as connection:
                live = await live_among(connection, asked)
            for socket in some:
                actor = live.get((socket.actor.org_id, socket.actor.session_id))
                if actor is None or actor.user_id != socket.actor.user_id or actor.wiping:
                    self.hall.end(socket, Close.SESSION_ENDED)
                elif not accepted.get(socket.key_id, True):
                    self.hall.end(socket, Close.TOKEN_EXPIRED)

    async def _stop(self, draining: asyncio.Event) -> None:
        """Send everybody away when the server begins to stop: an open connection would be waited for."""
        await draining.wait()
        self.hall.stopping = True
        self.hall.end_all(Close.STOPPING)


LIVE_ROOM: Final = web.AppKey("live", Live)


async def close_live(app: web.Application) -> None:
    """Close the connections before their handlers are waited for; for `app.on_shutdown`."""
    if LIVE_ROOM in app:
        await app[LIVE_ROOM].hall.close()


async def run_live(app: web.Application) -> AsyncIterator[None]:
    """Keep live connections going while the application runs; for `app.cleanup_ctx`, after the database."""
    settings, database = app[keys.SETTINGS], app[keys.DATABASE]
    async with database.acquire(NO_ORGANISATION) as connection:
        bus = choose_bus(settings.bus_url, await read_identity(connection))
    hall = Hall(settings)
    live = app[LIVE_ROOM] = Live(hall, database, app[keys.TOKENS], bus)
    database.on_commit = live.tail.committed
    running = [asyncio.ensure_future(task) for task in live.tasks(app[FLIGHTS].drain_begun)]
    yield
    await hall.close()
    database.on_commit = nobody_listens
    await end(running)
