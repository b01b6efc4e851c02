"""Wipes: the orders, how far each has come, and the positions that only a wipe's answers carry.

Owns: the statements on `wipe`.
Must not know: what a device is answered (engine/wipe.py).
Invariant: a position of `take_lone_position` is the clock of no snapshot, so that no other answer can carry it
(tests/integration/test_wipe.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync_server.store.clock import SEQ_BITS
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Wipe:
    """An order, as in the table `wipe`."""

    id: str
    device_id: str
    user_id: str
    ordered_by: str
    ordered_at: datetime
    immediately: bool
    held: int | None
    drains: int
    first_drain: int | None
    drained_at: datetime | None
    clears: int
    first_clear: int | None
    clear: int | None
    cleared_at: datetime | None
    pushed_since: bool
    proven_at: datetime | None


_COLUMNS = (
    "id, device_id, user_id, ordered_by, ordered_at, immediately, held, drains, first_drain, drained_at,"
    " clears, first_clear, clear, cleared_at, pushed_since, proven_at"
)


async def take_lone_position(connection: Connection, org_id: str) -> int:
    """Take a position that is never the clock's: between it and the next no transaction ends. Holds the clock."""
    position: int = await connection.fetchval(
        "INSERT INTO org_clock AS c (org_id, seq) VALUES ($1, 2) ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + 2"
        f" RETURNING (c.epoch::bigint << {SEQ_BITS}) + c.seq - 1",
        org_id,
    )
    return position


async def insert_wipe(
    connection: Connection, org_id: str, id: str, device_id: str, *, ordered_by: str, immediately: bool
) -> None:
    """Write an order down, for whoever's the device is."""
    await connection.execute(
        "INSERT INTO wipe (org_id, id, device_id, user_id, ordered_by, immediately)"
        " SELECT org_id, $3, id, user_id, $4, $5 FROM device WHERE org_id = $1 AND id = $2",
        *(org_id, device_id, id, ordered_by, immediately),
    )


async def hurry(connection: Connection, org_id: str, device_id: str) -> None:
    """Have the order that is under way wait for nothing any more."""
    await connection.execute(
        "UPDATE wipe SET immediately = true WHERE org_id = $1 AND device_id = $2 AND proven_at IS NULL",
        *(org_id, device_id),
    )


async def read_under_way(connection: Connection, org_id: str, device_id: str) -> Wipe | None:
    """Give the order that is not proven yet, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM wipe WHERE org_id = $1 AND device_id = $2 AND proven_at IS NULL FOR NO KEY UPDATE",
        *(org_id, device_id),
    )
    return None if row is None else Wipe(*row)


async def read_last(connection: Connection, org_id: str, device_id: str) -> Wipe | None:
    """Give the newest order of a device."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM wipe WHERE org_id = $1 AND device_id = $2 ORDER BY ordered_at DESC, id LIMIT 1",
        *(org_id, device_id),
    )
    return None if row is None else Wipe(*row)


async def note_drain(connection: Connection, org_id: str, id: str, held: int | None, position: int) -> None:
    """Note that the device was asked for what it has not sent. `held`: the cursor that it came with."""
    await connection.execute(
        "UPDATE wipe SET drains = drains + 1, drained_at = clock_timestamp(), first_drain = coalesce(first_drain, $4),"
        " held = CASE WHEN drains + clears = 0 THEN $3 ELSE held END WHERE org_id = $1 AND id = $2",
        *(org_id, id, held, position),
    )


async def note_clear(connection: Connection, org_id: str, id: str, held: int | None, position: int) -> None:
    """Note that the device was told that everything is gone."""
    await connection.execute(
        "UPDATE wipe SET clears = clears + 1, cleared_at = clock_timestamp(), pushed_since = false,"
        " first_clear = coalesce(first_clear, $4), clear = $4,"
        " held = CASE WHEN drains + clears = 0 THEN $3 ELSE held END WHERE org_id = $1 AND id = $2",
        *(org_id, id, held, position),
    )


async def note_push(connection: Connection, org_id: str, id: str) -> None:
    """Note that the device pushed something: it holds something still."""
    await connection.execute("UPDATE wipe SET pushed_since = true WHERE org_id = $1 AND id = $2", org_id, id)


async def note_proof(connection: Connection, org_id: str, id: str) -> None:
    """Note that the device has shown that nothing is left."""
    await connection.execute("UPDATE wipe SET proven_at = clock_timestamp() WHERE org_id = $1 AND id = $2", org_id, id)
