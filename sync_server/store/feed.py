"""The feed as a pull reads it: payloads, as the JSON that the capture triggers wrote.

Owns: the SQL of pulls: the small delta in one statement, and lists of any length as COPY.
Must not know: change sets, cursors of clients, who may read (it is handed the scopes).
`position > 0` always holds; saying it admits the partial index on positions (migration 0001).
Invariant: one call is one snapshot; `payload` passes through unread (tests/integration/test_pull.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sync_server.store.clock import SEQ_BITS, Clock
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the feed is read: an organisation, a user (whose corrections count), and the scopes that may be seen."""

    org_id: str
    user_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A record that a replica must hear of. `payload` None: it is gone. `new`: the replica cannot have it yet."""

    table: str
    id: str
    payload: str | None
    new: bool


_CORRECTIONS: Final = f"""
SELECT c.entity, c.record_id, f.payload::text, bool_or(c.revive), k.epoch, k.seq, k.floor
FROM org_clock k
JOIN correction c ON c.org_id = k.org_id
LEFT JOIN LATERAL (
  SELECT f.payload FROM feed f
  WHERE f.org_id = c.org_id AND f.entity = c.entity AND f.id = c.record_id AND f.scope = ANY($5) OFFSET 0
) f ON true
WHERE k.org_id = $1 AND c.user_id = $2 AND c.entity = ANY($3) AND c.position > $4
  AND c.position <= (k.epoch::bigint << {SEQ_BITS}) + k.seq
GROUP BY c.entity, c.record_id, f.payload::text, k.epoch, k.seq, k.floor
"""

_DELTA: Final = f"""
SELECT NULL AS entity, NULL AS id, NULL AS payload, false AS new, k.epoch, k.seq, k.floor
FROM org_clock k WHERE k.org_id = $1
UNION ALL
SELECT f.entity, f.id, f.payload::text, f.created_position > $4 AND f.author IS DISTINCT FROM $2, 0, 0, 0
FROM feed f WHERE f.org_id = $1 AND f.entity = ANY($3) AND f.position > $4 AND f.position > 0 AND f.scope = ANY($5)
UNION ALL ({_CORRECTIONS})
"""


async def read_delta(
    connection: Connection, reader: Reader, tables: Sequence[str], after: int
) -> tuple[Clock, Collection[Moved]]:
    """Give the clock and every record of `tables` that moved after it, each once, in memory.

    A correction comes last and wins: it knows that the device destroyed its copy. Cost: one statement, which is one
    snapshot by itself; one index range per table. The caller bounds the number of rows by the clock beforehand.
    """
    rows = await connection.fetch(_DELTA, reader.org_id, reader.user_id, tables, after, list(reader.scopes))
    (clock,) = (Clock(row["epoch"], row["seq"], row["floor"]) for row in rows if row["entity"] is None)
    moved = {(row[0], row[1]): Moved(*row[:4]) for row in rows if row["entity"] is not None}
    return clock, moved.values()


async def read_corrections(
    connection: Connection, reader: Reader, tables: Sequence[str], after: int
) -> Collection[Moved]:
    """Give the records of `tables` that this user's devices must be sent again."""
    rows = await connection.fetch(_CORRECTIONS, reader.org_id, reader.user_id, tables, after, list(reader.scopes))
    return [Moved(*row[:4]) for row in rows]


# --- Lists of any length ----------------------------------------------------------------------------------------------


class Which(Enum):
    """Which of a table's records a list holds, as SQL over the feed; $3 is the cursor, $4 the reader's user."""

    ALL = "payload IS NOT NULL"
    CREATED = "payload IS NOT NULL AND position > $3 AND created_position > $3 AND author IS DISTINCT FROM $4"
    UPDATED = "payload IS NOT NULL AND position > $3 AND (created_position <= $3 OR author IS NOT DISTINCT FROM $4)"
    DELETED = "payload IS NULL AND position > $3"


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one table: which records, after which cursor, without which ids (they are sent otherwise).

    `or_with`: also the records in which one of these columns is not what a phone's migration filled in.
    """

    table: str
    which: Which
    after: int = 0
    without: tuple[str, ...] = ()
    or_with: tuple[str, ...] = ()


def _filled_otherwise(columns: Sequence[str]) -> str:
    # WatermelonDB's "Implementing your Sync backend", pull rule 6: a new column starts as null, '', 0 or false.
    return " OR ".join(
        f"CASE json_typeof(payload->'{column}') WHEN 'string' THEN payload->>'{column}' <> ''"
        f" WHEN 'number' THEN (payload->>'{column}')::numeric <> 0"
        f" WHEN 'boolean' THEN (payload->>'{column}')::boolean ELSE false END"
        for column in columns
    )


async def copy_listing(
    connection: Connection, reader: Reader, listing: Listing, write: Callable[[bytes], Awaitable[None]]
) -> None:
    """Copy a list's JSON to `write`: each element behind a comma, the first one too. Memory: one network buffer.

    CSV with control characters as quote and delimiter leaves JSON as it is: JSON has no raw control characters.
    """
    shown = "to_json(id)::text" if listing.which is Which.DELETED else "payload::text"
    condition = listing.which.value
    if listing.or_with:
        # Above the cursor the list's own condition decides, or a record would stand in two lists.
        filled = _filled_otherwise(listing.or_with)
        condition = f"(({condition}) OR (payload IS NOT NULL AND position <= $3 AND ({filled})))"
    await connection.copy_from_query(
        f"SELECT ',' || {shown} FROM feed WHERE org_id = $1 AND entity = $2 AND position > 0 AND {condition}"
        " AND $3::bigint IS NOT NULL AND $4::text IS NOT NULL AND scope = ANY($5) AND id <> ALL($6)",
        reader.org_id,
        listing.table,
        listing.after,
        reader.user_id,
        list(reader.scopes),
        list(listing.without),
        output=write,
        format="csv",
        delimiter="\x02",
        quote="\x01",
    )


async def take_your_time(connection: Connection) -> None:
    """Let the statements of this transaction read whole tables, for as long as a very large organisation needs."""
    await connection.execute("SET LOCAL statement_timeout = '10min'; SET LOCAL enable_seqscan = on")


async def read_versions(connection: Connection, org_id: str, tables: Sequence[str]) -> Mapping[str, str]:
    """Name the present contents of each of `tables`: equal names, equal rows. Cost: one index look-up per table.

    Every change moves the newest position; a purge of tombstones lowers it but raises the floor; a migration that
    rebuilds payloads without moving them changes the revision.
    """
    rows = await connection.fetch(
        """
        SELECT asked.entity, concat_ws('-', newest.position, k.floor, stamp.revision) AS version
        FROM unnest($2::text[]) AS asked(entity)
        CROSS JOIN LATERAL (
          SELECT coalesce(max(f.position), 0) AS position FROM feed f
          WHERE f.org_id = $1 AND f.entity = asked.entity AND f.position > 0
        ) AS newest
        LEFT JOIN org_clock k ON k.org_id = $1
        LEFT JOIN schema_stamp stamp ON true
        """,
        org_id,
        tables,
    )
    return {row["entity"]: row["version"] for row in rows}
