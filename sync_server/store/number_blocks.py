"""Blocks of document numbers: which device may give out which numbers of a series, and how its lease ended.

Owns: the SQL of `number_block`.
Must not know: which documents have the numbers (numbers.py), when a lease is due.
Invariant: a block that has ended never opens again (tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers `first` to `last`, leased to a device. `used_to`: the highest that a document at the server has; 0: none."""

    id: str
    series_id: str
    device_id: str
    user_id: str
    first: int
    last: int
    state: str
    why: str
    leased_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    used_to: int


_BLOCKS = """
SELECT b.id, b.series_id, b.device_id, b.user_id, b.first, b.last, b.state, b.why, b.leased_at, b.expires_at, b.ended_at,
  coalesce((SELECT max(u.number) FROM number_use u WHERE u.org_id = b.org_id AND u.series_id = b.series_id
            AND u.number BETWEEN b.first AND b.last), 0) AS used_to
FROM number_block b WHERE b.org_id = $1
"""


async def open_blocks(connection: Connection, org_id: str, series_id: str, device_id: str) -> list[Block]:
    """Give the blocks of a series that a device has, in the order of their numbers."""
    found = await connection.fetch(
        f"{_BLOCKS} AND b.series_id = $2 AND b.device_id = $3 AND b.state = 'leased' ORDER BY b.first",
        org_id,
        series_id,
        device_id,
    )
    return [Block(**row) for row in found]


async def blocks_between(connection: Connection, org_id: str, series_id: str, first: int, last: int) -> list[Block]:
    """Give the blocks that have numbers from `first` to `last`, in their order."""
    found = await connection.fetch(
        f"{_BLOCKS} AND b.series_id = $2 AND b.first <= $4 AND b.last >= $3 ORDER BY b.first",
        org_id,
        series_id,
        first,
        last,
    )
    return [Block(**row) for row in found]


async def insert_block(connection: Connection, org_id: str, block: Block) -> None:
    """Lease a block, of a series that the caller holds."""
    await connection.execute(
        "INSERT INTO number_block (org_id, id, series_id, device_id, user_id, first, last, state, why, leased_at, expires_at,"
        " ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        *(org_id, block.id, block.series_id, block.device_id, block.user_id, block.first, block.last),
        *(block.state, block.why, block.leased_at, block.expires_at, block.ended_at),
    )


async def lock_block(connection: Connection, org_id: str, device_id: str, id: str) -> Block | None:
    """Lock a block of a device, and read it; None: it has no such block."""
    await connection.execute("SELECT id FROM number_block WHERE org_id = $1 AND id = $2 FOR UPDATE", org_id, id)
    row = await connection.fetchrow(f"{_BLOCKS} AND b.id = $2 AND b.device_id = $3", org_id, id, device_id)
    return None if row is None else Block(**row)


async def shorten(connection: Connection, org_id: str, id: str, last: int, *, used_up: bool, now: datetime) -> None:
    """Let a block end with `last`; `used_up`: a document has each of what is left."""
    await connection.execute(
        "UPDATE number_block SET last = $3, state = CASE WHEN $4 THEN 'used_up' ELSE state END,"
        " ended_at = CASE WHEN $4 THEN $5 ELSE ended_at END WHERE org_id = $1 AND id = $2",
        org_id,
        id,
        last,
        used_up,
        now,
    )


async def end(connection: Connection, org_id: str, id: str, state: str, now: datetime) -> None:
    """End the lease of a block."""
    await connection.execute(
        "UPDATE number_block SET state = $3, ended_at = $4 WHERE org_id = $1 AND id = $2", org_id, id, state, now
    )


async def reclaim_of_device(connection: Connection, org_id: str, device_id: str, why: str) -> None:
    """End all leases of a device. Cost: one statement."""
    await connection.execute(
        "UPDATE number_block SET state = 'reclaimed', why = $3, ended_at = now()"
        " WHERE org_id = $1 AND device_id = $2 AND state = 'leased'",
        org_id,
        device_id,
        why,
    )


async def reclaim_expired(connection: Connection, now: datetime, most: int) -> int:
    """End at most `most` leases of all organisations that expired before `now`; give how many."""
    found: Sequence[object] = await connection.fetch(
        """
        UPDATE number_block SET state = 'reclaimed', why = 'late', ended_at = $1
        WHERE (org_id, id) IN (
          SELECT org_id, id FROM number_block WHERE state = 'leased' AND expires_at < $1 ORDER BY expires_at LIMIT $2
          FOR UPDATE SKIP LOCKED
        ) AND state = 'leased' RETURNING id
        """,
        now,
        most,
    )
    return len(found)
