"""Arriving: the whole of an attachment's bytes, checked, and kept or thrown away.

Owns: what is done once the last part is there, and the names under which the store has parts and files.
Must not know: HTTP, SQL, who sent the parts; what is looked at in them (pictures.py).
Invariant: bytes are handed out only if they are what was declared, each upload is settled once, and one that nobody settled,
since a process was killed over it, is settled by the keeper (tests/integration/test_arriving.py).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, Final

from erp_core.consents import LOCATION
from erp_core.entities.attachment import DECLARED, RECEIVED, VERIFIED
from sync_server.engine.pictures import Fit, Unfit, examine
from sync_server.store import attachments as store
from sync_server.store import consents
from sync_server.store.attachments import Blob, Declared, Upload
from sync_server.store.blobs import Blobs
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import act_as_server, unit_of_work

AT_ONCE: Final = 2
"""Attachments that a process checks at the same time: each holds its bytes and its unpacked picture in memory."""


class Arrivals:
    """What arrives at one process; `executor`: where pictures are unpacked, off the event loop."""

    def __init__(self, database: Database, blobs: Blobs, executor: Executor) -> None:
        self.database, self.blobs = database, blobs
        self._executor = executor
        self._places = asyncio.Semaphore(AT_ONCE)

    async def finish(self, org_id: str, upload: Upload) -> None:
        """Check an upload that is whole, and keep it or throw it away; nothing if somebody else is at it or was.

        Raises `pictures.Unfit` once it was thrown away, `blobs.StoreFailed`; then it is whole still, and the keeper tries
        again. It goes on if the caller is cancelled. Cost: as `pictures.examine`, and some twelve statements.
        """
        await self.database.shielded(self._finish(org_id, upload))

    async def _finish(self, org_id: str, upload: Upload) -> None:
        declared = await self._claimed(org_id, upload)
        if declared is None:
            return
        async with self._places:
            data = b"".join([await self.blobs.read(name) for name in await self._part_names(org_id, upload)])
            try:
                fit = await self._examined(data, declared)
            except Unfit as unfit:
                await self._settle(org_id, upload, None, {"state": DECLARED, "failure": unfit.failure})
                raise
            finally:
                del data
            await self._put(org_id, upload, fit)
        digest = hashlib.sha256(fit.data).digest()
        blob = Blob(upload.room, declared.media_type, len(fit.data), digest, tuple(fit.thumbnails))
        await self._settle(org_id, upload, (blob, fit.stored), await self._kept_of(org_id, declared, fit))
        await self.blobs.remove(parts_of(org_id, upload.room))

    async def _examined(self, data: bytes, declared: Declared) -> Fit:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, examine, data, declared.sha256, declared.media_type)

    async def _kept_of(self, org_id: str, declared: Declared, fit: Fit) -> Mapping[str, Any]:
        """Give what was found out, without the place where its author does not want that noted."""
        found, author = _found_out(fit), declared.made_by
        if author is None or found["exif_latitude"] is None:
            return found
        async with self.database.acquire(org_id) as connection:
            objecting = await consents.read_objecting(connection, org_id, [author], LOCATION.name)
        return {**found, "exif_latitude": None, "exif_longitude": None} if objecting else found

    async def _part_names(self, org_id: str, upload: Upload) -> list[str]:
        async with self.database.acquire(org_id) as connection:
            return list(await store.parts(connection, org_id, upload.room))

    async def _claimed(self, org_id: str, upload: Upload) -> Declared | None:
        async def work(connection: Connection) -> Declared | None:
            declared = await store.read_declared(connection, org_id, upload.attachment_id, lock=True)
            if not await store.claim(connection, org_id, upload.room):
                return None
            if declared is None or declared.state == VERIFIED:
                await store.end(connection, org_id, upload.room)
                return None
            if declared.state == DECLARED:
                await act_as_server(connection)
                await store.mark(connection, org_id, upload.attachment_id, {"state": RECEIVED, "failure": None})
            return declared

        return await unit_of_work(self.database, org_id, work)

    async def _put(self, org_id: str, upload: Upload, fit: Fit) -> None:
        await self.blobs.put(file_name(org_id, upload.room), fit.data)
        for pixels, small in fit.thumbnails.items():
            await self.blobs.put(file_name(org_id, upload.room, pixels), small)

    async def _settle(
        self, org_id: str, upload: Upload, kept: tuple[Blob, int] | None, values: Mapping[str, Any]
    ) -> None:
        """End an upload and say of its attachment what became of it, in one unit; nothing if it has ended meanwhile."""

        async def work(connection: Connection) -> None:
            declared = await store.read_declared(connection, org_id, upload.attachment_id, lock=True)
            if not await store.end(connection, org_id, upload.room) or declared is None:
                return
            if kept is not None:
                await store.keep(connection, org_id, upload, *kept)
            await act_as_server(connection)
            await store.mark(connection, org_id, upload.attachment_id, values)

        await unit_of_work(self.database, org_id, work)


def _found_out(fit: Fit) -> Mapping[str, Any]:
    shot = fit.shot
    return {
        "state": VERIFIED,
        "failure": None,
        "width": fit.width,
        "height": fit.height,
        "exif_taken_at": shot.taken_at,
        "exif_latitude": shot.latitude,
        "exif_longitude": shot.longitude,
        "exif_camera": shot.camera,
    }


# --- Names in the store --------------------------------------------------------------------------------------------------


def parts_of(org_id: str, room: str) -> str:
    return f"parts/o-{org_id}/{room}"


def files_of(org_id: str, room: str) -> str:
    return f"files/o-{org_id}/{room}"


def file_name(org_id: str, room: str, pixels: int = 0) -> str:
    """Name a file that is handed out, or its thumbnail of so many pixels."""
    return f"{files_of(org_id, room)}/{pixels or 'whole'}"
