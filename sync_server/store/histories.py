"""Histories: what happened to one record, how it was at some time, and what happened in an organisation.

Owns: the SQL over the log and the labels.
Must not know: who asks; whoever asks decides with the labels that a record carried at the time.
Invariant: of one record the chain `previous` is walked, so what is read is a look-up per event and never the log
(tests/integration/test_history.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]

WALK_MAX: Final = 10_000
"""Events of one record that are looked through for a time; what is older is not found."""

SCAN_MAX: Final = 5_000
"""Events of the log that are looked through for one page; a page of few matches may be short, and leads on."""

NEWEST: Final = 2**62
FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_STATIC: Final = ("org", "branch")
"""Labels without rows in `label`: every record of a table carries them, as long as it is there, or none does."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: `before`, `after`: the record's JSON around it (None: not there); `authored`: when its author wrote it."""

    position: int
    table: str
    id: str
    operation: str
    before: str | None
    after: str | None
    actor: str | None
    session: str | None
    push: str | None
    at: datetime
    previous: int | None
    device: str | None
    authored: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """A record's newest position, whether it is deleted, and its labels: (label, from, to), `to` None: it carries it still."""

    position: int
    deleted: bool
    labels: Sequence[tuple[str, int, int | None]]

    def labels_at(self, position: int) -> Sequence[str]:
        """Give the labels that it carried at a position; at that of its deletion, those that it had just before."""
        at = position - 1 if self.deleted and position >= self.position else position
        return [label for label, since, until in self.labels if since <= at and (until is None or until > at)]


async def read_courses(connection: Connection, org_id: str, keys: Collection[Key]) -> Mapping[Key, Course]:
    """Read the labels of records, past and present. Cost: one statement of look-ups."""
    rows = await connection.fetch(
        """
        SELECT f.entity, f.id, f.position, f.deleted, s.label, s.carried, l.since, l.until
        FROM unnest($2::text[], $3::text[]) AS asked(entity, id) CROSS JOIN LATERAL (
          SELECT f.entity, f.id, f.position, f.payload IS NULL AS deleted, f.scopes, f.past FROM feed f
          WHERE f.org_id = $1 AND f.entity = asked.entity AND f.id = asked.id OFFSET 0
        ) f CROSS JOIN LATERAL (
          SELECT label, bool_or(carried) AS carried FROM (
            SELECT unnest(f.scopes) AS label, true AS carried UNION ALL SELECT unnest(f.past), f.deleted
          ) AS either GROUP BY label
        ) s LEFT JOIN LATERAL (
          SELECT l.since, l.until FROM label l
          WHERE l.org_id = $1 AND l.scope = s.label AND l.entity = f.entity AND l.id = f.id OFFSET 0
        ) l ON true
        """,
        *(org_id, [table for table, _ in keys], [id for _, id in keys]),
    )
    found: dict[Key, tuple[int, bool, list[tuple[str, int, int | None]]]] = {}
    for row in rows:
        held = found.setdefault((row["entity"], row["id"]), (row["position"], row["deleted"], []))[2]
        if row["label"] in _STATIC:
            held += [(row["label"], 0, None)] if row["carried"] else []
        elif row["since"] is not None:
            held.append((row["label"], row["since"], row["until"]))
    return {key: Course(*course) for key, course in found.items()}


_EVENT: Final = "e.position, e.previous, e.entity, e.record_id, e.op, e.new, e.actor, e.session, e.push, e.at"

_BESIDE: Final = """
  (SELECT p.new FROM event p WHERE p.org_id = $1 AND p.position = e.previous) AS before,
  (SELECT s.device_id FROM session s WHERE s.org_id = $1 AND s.id = e.session) AS device,
  (SELECT r.authored FROM resolution r WHERE r.org_id = $1 AND r.entity = e.entity AND r.record_id = e.record_id
     AND r.push = e.push) AS authored
"""

_WALK: Final = f"""
WITH RECURSIVE walk AS (
  SELECT e.*, 1 AS step FROM feed f CROSS JOIN LATERAL (
    SELECT {_EVENT} FROM event e
    WHERE e.org_id = $1 AND e.position = coalesce($4, f.position) AND e.entity = $2 AND e.record_id = $3 OFFSET 0
  ) e WHERE f.org_id = $1 AND f.entity = $2 AND f.id = $3
  UNION ALL
  SELECT e.*, w.step + 1 FROM walk w CROSS JOIN LATERAL (
    SELECT {_EVENT} FROM event e WHERE e.org_id = $1 AND e.position = w.previous OFFSET 0
  ) e WHERE w.step < $5 AND (w.position > $6 OR w.at > $7)
)
SELECT {_EVENT}, {_BESIDE} FROM walk e
"""


