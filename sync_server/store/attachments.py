"""Attachments' bytes in the database: uploads under way, their parts, and what is kept.

Owns: the SQL of `upload`, `upload_part` and `blob`, and of those columns of `attachments` that only the server writes.
Must not know: HTTP, where bytes are, what is right about them.
Invariant: a part counts from the commit of its row, and only if it begins where the last one ended
(tests/integration/test_uploads.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sync_server.store.database import Connection

CLAIM_MINUTES: Final = 10
"""How long a process may take over checking an upload before another one tries."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared of an attachment, and how far it is."""

    state: str
    sha256: str
    size: int
    media_type: str
    made_by: str | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way; `room` is where its parts are."""

    room: str
    attachment_id: str
    user_id: str
    bytes: int
    received: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Blob:
    """A file that is handed out."""

    room: str
    media_type: str
    size: int
    digest: bytes
    thumbnails: tuple[int, ...]


_UPLOAD: Final = "room, attachment_id, user_id, bytes, received, expires_at"


async def read_declared(connection: Connection, org_id: str, id: str, *, lock: bool = False) -> Declared | None:
    """Read what was declared of an attachment; `lock`: it stands still until the unit ends."""
    row = await connection.fetchrow(
        "SELECT state, sha256, size_bytes, media_type, created_by, failure FROM attachments WHERE org_id = $1 AND id = $2"
        + (" FOR NO KEY UPDATE" if lock else ""),
        *(org_id, id),
    )
    return None if row is None else Declared(*row)


# --- Uploads ------------------------------------------------------------------------------------------------------------


async def begin(connection: Connection, org_id: str, upload: Upload) -> None:
    """Begin an upload. Raises asyncpg.UniqueViolationError if the attachment has another one."""
    await connection.execute(
        f"INSERT INTO upload (org_id, {_UPLOAD}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(org_id, upload.room, upload.attachment_id, upload.user_id, upload.bytes, upload.received, upload.expires_at),
    )


async def read_open(connection: Connection, org_id: str, attachment_id: str) -> Upload | None:
    """Read the upload of an attachment that has not ended, expired or not."""
    row = await connection.fetchrow(
        f"SELECT {_UPLOAD} FROM upload WHERE org_id = $1 AND attachment_id = $2 AND ended_at IS NULL",
        *(org_id, attachment_id),
    )
    return None if row is None else Upload(*row)


async def add_part(
    connection: Connection, org_id: str, room: str, begins: int, size: int, name: str, expires_at: datetime
) -> bool:
    """Count a part that the store has; False: it does not begin where the last one ended, or the upload is over."""
    counted = await connection.fetchval(
        "UPDATE upload SET received = received + $4, expires_at = $5 WHERE org_id = $1 AND room = $2 AND received = $3"
        " AND received + $4 <= bytes AND ended_at IS NULL AND expires_at > now() RETURNING true",
        *(org_id, room, begins, size, expires_at),
    )
    if counted:
        await connection.execute(
            "INSERT INTO upload_part (org_id, room, begins, bytes, name) VALUES ($1, $2, $3, $4, $5)",
            *(org_id, room, begins, size, name),
        )
    return bool(counted)


async def parts(connection: Connection, org_id: str, room: str) -> Sequence[str]:
    """Name the parts of an upload, from its first byte to its last."""
    rows = await connection.fetch(
        "SELECT name FROM upload_part WHERE org_id = $1 AND room = $2 ORDER BY begins", org_id, room
    )
    return [row["name"] for row in rows]


async def claim(connection: Connection, org_id: str, room: str) -> bool:
    """Take it upon oneself to check an upload that is whole; False: it is not whole, over, or somebody else does."""
    claimed = await connection.fetchval(
        "UPDATE upload SET claimed_at = now() WHERE org_id = $1 AND room = $2 AND received = bytes AND ended_at IS NULL"
        " AND (claimed_at IS NULL OR claimed_at < now() - make_interval(mins => $3)) RETURNING true",
        *(org_id, room, CLAIM_MINUTES),
    )
    return bool(claimed)


async def end(connection: Connection, org_id: str, room: str) -> bool:
    """End an upload; False: it had ended."""
    ended = await connection.fetchval(
        "UPDATE upload SET ended_at = now() WHERE org_id = $1 AND room = $2 AND ended_at IS NULL RETURNING true",
        *(org_id, room),
    )
    return bool(ended)


# --- What became of it --------------------------------------------------------------------------------------------------


async def mark(connection: Connection, org_id: str, id: str, values: Mapping[str, Any]) -> None:
    """Write the server's own columns of an attachment."""
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, start=3))
    await connection.execute(
        f"UPDATE attachments SET {sets}, updated_at = now() WHERE org_id = $1 AND id = $2", org_id, id, *values.values()
    )


