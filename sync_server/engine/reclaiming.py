"""Reclaiming: what the store holds and nobody needs: uploads that were given up, files of attachments that are gone.

Owns: one round of it, and finishing what a killed process left whole but unchecked.
Must not know: when it runs, SQL.
Invariant: a row of `upload` or `blob` is forgotten only after its bytes are gone, so a round that fails is made good by the
next; what an attachment hands out is never touched (tests/integration/test_reclaiming.py).
"""

from __future__ import annotations

from typing import Final

import structlog

from sync_server.engine.arriving import Arrivals, files_of, parts_of
from sync_server.engine.pictures import Unfit
from sync_server.store import attachments as store
from sync_server.store.attachments import Upload

ROUND_MAX: Final = 200
"""Uploads and files that one round deals with, of each sort; the next one goes on."""

log = structlog.get_logger(__name__)


async def reclaim(arrivals: Arrivals) -> int:
    """Do one round; give how many uploads and files were dealt with. Raises `blobs.StoreFailed`."""
    async with arrivals.database.acquire_everywhere() as connection:
        await store.end_expired(connection)
        whole = await store.unfinished(connection, ROUND_MAX)
        ended = await store.ended(connection, ROUND_MAX)
        orphans = await store.orphans(connection, ROUND_MAX)
    for org_id, upload in whole:
        await _finish(arrivals, org_id, upload)
    for org_id, room, kept in ended:
        await _forget_upload(arrivals, org_id, room, kept=kept)
    for org_id, room in orphans:
        await _forget_file(arrivals, org_id, room)
    return len(whole) + len(ended) + len(orphans)


async def _finish(arrivals: Arrivals, org_id: str, upload: Upload) -> None:
    try:
        await arrivals.finish(org_id, upload)
    except Unfit as unfit:  # its attachment says so
        log.info("attachment_unfit", org=org_id, attachment=upload.attachment_id, failure=unfit.failure)


async def _forget_upload(arrivals: Arrivals, org_id: str, room: str, *, kept: bool) -> None:
    await arrivals.blobs.remove(parts_of(org_id, room))
    if not kept:
        await arrivals.blobs.remove(files_of(org_id, room))
    async with arrivals.database.acquire_everywhere() as connection:
        await store.forget_upload(connection, org_id, room)


async def _forget_file(arrivals: Arrivals, org_id: str, room: str) -> None:
    await arrivals.blobs.remove(files_of(org_id, room))
    async with arrivals.database.acquire_everywhere() as connection:
        await store.forget_blob(connection, org_id, room)
