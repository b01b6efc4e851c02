"""How many expensive requests of one organisation run at once.

Owns: the places, the short queue before them, and who is told to come back.
Must not know: what is expensive.
Invariant: an organisation never holds more than its places, and whoever waits has a place or an answer within WAIT_SECONDS
(tests/unit/test_caps.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from sync_server.web.headers import come_back
from sync_server.wire.problems import Problem

WAITING_PER_PLACE: Final = 64
"""An office whose phones all begin anew has its turn within WAIT_SECONDS: they share their copies (store/spool.py), so that
most of them wait for milliseconds. More than that is no office."""

WAIT_SECONDS: Final = 10.0
"""A phone gives up after some 30 s; answering before lets it come back when it is told to."""


@dataclass(slots=True)
class _Queue:
    places: asyncio.Semaphore
    inside: int = field(default=0)
    """Running or waiting."""


class Caps:
    """The places of every organisation in one process."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._queues: dict[str, _Queue] = {}

    def __len__(self) -> int:
        return len(self._queues)

    @asynccontextmanager
    async def place(self, org_id: str, *, needed: bool = True) -> AsyncIterator[None]:
        """Hold one of the organisation's places; without one if not `needed`. Raises `Problem` too_many_requests."""
        if not needed:
            yield
            return
        queue = self._queues.setdefault(org_id, _Queue(asyncio.Semaphore(self._at_once)))
        if queue.inside >= self._at_once * (1 + WAITING_PER_PLACE):
            raise _crowded()
        queue.inside += 1
        try:
            await _enter(queue)
            try:
                yield
            finally:
                queue.places.release()
        finally:
            queue.inside -= 1
            if queue.inside == 0:
                self._queues.pop(org_id, None)


CAPS: Final = web.AppKey("caps", Caps)


async def _enter(queue: _Queue) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await queue.places.acquire()
    except TimeoutError:
        raise _crowded() from None


def _crowded() -> Problem:
    return Problem("too_many_requests", limit="heavy", retry_after=come_back(WAIT_SECONDS))
