"""Impounded pushes: what a device pushed while it was being wiped, until somebody decides about it.

Owns: the statements on `impounded`.
Must not know: what is in a body, how one is applied.
Invariant: a body is kept as it was sent, and decided about once (tests/integration/test_wipe.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync_server.store.actor import Actor
from sync_server.store.database import Connection

LISTED_MAX = 500
WAITING_MAX = 1_000
"""Pushes of one device that wait; a phone that was away for a month sends a handful."""


@dataclass(frozen=True, slots=True)
class Impounded:
    """A push as it came. `records`: what it names, "table/id", as far as it could be read."""

    cursor: int | None
    digest: bytes
    body: bytes = field(repr=False)
    records: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """An impounded push as it is listed. `base`: the cursor up to which the device had really been told."""

    id: str
    user_id: str
    base: int | None
    size: int
    records: Sequence[str]
    received_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Whole:
    """An impounded push with what is needed to apply it. `born`: the device's, when it came."""

    listed: Listed
    session_id: str
    born: int
    digest: bytes
    body: bytes = field(repr=False)


_LISTED = "id, user_id, base, length(body), records, received_at, state, decided_by, decided_at"


async def count_waiting(connection: Connection, org_id: str, wipe_id: str) -> int:
    """Count the pushes of a wipe that wait."""
    counted: int = await connection.fetchval(
        "SELECT count(*) FROM impounded WHERE org_id = $1 AND wipe_id = $2 AND state = 'waiting'", org_id, wipe_id
    )
    return counted


async def impound(
    connection: Connection, actor: Actor, id: str, wipe_id: str, push: Impounded, *, base: int | None
) -> bool:
    """Keep a push; False: it is a repetition of one that is kept."""
    status = await connection.execute(
        "INSERT INTO impounded (org_id, id, device_id, wipe_id, user_id, session_id, born, cursor, base, digest,"
        " body, records)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (org_id, device_id, user_id, digest) DO NOTHING",
        *(actor.org_id, id, actor.device_id, wipe_id, actor.user_id, actor.session_id, actor.born),
        *(push.cursor, base, push.digest, push.body, list(push.records)),
    )
    return bool(status == "INSERT 0 1")


async def list_impounded(connection: Connection, org_id: str, device_id: str) -> Sequence[Listed]:
    """List what a device pushed while it was being wiped, oldest first, those that wait before the others."""
    rows = await connection.fetch(
        f"SELECT {_LISTED} FROM impounded WHERE org_id = $1 AND device_id = $2"
        f" ORDER BY state <> 'waiting', received_at, id LIMIT {LISTED_MAX}",
        *(org_id, device_id),
    )
    return [Listed(*row) for row in rows]


async def read_impounded(
    connection: Connection, org_id: str, device_id: str, id: str, *, lock: bool = False
) -> Whole | None:
    """Give one push of a device; `lock`: hold it until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_LISTED}, session_id, born, digest, body FROM impounded"
        f" WHERE org_id = $1 AND device_id = $2 AND id = $3{' FOR NO KEY UPDATE' if lock else ''}",
        *(org_id, device_id, id),
    )
    return None if row is None else Whole(Listed(*row[:9]), *row[9:])


async def decide(connection: Connection, org_id: str, id: str, *, state: str, by: str) -> None:
    """Note what was decided about a push, and by whom."""
    await connection.execute(
        "UPDATE impounded SET state = $3, decided_by = $4, decided_at = clock_timestamp() WHERE org_id = $1 AND id = $2",
        *(org_id, id, state, by),
    )


async def named_by(connection: Connection, org_id: str, wipe_id: str) -> Sequence[str]:
    """Name the records, "table/id", of all pushes of a wipe: the device may hold them still."""
    rows = await connection.fetch(
        "SELECT DISTINCT unnest(records) AS name FROM impounded WHERE org_id = $1 AND wipe_id = $2", org_id, wipe_id
    )
    return [row["name"] for row in rows]
