"""Attaching: the bytes of an attachment on their way in, part by part.

Owns: who may send them, how many, and when a part counts. What becomes of the whole: arriving.py.
Must not know: HTTP, tus, SQL.
Invariant: a part is acknowledged only when the store and the database have it; nobody sends the bytes of another's attachment
(tests/integration/test_uploads.py).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from erp_core.access import admits
from erp_core.entities.attachment import ATTACHMENT, VERIFIED
from sync_server.engine.arriving import parts_of
from sync_server.engine.office import NotThere
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import attachments as store
from sync_server.store import lists
from sync_server.store.actor import Actor
from sync_server.store.attachments import Declared, Upload
from sync_server.store.blobs import Blobs
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import unit_of_work

ROOM_BYTES: Final = 16
"""Of a room's random name; nobody guesses another's."""


class NoUpload(Exception):
    """There is no upload of this attachment: none was begun, it was ended, or it waited too long."""


class AlreadyThere(Exception):
    """The attachment's bytes are there already."""


class WrongLength(Exception):
    """The upload is of another length than was declared."""


class TooLarge(Exception):
    """The attachment is larger than this server takes; `limit`: in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class QuotaReached(Exception):
    """The user, or the organisation, has as many bytes as the server keeps for them."""


class OffsetMoved(Exception):
    """The part does not begin where the last one ended."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be, in bytes, and how long an upload waits for its next part."""

    each: int
    user: int
    organisation: int
    waits: timedelta


class Attaching:
    """The uploads of one process."""

    def __init__(self, database: Database, standings: Standings, blobs: Blobs, bounds: Bounds) -> None:
        self.database, self.standings, self.blobs, self.bounds = database, standings, blobs, bounds

    # --- Who may -------------------------------------------------------------------------------------------------------

    async def _declared(self, connection: Connection, actor: Actor, id: str, *, lock: bool = False) -> Declared:
        """Read an attachment of the actor's own that they may change. Raises `NotThere` for any other."""
        entitled = await entitled_now(connection, self.standings, actor)
        listed = await lists.read_listed(connection, actor.org_id, ATTACHMENT.table, id)
        if listed is None or not admits(ATTACHMENT.access.update, entitled.codes(frozenset(listed.scopes))):
            raise NotThere
        declared = await store.read_declared(connection, actor.org_id, id, lock=lock)
        if declared is None or declared.made_by != actor.user_id:
            raise NotThere
        return declared

    # --- The upload ----------------------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, id: str, length: int) -> Upload:
        """Begin the upload of an attachment that the actor declared, or give the one that is under way.

        Raises `NotThere`, `AlreadyThere`, `WrongLength`, `TooLarge`, `QuotaReached`, `unit_of_work.Busy`.
        Cost: some ten statements.
        """

        async def work(connection: Connection) -> Upload:
            declared = await self._declared(connection, actor, id, lock=True)
            self._check(declared, length)
            found = await store.read_open(connection, actor.org_id, id)
            if found is not None and (found.received == found.bytes or found.expires_at > datetime.now(UTC)):
                return found
            if found is not None:
                await store.end(connection, actor.org_id, found.room)
            await self._check_quota(connection, actor, length)
            upload = Upload(secrets.token_hex(ROOM_BYTES), id, actor.user_id, length, 0, self._until())
            await store.begin(connection, actor.org_id, upload)
            return upload

        return await unit_of_work(self.database, actor.org_id, work)

    def _check(self, declared: Declared, length: int) -> None:
        if declared.state == VERIFIED:
            raise AlreadyThere
        if length != declared.size:
            raise WrongLength
        if length > self.bounds.each:
            raise TooLarge(self.bounds.each)

    async def _check_quota(self, connection: Connection, actor: Actor, length: int) -> None:
        await store.lock_quota(connection, actor.org_id)
        own, together = await store.used(connection, actor.org_id, actor.user_id)
        if own + length > self.bounds.user or together + length > self.bounds.organisation:
            raise QuotaReached

    async def find(self, actor: Actor, id: str) -> Upload:
        """Give the upload of an attachment that the actor declared; of one that is there, all of it.

        Raises `NotThere`, `NoUpload`. Cost: a snapshot of four statements.
        """
        async with self.database.snapshot(actor.org_id) as connection:
            declared = await self._declared(connection, actor, id)
            found = await store.read_open(connection, actor.org_id, id)
        if declared.state == VERIFIED:
            return Upload("", id, actor.user_id, declared.size, declared.size, self._until())
        if found is None or (found.received < found.bytes and found.expires_at <= datetime.now(UTC)):
            raise NoUpload
        return found

    async def add(self, actor: Actor, upload: Upload, begins: int, data: bytes) -> Upload:
        """Take a part; give the upload as it is then. Raises `OffsetMoved`, `blobs.StoreFailed`, `unit_of_work.Busy`."""
        name = f"{parts_of(actor.org_id, upload.room)}/{begins:012d}-{secrets.token_hex(4)}"
        await self.blobs.put(name, data)
        until = self._until()

        async def work(connection: Connection) -> bool:
            return await store.add_part(connection, actor.org_id, upload.room, begins, len(data), name, until)

        if not await unit_of_work(self.database, actor.org_id, work):
            raise OffsetMoved
        return replace(upload, received=begins + len(data), expires_at=until)

    async def stop(self, actor: Actor, id: str) -> None:
        """End an upload, and throw away what came. Raises `NotThere`, `NoUpload`, `unit_of_work.Busy`."""
        upload = await self.find(actor, id)

        async def work(connection: Connection) -> bool:
            return await store.end(connection, actor.org_id, upload.room)

        if not await unit_of_work(self.database, actor.org_id, work):
            raise NoUpload

    def _until(self) -> datetime:
        return datetime.now(UTC) + self.bounds.waits
