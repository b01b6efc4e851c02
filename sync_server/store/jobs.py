"""Jobs: asked for, listed, counted; and what failed for good.

Owns: every statement over the queue that does not work on it (job_queue.py).
Must not know: what a job does, when it is tried again.
Invariant: a job is asked for by the transaction that asks, or not at all, and is of the organisation whose connection that is
(tests/integration/test_jobs.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from sync_server.store.database import Connection

Body: TypeAlias = Mapping[str, Any]
"""What a job is told: JSON."""

LISTED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """A job that is `waiting` until `due_at`, or `running`."""

    id: int
    kind: str
    state: str
    attempts: int
    asked_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """A job that failed for good, with its last error."""

    org_id: str
    id: int
    kind: str
    body: Body
    once_key: str | None
    attempts: int
    error: str
    asked_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs of the whole installation. `oldest_seconds`: how long the oldest that is due has waited."""

    pending: int
    running: int
    dead: int
    oldest_seconds: float


# --- For who asks, on the connection of a unit of work ------------------------------------------------------------------


async def ask(
    connection: Connection,
    kind: str,
    body: Body | None = None,
    *,
    run_after: timedelta = timedelta(0),
    once_key: str | None = None,
) -> int | None:
    """Ask for a job of the connection's organisation, with the transaction: give its id. Cost: one statement.

    `once_key`: None is given and nothing asked if a job of this kind and key waits or runs. One that runs may have read before
    the change that asks: where that matters, leave the key out.
    """
    asked: int | None = await connection.fetchval(
        "SELECT ask_job($1, $2, $3, $4)", kind, json.dumps(body or {}), run_after, once_key
    )
    return asked


async def list_jobs(connection: Connection) -> Sequence[Listed]:
    """List what waits and what runs for the connection's organisation, the soonest first; at most `LISTED_MAX`."""
    return [Listed(*row) for row in await connection.fetch("SELECT * FROM list_jobs($1)", LISTED_MAX)]


async def list_dead(connection: Connection, org_id: str | None, below: int | None = None) -> Sequence[Dead]:
    """List what failed for good, the newest job first; at most `LISTED_MAX`. `org_id` None: of all, for the owner."""
    rows = await connection.fetch(
        f"SELECT {_DEAD} FROM dead_job WHERE ($1::text IS NULL OR org_id = $1) AND ($2::bigint IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        *(org_id, below, LISTED_MAX),
    )
    return [_dead(row) for row in rows]


async def revive(connection: Connection, org_id: str, id: int) -> bool:
    """Ask for a dead job again, as if for the first time; say whether there is one. On a connection of its organisation.

    If one of the same key waits by now, that one does it.
    """
    row = await connection.fetchrow(f"DELETE FROM dead_job WHERE org_id = $1 AND id = $2 RETURNING {_DEAD}", org_id, id)
    if row is None:
        return False
    dead = _dead(row)
    await ask(connection, dead.kind, dead.body, once_key=dead.once_key)
    return True


_DEAD: Final = "org_id, id, kind, body, once_key, attempts, error, asked_at, died_at"


def _dead(row: Any) -> Dead:
    return Dead(**{**dict(row), "body": json.loads(row["body"])})


# --- For who looks ------------------------------------------------------------------------------------------------------


async def count(connection: Connection) -> Counts:
    """Count the jobs of the whole installation. Cost: one statement over the queue and the dead."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE status = 'queued') AS pending, count(*) FILTER (WHERE status = 'picked') AS running,"
        " (SELECT count(*) FROM dead_job) AS dead, coalesce(extract(epoch FROM now() - min(execute_after) FILTER ("
        " WHERE status = 'queued' AND execute_after < now())), 0)::float AS oldest FROM pgqueuer"
        " WHERE status IN ('queued', 'picked')"
    )
    return Counts(row["pending"], row["running"], row["dead"], row["oldest"])


async def forget(connection: Connection, *, log_days: int, dead_days: int) -> None:
    """Forget what was logged of jobs, and dead ones, from before so many days ago."""
    await connection.execute("DELETE FROM pgqueuer_log WHERE created < now() - make_interval(days => $1)", log_days)
    await connection.execute("DELETE FROM dead_job WHERE died_at < now() - make_interval(days => $1)", dead_days)
