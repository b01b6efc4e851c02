"""Deliveries: one event on its way to one webhook, and what became of every attempt.

Owns: the statements on `webhook_delivery`: queued, claimed, settled, listed, tried again, forgotten.
Must not know: what is sent, HTTP, when another attempt is due.
Invariant: a claimed delivery that nobody settles is due again when its lease is over, and one that somebody else took up since
is not settled by the first; an event of a record waits while an older one of that record does
(tests/integration/test_webhook_deliveries.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sync_server.store.database import Connection

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"
WITHHELD: Final = "withheld"
"""Not for the webhook's owner to see; it was not sent."""

WINDOW: Final = timedelta(days=3)
"""How long a delivery is tried."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for a webhook; `position` None: none, it is a ping. `number` rises as they are queued."""

    id: str
    number: int
    webhook_id: str
    position: int | None
    table: str
    record_id: str
    type: str
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime
    expires_at: datetime
    tried_at: datetime | None
    status: int | None
    error: str
    ms: int | None


@dataclass(frozen=True, slots=True)
class Queued:
    """A delivery to queue; see `Delivery`."""

    id: str
    position: int | None
    table: str
    record_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an attempt: the state from now on, and when it is due again while that is `pending`."""

    state: str
    next_at: datetime
    status: int | None = None
    error: str = ""
    ms: int | None = None


_COLUMNS: Final = (
    "id, number, webhook_id, position, entity, record_id, type, state, attempts, made_at, next_at, expires_at, tried_at,"
    " status, error, ms"
)


_OF_T: Final = ", ".join(f"t.{name}" for name in _COLUMNS.split(", "))


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(*row.values())


async def queue(
    connection: Connection, org_id: str, webhook_id: str, some: Sequence[Queued], *, now: datetime, expires_at: datetime
) -> None:
    """Queue deliveries, in the order given. Cost: one statement, none for none."""
    if some:
        columns = zip(*((q.id, q.position, q.table, q.record_id, q.type) for q in some), strict=True)
        await connection.execute(
            "INSERT INTO webhook_delivery (org_id, webhook_id, id, position, entity, record_id, type, made_at, next_at,"
            " expires_at) SELECT $1, $2, t.id, t.position, t.entity, t.record_id, t.type, $8, $8, $9"
            " FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])"
            " WITH ORDINALITY AS t(id, position, entity, record_id, type, n) ORDER BY t.n",
            *(org_id, webhook_id, *(list(column) for column in columns), now, expires_at),
        )


async def count_pending(connection: Connection, org_id: str, webhook_id: str, most: int) -> int:
    """Count what waits for a webhook, up to `most`."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM webhook_delivery WHERE org_id = $1 AND webhook_id = $2"
            " AND state = 'pending' LIMIT $3) counted",
            *(org_id, webhook_id, most),
        )
    )


async def claim(
    connection: Connection, org_id: str, webhook_id: str, limit: int, *, now: datetime, until: datetime
) -> Sequence[Delivery]:
    """Take the oldest deliveries that are due, at most `limit`; nobody else takes them before `until`.

    At most one of a record: a later event of it waits for the older one. The webhook's row must be locked meanwhile. Cost: one
    statement that looks at all that waits for the webhook.
    """
    # One pass over what waits, whatever the plan: a look-up of the older events for each row would be quadratic with the wrong
    # index, and a plan may have been made while the table was empty.
    rows = await connection.fetch(
        "WITH heads AS MATERIALIZED (SELECT DISTINCT ON (d.entity, d.record_id) d.id, d.number, d.next_at"
        "  FROM webhook_delivery d WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.state = 'pending'"
        "  ORDER BY d.entity, d.record_id, d.position),"
        " taken AS MATERIALIZED (SELECT id FROM heads WHERE next_at <= $3 ORDER BY number LIMIT $5)"
        " UPDATE webhook_delivery t SET attempts = t.attempts + 1, next_at = $4, leased_until = $4, tried_at = $3"
        f" FROM taken WHERE t.org_id = $1 AND t.id = taken.id RETURNING {_OF_T}",
        *(org_id, webhook_id, now, until, limit),
    )
    return sorted(map(_delivery, rows), key=lambda one: one.number)


