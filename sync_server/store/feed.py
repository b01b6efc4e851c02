"""The feed as a small delta reads it: what moved since a cursor, with the payloads that the capture triggers wrote.

Owns: the SQL of the everyday pull, one statement, and the look-ups that decide a doubtful record.
Must not know: change sets, cursors of clients, who may read what: it is handed tables and scopes, and whoever asks decides
with the labels that come along. Lists of any length: store/listings.py.
`position > 0` always holds; saying it admits the partial index on positions (migration 0001).
Invariant: one call is one snapshot; `payload` passes through unread (tests/integration/test_pull.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sync_server.store.clock import POSITION, Clock, Rights
from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]
"""(table, id)."""

NEWEST: Final = 2**62
"""The position of a candidate of which nothing more is known than that it moved: above every cursor."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the feed is read: an organisation, and a user, whose corrections count."""

    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a delta is about: the tables, those of them that are seen whole, and the scopes that count for the others."""

    tables: Sequence[str]
    whole: Sequence[str]
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that moved, or that is to be sent again, or is in a scope given or taken, and what decides if it is shown.

    `payload` None: deleted. `scopes`, `past`: the labels it carries and those it carried; None where its table is seen
    whole. `revive`: None if it moved; else it is sent again, and says whether the device destroyed its copy.
    """

    table: str
    id: str
    payload: str | None
    scopes: Sequence[str] | None
    past: Sequence[str] | None
    created_position: int
    relabelled: int
    author: str | None
    revive: bool | None
    position: int = NEWEST

    @property
    def key(self) -> Key:
        return (self.table, self.id)


_LABELS: Final = (
    "CASE WHEN {entity} = ANY($5) THEN NULL ELSE f.scopes END, CASE WHEN {entity} = ANY($5) THEN NULL ELSE f.past END"
)

_CORRECTIONS: Final = f"""
SELECT c.entity, c.record_id, f.payload::text, {_LABELS.format(entity="c.entity")},
  coalesce(f.created_position, 0), coalesce(f.relabelled, 0), f.author, bool_or(c.revive),
  k.epoch, k.seq, k.floor, k.rights, k.assigned
FROM org_clock k
JOIN correction c ON c.org_id = k.org_id
LEFT JOIN LATERAL (
  SELECT f.* FROM feed f WHERE f.org_id = c.org_id AND f.entity = c.entity AND f.id = c.record_id OFFSET 0
) f ON true
WHERE k.org_id = $1 AND c.user_id = $2 AND c.entity = ANY($3) AND c.position > $4
  AND c.position <= {POSITION}
GROUP BY c.entity, c.record_id, f.payload::text, f.scopes, f.past, f.created_position, f.relabelled, f.author,
  k.epoch, k.seq, k.floor, k.rights, k.assigned
"""

_DELTA: Final = f"""
SELECT NULL AS entity, NULL, NULL, NULL::text[], NULL::text[], 0::bigint, 0::bigint, NULL, NULL::boolean,
  k.epoch, k.seq, k.floor, k.rights, k.assigned
FROM org_clock k WHERE k.org_id = $1
UNION ALL
SELECT f.entity, f.id, f.payload::text, {_LABELS.format(entity="f.entity")},
  f.created_position, f.relabelled, f.author, NULL, 0, 0, 0, 0, 0
FROM feed f WHERE f.org_id = $1 AND f.entity = ANY($3) AND f.position > $4 AND f.position > 0
  AND (f.entity = ANY($5) OR f.scopes && $6 OR f.past && $6)
UNION ALL ({_CORRECTIONS})
"""


async def read_delta(
    connection: Connection, reader: Reader, asked: Asked, after: int
) -> tuple[Clock, Collection[Candidate]]:
    """Give the clock and every record that moved after `after` and may be, or have been, in one of the scopes, each once.

    A correction comes last and wins: it knows that the device destroyed its copy. Cost: one statement, which is one
    snapshot by itself; one index range per table. The caller bounds the number of rows by the clock beforehand.
    """
    rows = await connection.fetch(
        _DELTA, reader.org_id, reader.user_id, asked.tables, after, asked.whole, list(asked.scopes)
    )
    (clock,) = (Clock(row[9], row[10], row[11], Rights(row[12], row[13])) for row in rows if row["entity"] is None)
    moved = {(row[0], row[1]): Candidate(*row[:9]) for row in rows if row["entity"] is not None}
    return clock, moved.values()


_MEMBERS: Final = """
SELECT f.entity, f.id, f.payload::text, f.scopes, f.past, f.created_position, f.relabelled, f.author, NULL::boolean, f.position
FROM (
  SELECT DISTINCT m.entity, m.id FROM unnest($3::text[]) AS held(scope) CROSS JOIN LATERAL (
    SELECT l.entity, l.id FROM label l WHERE l.org_id = $1 AND l.scope = held.scope AND l.entity = ANY($2)
      AND (l.until IS NULL OR l.until > $4) OFFSET 0
  ) m LIMIT $5
) m CROSS JOIN LATERAL (
  SELECT f.* FROM feed f WHERE f.org_id = $1 AND f.entity = m.entity AND f.id = m.id OFFSET 0
) f
"""


async def read_members(
    connection: Connection, org_id: str, tables: Sequence[str], scopes: Sequence[str], after: int, most: int
) -> Sequence[Candidate]:
    """Give at most `most` records of `tables` that are in one of `scopes` now, or were at any time since `after`."""
    rows = await connection.fetch(_MEMBERS, org_id, tables, scopes, after, most)
    return [Candidate(*row) for row in rows]


async def read_corrections(
    connection: Connection, reader: Reader, tables: Sequence[str], after: int
) -> Collection[Candidate]:
    """Give the records of `tables` that this user's devices must be sent again, with their labels."""
    rows = await connection.fetch(_CORRECTIONS, reader.org_id, reader.user_id, tables, after, [])
    return [Candidate(*row[:9]) for row in rows]


async def read_labels_at(
    connection: Connection, org_id: str, keys: Mapping[Key, Collection[str]], at: int
) -> Mapping[Key, Sequence[str]]:
    """Say which of the given labels each record carried at the position `at`. Cost: a look-up per record and label."""
    asked = [(table, id, label) for (table, id), labels in keys.items() for label in labels]
    carried: dict[Key, list[str]] = {}
    rows: Sequence[Any] = await connection.fetch(
        """
        SELECT asked.entity, asked.id, asked.scope FROM unnest($2::text[], $3::text[], $4::text[]) AS asked(entity, id, scope)
        CROSS JOIN LATERAL (
          SELECT FROM label l WHERE l.org_id = $1 AND l.scope = asked.scope AND l.entity = asked.entity AND l.id = asked.id
            AND l.since <= $5 AND (l.until IS NULL OR l.until > $5) LIMIT 1
        ) AS carried
        """,
        org_id,
        [table for table, _, _ in asked],
        [id for _, id, _ in asked],
        [label for _, _, label in asked],
        at,
    )
    for row in rows:
        carried.setdefault((row["entity"], row["id"]), []).append(row["scope"])
    return carried


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
