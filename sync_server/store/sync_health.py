"""How syncing goes: what the database knows of devices beside their own rows.

Owns: the statements that count receipts, sightings and open issues, and that put one device's traces in an order.
Must not know: who may ask.
Invariant: nothing is told that was not written down: pulls leave no row, so they are not counted
(tests/integration/test_sync_health.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sync_server.store.database import Connection

HOURS: Final = 24
TRACES_MAX: Final = 200
DAYS: Final = 30
EVENTS_MAX: Final = 5_000
"""Of the newest changes of the organisation, those of the device are told; more would be a walk through the log."""


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour: the pushes that got an answer in it, and the devices that were last heard of in it."""

    at: datetime
    pushes: int
    heard: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Something that a device did or that happened to it. `about`: table/id, or nothing."""

    at: datetime
    kind: str
    detail: str
    about: str


_HOURS = """
WITH hours AS (
  SELECT generate_series(date_trunc('hour', now()) - make_interval(hours => $2 - 1), now(), '1 hour') AS at
), pushes AS (
  SELECT date_trunc('hour', at) AS at, count(*) AS n FROM push_receipt
  WHERE org_id = $1 AND at >= now() - make_interval(hours => $2) GROUP BY 1
), heard AS (
  SELECT date_trunc('hour', last_seen_at) AS at, count(*) AS n FROM device
  WHERE org_id = $1 AND last_seen_at >= now() - make_interval(hours => $2) GROUP BY 1
)
SELECT at, coalesce(pushes.n, 0), coalesce(heard.n, 0)
FROM hours LEFT JOIN pushes USING (at) LEFT JOIN heard USING (at) ORDER BY at
"""


async def read_hours(connection: Connection, org_id: str) -> Sequence[Hour]:
    """Give the last HOURS hours, the oldest first. Cost: one statement, by the receipts of a day."""
    return [Hour(*row) for row in await connection.fetch(_HOURS, org_id, HOURS)]


async def count_open_issues(connection: Connection, org_id: str) -> Mapping[str, int]:
    """Count the open issues: device -> how many; "": of those that are of no device."""
    rows = await connection.fetch(
        "SELECT coalesce(device_id, '') AS id, count(*) AS n FROM sync_issues WHERE org_id = $1 AND state = 'open'"
        " GROUP BY 1 ORDER BY 1",
        org_id,
    )
    return {row["id"]: row["n"] for row in rows}


_TRACES = """
SELECT at, kind, detail, about FROM (
  SELECT at, kind, detail, '' AS about FROM security_event
  WHERE org_id = $1 AND device_id = $2 AND at > now() - make_interval(days => $4)
  UNION ALL
  SELECT at, verdict, '', entity || '/' || record_id FROM resolution
  WHERE org_id = $1 AND device_id = $2 AND at > now() - make_interval(days => $4)
  UNION ALL
  SELECT created_at, 'issue', reason_code, table_name || '/' || record_id FROM sync_issues
  WHERE org_id = $1 AND device_id = $2 AND created_at > now() - make_interval(days => $4)
  UNION ALL
  SELECT max(e.at), 'wrote', count(*)::text, min(e.entity || '/' || e.record_id)
  FROM (SELECT * FROM event WHERE org_id = $1 ORDER BY position DESC LIMIT $5) e
  JOIN session s ON s.org_id = $1 AND s.id = e.session AND s.device_id = $2
  WHERE e.at > now() - make_interval(days => $4) GROUP BY e.session, e.push, date_trunc('minute', e.at)
) traces ORDER BY at DESC, kind, about LIMIT $3
"""


async def read_traces(connection: Connection, org_id: str, device_id: str) -> Sequence[Trace]:
    """Give the newest traces of a device in the last DAYS days, at most TRACES_MAX. Cost: one statement."""
    rows = await connection.fetch(_TRACES, org_id, device_id, TRACES_MAX, DAYS, EVENTS_MAX)
    return [Trace(*row) for row in rows]
