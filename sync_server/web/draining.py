"""Draining: which requests are under way, and when the last of them is answered.

Owns: the count, and the end of connections that would be kept alive.
Must not know: why the server stops.
Invariant: a request that was begun before the drain is answered, a body that is still on its way included
(tests/integration/test_serving.py).

aiohttp has a graceful shutdown of its own, which stops reading from every connection first: a phone in the middle of
sending a push would be cut off, and waited for all the same. So we wait here, before aiohttp shuts down.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler


class Flights:
    """The requests under way in one application."""

    def __init__(self) -> None:
        self._count = 0
        self._landed = asyncio.Event()
        self._landed.set()
        self.draining = False
        self.drain_begun = asyncio.Event()

    @property
    def count(self) -> int:
        """How many are under way."""
        return self._count

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self._landed.clear()

    def end(self) -> None:
        """Count one less."""
        self._count -= 1
        if self._count == 0:
            self._landed.set()

    async def drain(self, seconds_max: float) -> int:
        """Wait until every request is answered, at most `seconds_max`; give how many are not. Keeps no connection alive."""
        self.draining = True
        self.drain_begun.set()
        try:
            async with asyncio.timeout(seconds_max):
                await self._landed.wait()
        except TimeoutError:
            return self._count
        return 0


FLIGHTS: Final = web.AppKey("flights", Flights)


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request while it is under way; outermost."""
    flights = request.app[FLIGHTS]
    flights.begin()
    try:
        response = await handler(request)
        if flights.draining and not response.prepared:
            response.force_close()
        return response
    finally:
        flights.end()
