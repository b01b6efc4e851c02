"""Epochs: what the database shows of its own history, and the beginning of a new one.

Owns: what is read for the judgement (engine/epochs.py), and the writes to `epoch_fork`.
Must not know: what was seen before, where that is kept.
Invariant: an epoch begins once: whoever comes second finds it begun (tests/integration/test_witness.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from sync_server.store.clock import POSITION
from sync_server.store.database import Connection
from sync_server.store.facts import read_identity

_TIMELINE: Final = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer"

_FINGERPRINT: Final = "md5(concat_ws('/', e.position, e.entity, e.record_id, e.op, extract(epoch FROM e.at)))"
"""What an event is known by; its values may be taken out of it, when somebody is to be forgotten."""


async def read_cluster(connection: Connection) -> tuple[str, int | None]:
    """Say which database of which cluster this is, and on which timeline, None where the server does not tell.

    Read from the write-ahead log: the control file names a new timeline only with the first checkpoint on it.
    """
    system = await read_identity(connection)
    try:
        return system, await connection.fetchval(_TIMELINE)
    except asyncpg.PostgresError:  # a service that keeps its log to itself, or a standby, which takes no writes anyway
        return system, None


async def read_clocks(connection: Connection) -> Mapping[str, int]:
    """Give the newest position of every organisation; for the owner. Cost: one statement."""
    rows = await connection.fetch(f"SELECT k.org_id, {POSITION} FROM org_clock k")
    return {row[0]: row[1] for row in rows}


async def read_newest(connection: Connection, org_ids: Collection[str]) -> Mapping[str, tuple[int, str]]:
    """Give position and fingerprint of the newest event of organisations, of those that have one. Cost: one statement."""
    rows = await connection.fetch(
        f"SELECT asked.org_id, e.position, {_FINGERPRINT} FROM unnest($1::text[]) AS asked(org_id) CROSS JOIN LATERAL ("
        " SELECT e.* FROM event e WHERE e.org_id = asked.org_id ORDER BY e.position DESC LIMIT 1) e",
        list(org_ids),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def read_fingerprints(
    connection: Connection, positions: Mapping[str, Collection[int]]
) -> Mapping[str, Mapping[int, str]]:
    """Give the fingerprints of the events at these positions, by organisation, of those that there are. Cost: one statement."""
    asked = [(org_id, position) for org_id, some in positions.items() for position in some]
    rows = await connection.fetch(
        f"SELECT e.org_id, e.position, {_FINGERPRINT} FROM unnest($1::text[], $2::bigint[]) AS asked(org_id, position)"
        " JOIN event e ON e.org_id = asked.org_id AND e.position = asked.position",
        [org_id for org_id, _ in asked],
        [position for _, position in asked],
    )
    found: dict[str, dict[int, str]] = {org_id: {} for org_id in positions}
    for row in rows:
        found[row[0]][row[1]] = row[2]
    return found


async def begin_epoch(connection: Connection, org_id: str, epoch: int, begun: int, cut: int) -> bool:
    """Begin the epoch `begun` after `epoch`, with history cut at `cut`; False: another has begun already. In a transaction.

    From its commit on, every replica from above the cut is replaced. Epochs between the two, which a history that is gone had,
    are cut there, too.
    """
    moved = await connection.fetchval(
        "UPDATE org_clock SET epoch = $3, seq = 0 WHERE org_id = $1 AND epoch = $2 RETURNING epoch",
        org_id,
        epoch,
        begun,
    )
    if moved is None:
        return False
    await connection.execute(
        "INSERT INTO epoch_fork (org_id, epoch, forked_at)"
        " SELECT $1, n, $4 FROM generate_series($2::integer + 1, $3::integer) n",
        *(org_id, epoch, begun, cut),
    )
    return True
