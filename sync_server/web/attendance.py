"""Attendance: connections that show themselves on a channel, and are told who else is there.

Owns: who may show themselves where, and telling this process's connections and the other processes.
Must not know: how rosters are kept (live/presence.py), how frames are sent (hall.py).
Invariant: nobody is shown who did not ask for it, nor to anybody who does not show themselves; a partner's login is neither
(tests/integration/test_live_presence.py).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time

from sync_server.live.bus import Bus
from sync_server.live.channels import NOTHING
from sync_server.live.presence import AGAIN_SECONDS, Rosters, Shown, write_shown
from sync_server.web.hall import Hall
from sync_server.web.sockets import Socket
from sync_server.wire import live as frames

LOOK_SECONDS = 2.0
"""Between two looks for who has gone without a word."""

OF_THE_HOUSE = ("org", "settings")
"""What everybody of the house sees and no partner's login does: the label and the table."""


class Attendance:
    """Who shows themselves on the connections of one process."""

    def __init__(self, hall: Hall, bus: Bus) -> None:
        self._hall = hall
        self._bus = bus
        self._rosters = Rosters()
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._places: dict[tuple[Socket, str], str] = {}
        self._there: dict[tuple[str, str], set[Socket]] = {}

    def show(self, socket: Socket, channel: str) -> None:
        """Show a connection on a channel that it listens to, and tell it who is there."""
        if not self._may_show(socket, channel):
            return
        if channel not in socket.shown:
            socket.shown |= {channel}
            self._places[socket, channel] = f"{self._name}.{next(self._numbers)}"
            self._there.setdefault((socket.actor.org_id, channel), set()).add(socket)
            self._say(socket, channel, here=True)
        self._tell_one(socket, channel)

    def hide(self, socket: Socket, channel: str) -> None:
        """Show a connection on a channel no more."""
        if channel not in socket.shown:
            return
        self._say(socket, channel, here=False)
        key = (socket.actor.org_id, channel)
        socket.shown -= {channel}
        del self._places[socket, channel]
        self._there[key].discard(socket)
        if not self._there[key]:
            del self._there[key]

    def hide_all(self, socket: Socket) -> None:
        """Show a connection nowhere any more."""
        for channel in socket.shown:
            self.hide(socket, channel)

    def hear(self, shown: Shown) -> None:
        """Take in what another process says; what this one said itself it knows."""
        if not shown.place.startswith(f"{self._name}."):
            self._note(shown)

    async def keep(self) -> None:
        """Say now and then who is still here, and let go of who is not, for ever."""
        said = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if now - said >= AGAIN_SECONDS:
                said = now
                for socket, channel in list(self._places):
                    self._say(socket, channel, here=True)
            for org_id, channel in self._rosters.expire(now):
                self._tell(org_id, channel)

    def _may_show(self, socket: Socket, channel: str) -> bool:
        label, table = OF_THE_HOUSE
        is_colleague = table in socket.member.viewer.sight.get(label, NOTHING)
        return is_colleague and (channel.startswith("entity:") or channel == f"user:{socket.actor.user_id}")

    def _say(self, socket: Socket, channel: str, *, here: bool) -> None:
        actor = socket.actor
        place = self._places[socket, channel]
        shown = Shown(actor.org_id, channel, actor.user_id, actor.device_id, place, here)
        self._note(shown)
        self._bus.publish(actor.org_id, write_shown(shown))

    def _note(self, shown: Shown) -> None:
        if self._rosters.note(shown, time.monotonic()):
            self._tell(shown.org_id, shown.channel)

    def _tell(self, org_id: str, channel: str) -> None:
        for socket in self._there.get((org_id, channel), ()):
            self._tell_one(socket, channel)

    def _tell_one(self, socket: Socket, channel: str) -> None:
        present = self._rosters.present(socket.actor.org_id, channel)
        self._hall.notify(socket, "presence", channel, frames.presence(channel, present))