async def settle(connection: Connection, org_id: str, id: str, attempt: int, outcome: Settled) -> bool:
    """Write down what became of an attempt; False: the lease was over and somebody else took it up."""
    done = await connection.fetchval(
        "UPDATE webhook_delivery SET state = $4, next_at = $5, status = $6, error = $7, ms = $8, leased_until = NULL"
        " WHERE org_id = $1 AND id = $2 AND attempts = $3 AND state = 'pending' RETURNING 1",
        *(org_id, id, attempt, outcome.state, outcome.next_at, outcome.status, outcome.error, outcome.ms),
    )
    return done is not None


async def hurry(connection: Connection, org_id: str, webhook_id: str, *, now: datetime, within: float) -> None:
    """Have what waits for another attempt tried within so many seconds: the endpoint is back."""
    await connection.execute(
        "UPDATE webhook_delivery SET next_at = least(next_at, $3 + random() * make_interval(secs => $4))"
        " WHERE org_id = $1 AND webhook_id = $2 AND state = 'pending' AND next_at > $3"
        " AND (leased_until IS NULL OR leased_until <= $3)",
        *(org_id, webhook_id, now, within),
    )


async def give_up(connection: Connection, org_id: str, webhook_id: str, *, now: datetime, error: str) -> int:
    """Let what has waited for too long be dead, but for what somebody is at; give their number."""
    rows = await connection.fetch(
        "UPDATE webhook_delivery SET state = 'dead', leased_until = NULL, tried_at = $3,"
        " error = CASE error WHEN '' THEN $4 ELSE error END"
        " WHERE org_id = $1 AND webhook_id = $2 AND state = 'pending' AND expires_at <= $3"
        " AND (leased_until IS NULL OR leased_until <= $3) RETURNING 1",
        *(org_id, webhook_id, now, error),
    )
    return len(rows)


# --- For people ---------------------------------------------------------------------------------------------------------


async def list_deliveries(
    connection: Connection, org_id: str, webhook_id: str, state: str | None, below: int | None, limit: int
) -> Sequence[Delivery]:
    """Give deliveries of a webhook, newest first: those in a state, those with a number below `below`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM webhook_delivery WHERE org_id = $1 AND webhook_id = $2"
        " AND ($3::text IS NULL OR state = $3) AND ($4::bigint IS NULL OR number < $4) ORDER BY number DESC LIMIT $5",
        *(org_id, webhook_id, state, below, limit),
    )
    return [_delivery(row) for row in rows]


async def read_delivery(connection: Connection, org_id: str, webhook_id: str, id: str) -> Delivery | None:
    """Read a delivery."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook_delivery WHERE org_id = $1 AND webhook_id = $2 AND id = $3",
        *(org_id, webhook_id, id),
    )
    return None if row is None else _delivery(row)


async def send_again(
    connection: Connection, org_id: str, webhook_id: str, id: str | None, *, now: datetime, expires_at: datetime
) -> int:
    """Queue what was settled anew, under its id: one delivery, or all that are dead (`id` None); give their number."""
    rows = await connection.fetch(
        "UPDATE webhook_delivery SET state = 'pending', attempts = 0, next_at = $4, expires_at = $5, leased_until = NULL,"
        " error = '' WHERE org_id = $1 AND webhook_id = $2"
        " AND CASE WHEN $3::text IS NULL THEN state = 'dead' ELSE id = $3 AND state <> 'pending' END RETURNING 1",
        *(org_id, webhook_id, id, now, expires_at),
    )
    return len(rows)


# --- Of all organisations, for whoever has no wall before them ----------------------------------------------------------


async def forget(connection: Connection, *, before: datetime) -> None:
    """Forget what was settled before a moment."""
    await connection.execute("DELETE FROM webhook_delivery WHERE state <> 'pending' AND tried_at < $1", before)


async def count_waiting(connection: Connection, now: datetime) -> tuple[int, int, float]:
    """Give how many deliveries are pending, how many are dead, and how old the oldest pending one is, in seconds."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'dead') AS dead,"
        " coalesce(extract(epoch FROM $1 - min(made_at) FILTER (WHERE state = 'pending')), 0)::float AS age"
        " FROM webhook_delivery WHERE state IN ('pending', 'dead')",
        now,
    )
    return row["pending"], row["dead"], row["age"]