async def read_events(
    connection: Connection, org_id: str, key: Key, start: int | None, limit: int
) -> Sequence[Happened]:
    """Give the events of a record, newest first, from the one at the position `start` (None: the newest) on, at most `limit`.

    Cost: one statement.
    """
    walk = f"{_WALK} ORDER BY e.position DESC"
    rows = await connection.fetch(walk, org_id, *key, start, limit, -1, FOR_EVER)
    return [_happened(row) for row in rows]


async def read_event_at(connection: Connection, org_id: str, key: Key, position: int, at: datetime) -> Happened | None:
    """Give the newest event of a record that is neither behind `position` nor later than `at`. Cost: one statement."""
    walk = f"{_WALK} WHERE e.position <= $6 AND e.at <= $7 ORDER BY e.position DESC LIMIT 1"
    row = await connection.fetchrow(walk, org_id, *key, None, WALK_MAX, position, at)
    return None if row is None else _happened(row)


async def read_at_positions(connection: Connection, org_id: str, positions: Sequence[int]) -> Sequence[Happened]:
    """Give the events at some positions, in their order, as far as the log still has them. Cost: one statement of look-ups."""
    rows = await connection.fetch(
        f"SELECT {_EVENT}, {_BESIDE} FROM unnest($2::bigint[]) AS asked(position) CROSS JOIN LATERAL ("
        f" SELECT {_EVENT} FROM event e WHERE e.org_id = $1 AND e.position = asked.position OFFSET 0) e"
        " ORDER BY e.position",
        *(org_id, list(positions)),
    )
    return [_happened(row) for row in rows]


@dataclass(frozen=True, slots=True)
class LogAsked:
    """Which events of an organisation: each condition that is not None must hold; `since` <= when < `until`."""

    table: str | None = None
    id: str | None = None
    user: str | None = None
    device: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def read_log(
    connection: Connection, org_id: str, asked: LogAsked, below: int, limit: int
) -> tuple[Sequence[Happened], int | None]:
    """Give the newest events below a position, at most `limit`, and the position to go on below; None: there are no more.

    Cost: one statement that looks through at most `SCAN_MAX` events.
    """
    rows = await connection.fetch(
        f"""
        WITH scanned AS MATERIALIZED (
          SELECT {_EVENT} FROM event e WHERE e.org_id = $1 AND e.position < $2 AND ($8::timestamptz IS NULL OR e.at < $8)
          ORDER BY e.position DESC LIMIT {SCAN_MAX}
        ), bounds AS (
          SELECT min(position) AS lowest, count(*) = {SCAN_MAX} AND ($7::timestamptz IS NULL OR min(at) >= $7) AS more
          FROM scanned
        ), met AS (
          SELECT * FROM scanned e WHERE ($3::text IS NULL OR e.entity = $3) AND ($4::text IS NULL OR e.record_id = $4)
            AND ($5::text IS NULL OR e.actor = $5) AND ($7::timestamptz IS NULL OR e.at >= $7)
            AND ($6::text IS NULL OR e.session IN (SELECT s.id FROM session s WHERE s.org_id = $1 AND s.device_id = $6))
          ORDER BY e.position DESC LIMIT $9
        )
        SELECT {_EVENT}, {_BESIDE}, b.lowest, b.more FROM bounds b LEFT JOIN met e ON true ORDER BY e.position DESC
        """,
        *(org_id, below, asked.table, asked.id, asked.user, asked.device, asked.since, asked.until, limit),
    )
    events = [_happened(row) for row in rows if row["position"] is not None]
    if len(events) == limit:
        return events, events[-1].position
    return events, rows[0]["lowest"] if rows[0]["more"] else None


def _happened(row: Mapping[str, Any]) -> Happened:
    return Happened(
        row["position"],
        row["entity"],
        row["record_id"],
        {b"i": "created", b"u": "updated", b"d": "deleted"}[row["op"]],
        row["before"],
        row["new"],
        row["actor"],
        row["session"],
        row["push"],
        row["at"],
        row["previous"],
        row["device"],
        row["authored"],
    )
