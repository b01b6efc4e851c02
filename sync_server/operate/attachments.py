"""Attachments while the application runs: the store, the threads that unpack pictures, and the keeper that tidies up.

Owns: how they are opened and closed, and the keeper's rhythm.
Must not know: what is kept, and why.
Invariant: a round that failed is logged and the next one comes; nothing goes on after the application has ended
(tests/integration/test_reclaiming.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

import structlog
from aiohttp import web

from sync_server.config import Settings
from sync_server.ending import end
from sync_server.engine.arriving import AT_ONCE, Arrivals
from sync_server.engine.attaching import Attaching, Bounds
from sync_server.engine.reclaiming import reclaim
from sync_server.identity.links import Links
from sync_server.identity.secret_key import SecretKey
from sync_server.store.blobs import Blobs, StoreFailed
from sync_server.store.database import DISCONNECTED
from sync_server.store.unit_of_work import Busy
from sync_server.web import keys
from sync_server.web.downloads import LINKS
from sync_server.web.uploads import ARRIVALS, ATTACHING

ROUND_SECONDS: Final = 600
"""Between two rounds of a process; several may be at it, and find less to do."""

log = structlog.get_logger(__name__)


async def run_attachments(app: web.Application) -> AsyncIterator[None]:
    """Take and hand out attachments while the application runs; for `app.cleanup_ctx`, after the database.

    Raises `identity.keyfile.UnusableKey`, or OSError if the folder or the key cannot be had.
    """
    settings, database = app[keys.SETTINGS], app[keys.DATABASE]
    blobs = Blobs.open(settings.attachment_store or str(settings.data / "attachments"))
    app[LINKS] = Links(SecretKey.open(settings.secret_file))
    with ThreadPoolExecutor(AT_ONCE, "pictures") as executor:
        arrivals = app[ARRIVALS] = Arrivals(database, blobs, executor)
        app[ATTACHING] = Attaching(database, app[keys.STANDINGS], blobs, _bounds(settings))
        keeper = asyncio.create_task(_keep(arrivals))
        yield
        await end([keeper])


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        settings.attachment_max,
        settings.attachment_user_max,
        settings.attachment_org_max,
        timedelta(hours=settings.upload_hours),
    )


async def _keep(arrivals: Arrivals) -> None:
    """Do a round of reclaiming every so often, for ever."""
    while True:
        await asyncio.sleep(ROUND_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - so that workers do not march in step
        try:
            await reclaim(arrivals)
        except (StoreFailed, Busy, TimeoutError, *DISCONNECTED) as failure:
            log.error("reclaiming_failed", exc_info=failure)
