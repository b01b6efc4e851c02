"""Publishing: the head of each organisation's chain, written outside of the database every hour and when a process stops.

Owns: the rhythm.
Must not know: SQL, what a line says (heads.py).
Invariant: what was sealed when a process stops in order is published (tests/integration/test_publishing.py).

The processes of a machine share one file, and whoever finds it written lately leaves it be. What was published is not
remembered in the database: whoever may rewrite the log could say that it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from sync_server.ending import end
from sync_server.engine.sealing import seal_everywhere
from sync_server.identity.audit_key import AuditKey
from sync_server.operate import heads
from sync_server.operate.meters import HEADS
from sync_server.store.auditing import Claim
from sync_server.store.database import Database
from sync_server.store.enduring import UNANSWERED, for_ever
from sync_server.store.seals import list_heads
from sync_server.web import keys

AGAIN_SECONDS: Final = 60.0
"""After the database or the disk did not answer."""

LAST_SECONDS: Final = 5.0
"""For which a process that stops seals and publishes, at most."""

log = structlog.get_logger(__name__)


class Publisher:
    """Who publishes, for one process."""

    def __init__(self, database: Database, path: Path, key: AuditKey) -> None:
        self._database = database
        self._path = path
        self._key = key
        self._published: dict[str, int] = {}

    async def publish(self) -> int:
        """Publish the heads that this process has not yet; give how many. Raises what the database raises, and OSError."""
        async with self._database.acquire_everywhere() as connection:
            found = [Claim(*head) for head in await list_heads(connection)]
        new = [head for head in found if self._published.get(head.org_id) != head.position]
        if new:
            try:
                await asyncio.to_thread(heads.append, self._path, self._key, new)
            except OSError as fault:
                HEADS.add("failed")
                log.error("heads_not_published", path=str(self._path), reason=str(fault))
                raise
            self._published.update((head.org_id, head.position) for head in new)
        HEADS.add("done")
        return len(new)

    async def run(self, seconds: float) -> None:
        """Publish for ever, about every `seconds`, unless another process of this machine has."""

        async def look() -> None:
            if not await asyncio.to_thread(self._written_within, seconds / 2):
                await self.publish()

        again = min(seconds, AGAIN_SECONDS)
        await for_ever(look, "publishing_without_database", pause_seconds=seconds, again_seconds=again)

    async def end(self) -> None:
        """Seal and publish what is new, if it can be done quickly."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await seal_everywhere(self._database)
                await self.publish()
        except UNANSWERED as fault:
            log.warning("last_heads_not_published", fault=type(fault).__name__)

    def _written_within(self, seconds: float) -> bool:
        try:
            return time.time() - self._path.stat().st_mtime < seconds
        except FileNotFoundError:
            return False


async def run_publishing(app: web.Application) -> AsyncIterator[None]:
    """Publish while the application runs, and once more at its end; for `app.cleanup_ctx`, after the database.

    Raises `identity.keyfile.UnusableKey` or OSError if the key cannot be had.
    """
    settings = app[keys.SETTINGS]
    key = AuditKey.open(heads.key_file_of(settings))
    publisher = Publisher(app[keys.DATABASE], heads.file_of(settings), key)
    task = asyncio.create_task(publisher.run(settings.audit_seconds))
    yield
    await end([task])
    await publisher.end()