async def keep(connection: Connection, org_id: str, upload: Upload, blob: Blob, stored: int) -> None:
    """Write down that a file is handed out from now on."""
    await connection.execute(
        "INSERT INTO blob (org_id, room, attachment_id, user_id, media_type, bytes, stored, digest, thumbnails)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(org_id, blob.room, upload.attachment_id, upload.user_id),
        *(blob.media_type, blob.size, stored, blob.digest, list(blob.thumbnails)),
    )


async def read_blob(connection: Connection, org_id: str, attachment_id: str) -> Blob | None:
    """Read what is handed out of an attachment, if it is there still."""
    row = await connection.fetchrow(
        "SELECT b.room, b.media_type, b.bytes, b.digest, b.thumbnails FROM blob b"
        " JOIN attachments a ON a.org_id = b.org_id AND a.id = b.attachment_id AND a.state = 'verified'"
        " WHERE b.org_id = $1 AND b.attachment_id = $2 ORDER BY b.kept_at DESC LIMIT 1",
        *(org_id, attachment_id),
    )
    if row is None:
        return None
    return Blob(row["room"], row["media_type"], row["bytes"], row["digest"], tuple(row["thumbnails"]))


# --- How much there is --------------------------------------------------------------------------------------------------


async def lock_quota(connection: Connection, org_id: str) -> None:
    """Let nobody else of the organisation begin an upload until the unit ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('upload ' || $1, 0))", org_id)


async def used(connection: Connection, org_id: str, user_id: str) -> tuple[int, int]:
    """Give the bytes that a user and the organisation have: what is kept, and what was announced by open uploads."""
    row = await connection.fetchrow(
        "SELECT coalesce(sum(n) FILTER (WHERE user_id = $2), 0)::bigint AS own, coalesce(sum(n), 0)::bigint AS together FROM ("
        " SELECT user_id, stored AS n FROM blob WHERE org_id = $1"
        " UNION ALL SELECT user_id, bytes FROM upload WHERE org_id = $1 AND ended_at IS NULL) AS all_of_it",
        *(org_id, user_id),
    )
    return row["own"], row["together"]


# --- For the keeper; over a connection that sees all organisations -----------------------------------------------------


async def unfinished(connection: Connection, limit: int) -> Sequence[tuple[str, Upload]]:
    """List uploads that are whole and that nobody has checked for a while, as after a crash: (organisation, upload)."""
    rows = await connection.fetch(
        f"SELECT org_id, {_UPLOAD} FROM upload WHERE ended_at IS NULL AND received = bytes"
        " AND coalesce(claimed_at, began_at) < now() - make_interval(mins => $1) ORDER BY began_at LIMIT $2",
        *(CLAIM_MINUTES, limit),
    )
    return [(row["org_id"], Upload(*row[1:])) for row in rows]


async def end_expired(connection: Connection) -> None:
    """End the uploads that wait for bytes in vain."""
    await connection.execute(
        "UPDATE upload SET ended_at = now() WHERE ended_at IS NULL AND received < bytes AND expires_at <= now()"
    )


async def ended(connection: Connection, limit: int) -> Sequence[tuple[str, str, bool]]:
    """List uploads whose parts can go: (organisation, room, whether a file of that room is kept)."""
    rows = await connection.fetch(
        "SELECT u.org_id, u.room, b.room IS NOT NULL AS kept FROM upload u"
        " LEFT JOIN blob b ON b.org_id = u.org_id AND b.room = u.room"
        " WHERE u.ended_at < now() - make_interval(mins => $1) ORDER BY u.ended_at LIMIT $2",
        *(CLAIM_MINUTES, limit),
    )
    return [(row["org_id"], row["room"], row["kept"]) for row in rows]


async def forget_upload(connection: Connection, org_id: str, room: str) -> None:
    """Forget an upload whose parts are gone."""
    await connection.execute("DELETE FROM upload WHERE org_id = $1 AND room = $2", org_id, room)


async def orphans(connection: Connection, limit: int) -> Sequence[tuple[str, str]]:
    """List files of attachments that were deleted, or replaced: (organisation, room)."""
    rows = await connection.fetch(
        "SELECT b.org_id, b.room FROM blob b WHERE NOT EXISTS (SELECT FROM attachments a"
        "  WHERE a.org_id = b.org_id AND a.id = b.attachment_id AND a.state = 'verified')"
        " OR EXISTS (SELECT FROM blob later WHERE later.org_id = b.org_id AND later.attachment_id = b.attachment_id"
        "  AND later.kept_at > b.kept_at) ORDER BY b.kept_at LIMIT $1",
        limit,
    )
    return [(row["org_id"], row["room"]) for row in rows]


async def forget_blob(connection: Connection, org_id: str, room: str) -> None:
    """Forget a file that is gone."""
    await connection.execute("DELETE FROM blob WHERE org_id = $1 AND room = $2", org_id, room)
