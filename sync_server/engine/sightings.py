"""Sightings: when a device was last heard of and how far it has come, gathered in memory and written a few seconds later.

Owns: what has not been written yet, and the rhythm of writing.
Must not know: HTTP, SQL, what a device is allowed.
Invariant: a sighting costs its request no statement and no wait; each device is written at most once a round, and a round that
fails is tried again with what came since (tests/integration/test_sightings.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Final

import asyncpg
import structlog

from sync_server.ending import end
from sync_server.store.actor import Actor
from sync_server.store.database import DISCONNECTED, Database
from sync_server.store.devices import Sighting, write_sightings

ROUND_SECONDS: Final = 5.0
"""Between two rounds; how late a list of devices may be."""

ROUND_MAX: Final = 2_000
"""Devices in one round; a statement has those of one organisation."""

WAITING_MAX: Final = 100_000
"""Devices that may wait to be written, 300 bytes each; beyond it the new ones are forgotten until the next request."""

log = structlog.get_logger(__name__)

_Seen = tuple[float, int | None, int | None, str | None, int | None]


class Sightings:
    """What was heard of devices since the last round."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def saw(
        self,
        actor: Actor,
        *,
        cursor: int | None = None,
        schema_version: int | None = None,
        app_version: str | None = None,
        pending: int | None = None,
    ) -> None:
        """Note that `actor`'s device was heard of just now; None: it said nothing of that. Cost: 1 µs.

        `cursor`: the position it said that it has. `pending`: the changes that it said it had still to push.
        """
        key = (actor.org_id, actor.device_id)
        before = self._seen.get(key)
        if not actor.device_id or (before is None and len(self._seen) >= WAITING_MAX):
            return
        if before is not None:
            cursor = before[1] if cursor is None else cursor
            schema_version = before[2] if schema_version is None else schema_version
            app_version = before[3] if app_version is None else app_version
            pending = before[4] if pending is None else pending
        self._seen[key] = (time.monotonic(), cursor, schema_version, app_version, pending)

    async def write(self, database: Database) -> None:
        """Write what waits. Raises what the database raises; what was not written waits on."""
        while self._seen:
            batch = dict(sorted(list(self._seen.items())[:ROUND_MAX]))
            now = time.monotonic()
            sightings = [_sighting(key, seen, now) for key, seen in batch.items()]
            for org_id, theirs in groupby(sightings, key=lambda sighting: sighting.org_id):
                async with database.acquire(org_id) as connection:
                    await write_sightings(connection, list(theirs))
            for key, seen in batch.items():
                if self._seen.get(key) is seen:
                    del self._seen[key]
            if len(batch) < ROUND_MAX:
                return

    @asynccontextmanager
    async def kept(self, database: Database) -> AsyncIterator[None]:
        """Write every `ROUND_SECONDS` while the context lasts, and once more at its end."""
        writer = asyncio.create_task(self._rounds(database))
        try:
            yield
        finally:
            await end([writer])
            await self._round(database)

    async def _rounds(self, database: Database) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            await self._round(database)

    async def _round(self, database: Database) -> None:
        try:
            await self.write(database)
        except (asyncpg.PostgresError, TimeoutError, *DISCONNECTED) as failure:
            log.warning("sightings_wait", devices=len(self._seen), exc_info=failure)


def _sighting(key: tuple[str, str], seen: _Seen, now: float) -> Sighting:
    at, cursor, schema_version, app_version, pending = seen
    return Sighting(*key, now - at, cursor, schema_version, app_version, pending)
