"""The tail: reads on in the log of every organisation that somebody listens to, and lets the hub and the other processes know.

Owns: when the log is looked at, from where on, and that rights are worked out before what they decide is told.
Must not know: SQL (a `Source` reads), sockets, how the other processes are reached.
Invariant: an organisation's news reach the hub in the order of its positions, none skipped, only after their commit, and under
the rights of their moment; whatever a bus loses is read here a moment later (tests/properties/test_live.py).

Every process tails by itself: one statement for all organisations that it has listeners of, four times a second, and at once
after a commit of its own or a word of another process. Whoever reads first tells the others, who then need not read: so a
change costs about one read and one publish, however many processes and connections there are. docs/decisions/0014-live.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from sync_server.live.channels import Sight
from sync_server.live.hub import Hub
from sync_server.live.members import Heard, House, Stale, Viewer
from sync_server.live.news import Batch

POLL_SECONDS: Final = 0.25
"""Until a change is heard that nobody tells of: made in psql, or by a process without a bus."""

REST_SECONDS: Final = 0.02
"""Between two looks, however many commits there are; the first commit after a quiet moment is heard at once."""

TURN_SECONDS: Final = 1.0
"""Between two looks for grants that began or ended by themselves."""

TURNS_MAX: Final = 4
"""How often rights are worked out in one go while they keep changing; the next look goes on."""

TOGETHER_MAX: Final = 500
"""Users whose sights are worked out in one go, some 50 ms."""

Rights: TypeAlias = tuple[int, int]
"""When rights changed last: grants, and who is assigned to whom."""

Mark: TypeAlias = tuple[int, Rights]
"""A clock: its position, and when rights changed last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a user sees, until when at most (Unix seconds)."""

    sight: Sight
    until: float | None = None


class Source(Protocol):
    """Where the log is read."""

    async def clocks(self, org_ids: Collection[str]) -> Mapping[str, Mark]:
        """Give the clock of each organisation. Cost: one statement."""

    async def news(self, org_id: str, after: int) -> Batch:
        """Give what moved after a position, up to now, in one snapshot."""

    async def sights(self, org_id: str, user_ids: Collection[str]) -> tuple[Mark, Mapping[str, Seen]]:
        """Give what users see, and by which clock at least."""

    async def labels(self, org_id: str, table: str, id: str) -> Collection[str]:
        """Give the labels that a record carries; none: it is not there."""


class Tail:
    """The tail of one process; `tell` is handed what came of what was heard, `publish` what the other processes may hear."""

    def __init__(
        self,
        hub: Hub,
        source: Source,
        *,
        tell: Callable[[Heard], None],
        publish: Callable[[Batch], None],
    ) -> None:
        self._hub = hub
        self._source = source
        self._tell = tell
        self._publish = publish
        self._woken = asyncio.Event()
        self._committed: dict[str, float] = {}
        self._unsure: dict[str, set[str]] = {}
        self._turned_at = 0.0

    def wake(self) -> None:
        """Have the log looked at now."""
        self._woken.set()

    def committed(self, org_id: str) -> None:
        """Have the log looked at now: this process has just committed something of an organisation."""
        if self._hub.house(org_id) is not None:
            self._committed.setdefault(org_id, time.monotonic())
        self.wake()

    async def follow(self) -> None:
        """Look at the log, for ever. Raises what the source raises; then begin anew."""
        while True:
            await asyncio.sleep(REST_SECONDS)
            with contextlib.suppress(TimeoutError):  # nobody said anything: look all the same
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
            self._woken.clear()
            await self.look()

    async def look(self) -> None:
        """Look at every organisation once. Cost: one statement, and for each that moved two more."""
        names = [house.org_id for house in self._hub.houses()]
        if not names:
            self._committed.clear()
            return
        clocks = await self._source.clocks(names)
        for org_id, (position, rights) in clocks.items():
            house = self._hub.house(org_id)
            since = self._committed.pop(org_id, None)
            if house is not None and (position > house.clock or rights != house.rights):
                await self._catch_up(house, since)
        await self._settle()
        await self._turn_by_time()

    def hear(self, batch: Batch) -> None:
        """Take in what another process says; what it does not settle is looked up."""
        outcome = self._hub.hear(batch)
        if isinstance(outcome, Heard):
            self._take_in(batch.org_id, outcome)
        elif outcome in (Stale.GAP, Stale.TURNED):
            self.wake()

    async def _catch_up(self, house: House, since: float | None) -> None:
        for _ in range(TURNS_MAX):
            batch = await self._source.news(house.org_id, house.clock)
            if batch.rights != house.rights:
                await self.turn(house, list(house.viewers))
            outcome = self._hub.hear(batch)
            if isinstance(outcome, Heard):
                outcome.since = since
                self._take_in(house.org_id, outcome)
                self._publish(batch)
            if outcome is not Stale.TURNED:
                return

    def _take_in(self, org_id: str, heard: Heard) -> None:
        self._tell(heard)
        if heard.unsure:
            self._unsure.setdefault(org_id, set()).update(heard.unsure)
            self.wake()

    async def _settle(self) -> None:
        """Look up the labels of watched records of which nothing but the table was told."""
        while self._unsure:
            org_id, names = self._unsure.popitem()
            for name in names:
                _, table, id = name.split(":", 2)
                labels = await self._source.labels(org_id, table, id)
                house = self._hub.house(org_id)
                if house is not None:
                    self._tell(self._hub.relabel(house, name, tuple(labels)))

    async def _turn_by_time(self) -> None:
        now = time.time()
        if abs(now - self._turned_at) < TURN_SECONDS:
            return
        self._turned_at = now
        for house in list(self._hub.houses()):
            turned = [
                viewer.user_id for viewer in house.viewers.values() if viewer.until is not None and viewer.until <= now
            ]
            if turned:
                await self.turn(house, turned, all_of_them=False)

    async def turn(self, house: House, user_ids: Collection[str], *, all_of_them: bool = True) -> None:
        """Work out anew what users see. `all_of_them`: everybody who listens, so that it counts for later news."""
        waiting, oldest = list(user_ids), None
        while waiting:
            some, waiting = waiting[:TOGETHER_MAX], waiting[TOGETHER_MAX:]
            (_, rights), seen = await self._source.sights(house.org_id, some)
            oldest = oldest or rights
            for user_id, what in seen.items():
                viewer: Viewer | None = house.viewers.get(user_id)
                if viewer is not None:
                    viewer.until = what.until
                    self._tell(self._hub.entitle(house, user_id, what.sight))
        if all_of_them and oldest is not None:
            house.rights = oldest
