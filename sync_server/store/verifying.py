"""Records as they were at a cursor, and all that decides whether a device has one: for verify and explain.

Owns: those look-ups in the log, the feed, the resolutions and the issues.
Must not know: who may see what, digests, what is concluded.
Invariant: the event at or below a cursor is the record as a replica at that cursor holds it
(tests/integration/test_verify.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from sync_server.store.actor import Actor
from sync_server.store.database import Connection
from sync_server.store.feed import Candidate

Key: TypeAlias = tuple[str, str]
"""(table, id)."""

ISSUES_MAX: Final = 20
"""Issues of one record that an explanation names."""

_AT: Final = """
WITH RECURSIVE walk AS (
  SELECT e.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id)
  CROSS JOIN LATERAL (
    SELECT f.position FROM feed f WHERE f.org_id = $1 AND f.entity = asked.entity AND f.id = asked.id OFFSET 0
  ) f CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, new FROM event WHERE org_id = $1 AND position = f.position OFFSET 0
  ) e
  UNION ALL
  SELECT e.* FROM walk w CROSS JOIN LATERAL (
    SELECT position, previous, entity, record_id, new FROM event WHERE org_id = $1 AND position = w.previous OFFSET 0
  ) e
  WHERE w.position > $4
)
SELECT entity, record_id, new::text AS new FROM walk WHERE position <= $4
"""


async def read_payloads_at(
    connection: Connection, org_id: str, keys: Collection[Key], at: int
) -> Mapping[Key, str | None]:
    """Give the payload of each of `keys` at the position `at`; None: it was deleted then; missing: the log does not know.

    Cost: one statement that reads the events of these records since; the caller bounds them by the clock.
    """
    if not keys:
        return {}
    rows = await connection.fetch(_AT, org_id, [table for table, _ in keys], [id for _, id in keys], at)
    return {(row["entity"], row["record_id"]): row["new"] for row in rows}


async def wrote_since(connection: Connection, actor: Actor, after: int) -> bool:
    """Say whether the actor's device wrote anything after the position `after`. Cost: the events since."""
    wrote: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM event e LEFT JOIN session s ON s.org_id = e.org_id AND s.id = e.session"
        " WHERE e.org_id = $1 AND e.position > $2 AND e.session IS NOT NULL"
        " AND (e.session = $3 OR s.device_id = nullif($4, '')))",
        *(actor.org_id, after, actor.session_id, actor.device_id),
    )
    return wrote


async def read_candidate(connection: Connection, org_id: str, key: Key) -> Candidate | None:
    """Give what the feed knows of a record; None: nothing. Cost: one look-up by key."""
    row = await connection.fetchrow(
        "SELECT entity, id, payload::text, scopes, past, created_position, relabelled, author, NULL::boolean AS revive,"
        " position FROM feed WHERE org_id = $1 AND entity = $2 AND id = $3",
        *(org_id, *key),
    )
    return None if row is None else Candidate(*row)


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """What became of the newest mutation of a record that a device pushed, where it was more than its event."""

    verdict: str
    at: datetime


async def read_last_verdict(connection: Connection, org_id: str, key: Key, device_id: str) -> LastVerdict | None:
    """Give the last verdict on a mutation of a record from a device. Cost: the record's resolutions, by key."""
    row = await connection.fetchrow(
        "SELECT verdict, at FROM resolution WHERE org_id = $1 AND entity = $2 AND record_id = $3 AND device_id = $4"
        " ORDER BY at DESC, push DESC LIMIT 1",
        *(org_id, *key, device_id),
    )
    return None if row is None else LastVerdict(row["verdict"], row["at"])


@dataclass(frozen=True, slots=True)
class OpenIssue:
    """An issue that waits for its author's or somebody's decision."""

    id: str
    kind: str
    reason_code: str


async def read_open_issues(connection: Connection, org_id: str, key: Key, author_id: str) -> Sequence[OpenIssue]:
    """Give the open issues over a record of one author, newest first, at most `ISSUES_MAX`."""
    rows = await connection.fetch(
        "SELECT id, kind, reason_code FROM sync_issues WHERE org_id = $1 AND author_id = $4 AND table_name = $2"
        " AND record_id = $3 AND state = 'open' ORDER BY created_at DESC, id LIMIT $5",
        *(org_id, *key, author_id, ISSUES_MAX),
    )
    return [OpenIssue(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Origin:
    """When an event was stored, and from which device, if from one."""

    at: datetime
    device_id: str | None


async def read_origins(connection: Connection, org_id: str, positions: Collection[int]) -> Mapping[int, Origin]:
    """Give when and where the events at `positions` came from, as far as the log has them. Cost: look-ups by key."""
    rows = await connection.fetch(
        "SELECT e.position, e.at, (SELECT s.device_id FROM session s WHERE s.org_id = $1 AND s.id = e.session) AS device"
        " FROM event e WHERE e.org_id = $1 AND e.position = ANY($2)",
        *(org_id, list(positions)),
    )
    return {row["position"]: Origin(row["at"], row["device"]) for row in rows}
