"""The watch over sessions: a request is let in only while its session lives, as the database said a moment ago.

Owns: what is remembered of live sessions, and for how long.
Must not know: HTTP, tokens.
Invariant: an answer is never older than `FRESH_SECONDS`, counted from before the question was asked; if the database cannot be
asked, nobody is let in by an older one (tests/integration/test_sessions.py).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeAlias

from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.sessions import SessionKey, live_among

FRESH_SECONDS: Final = 4.0
"""How old an answer may be. What is promised is 5 s (OWASP ASVS 5.0, 7.4.1): the rest is for the request's own way."""

REMEMBERED_MAX: Final = 50_000
"""Sessions, about 400 bytes each."""

TOGETHER_MAX: Final = 500
"""Sessions that are asked for in one statement."""

Read: TypeAlias = Callable[[Collection[SessionKey]], Awaitable[Mapping[SessionKey, Actor]]]


class SessionWatch:
    """Which sessions live; those that are asked for at the same time are looked up together."""

    def __init__(self, read: Read, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._known: OrderedDict[SessionKey, tuple[float, Actor | None]] = OrderedDict()
        self._asked: dict[SessionKey, asyncio.Future[Actor | None]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    @classmethod
    def over(cls, database: Database) -> SessionWatch:
        """Watch the sessions of a database."""

        async def read(keys: Collection[SessionKey]) -> Mapping[SessionKey, Actor]:
            live: dict[SessionKey, Actor] = {}
            for org_id in sorted({org_id for org_id, _ in keys}):
                async with database.acquire(org_id) as connection:
                    live |= await live_among(connection, [key for key in keys if key[0] == org_id])
            return live

        return cls(read)

    async def live(self, actor: Actor) -> Actor | None:
        """Give the actor as the session says who it is, with its device; None: the session is over, or another's.

        Raises what the database raises. Cost: nothing, or a share of one statement of its organisation every
        `FRESH_SECONDS` per session.
        """
        key = (actor.org_id, actor.session_id)
        known = self._known.get(key)
        if known is None or self._clock() - known[0] > FRESH_SECONDS:
            found = await self._ask(key)
        else:
            found = known[1]
        return found if found is not None and found.user_id == actor.user_id else None

    def forget(self, org_id: str, session_ids: Collection[str]) -> None:
        """Ask anew for these: this process has ended them itself."""
        for id in session_ids:
            self._known.pop((org_id, id), None)

    async def close(self) -> None:
        """Wait for the questions that are under way."""
        if self._asking:
            await asyncio.wait(self._asking)

    def _ask(self, key: SessionKey) -> Awaitable[Actor | None]:
        waiting = self._asked.get(key)
        if waiting is None:
            waiting = self._asked[key] = asyncio.get_running_loop().create_future()
            if len(self._asked) == 1 or len(self._asked) >= TOGETHER_MAX:
                task = asyncio.create_task(self._answer())
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
        return asyncio.shield(waiting)

    async def _answer(self) -> None:
        """Look up everything that was asked until now. Whoever asks from here on is answered by the next look-up."""
        asked, self._asked = self._asked, {}
        began = self._clock()
        reading = asyncio.ensure_future(self._read(asked))
        await asyncio.wait({reading})
        failure = asyncio.CancelledError() if reading.cancelled() else reading.exception()
        if failure is not None:
            for waiting in asked.values():
                waiting.set_exception(failure)
                waiting.exception()  # whoever waited may have left; the others raise it
            return
        found = reading.result()
        for key, waiting in asked.items():
            self._remember(key, began, found.get(key))
            waiting.set_result(found.get(key))

    def _remember(self, key: SessionKey, began: float, actor: Actor | None) -> None:
        self._known[key] = (began, actor)
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
