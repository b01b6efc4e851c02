"""Webhooks as they are kept: who is told of which changes, where, and how the endpoint fares.

Owns: the statements on `webhook`.
Must not know: what a payload says, HTTP, what a sealed secret holds.
Invariant: a webhook's position moves in the transaction that queues what is behind it, while its row is locked; so no event is
queued twice or left out, however many processes follow (tests/integration/test_webhook_following.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sync_server.store.clock import POSITION
from sync_server.store.database import Connection

ACTIVE: Final = "active"
PAUSED: Final = "paused"
BROKEN: Final = "broken"

LISTED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. `position`: how far the log was followed for it. `secret`, `secret_before`: sealed.

    `failures`: in a row; `closed_until`: when the endpoint is tried next, while it is broken.
    """

    org_id: str
    id: str
    owner_id: str
    name: str
    url: str
    events: Sequence[str]
    scopes: Sequence[str]
    state: str
    reason: str
    position: int
    secret: bytes
    secret_before: bytes | None
    secret_before_until: datetime | None
    failures: int
    closed_until: datetime | None
    made_at: datetime
    changed_at: datetime


_COLUMNS: Final = ", ".join(Webhook.__slots__)


def _webhook(row: Mapping[str, Any]) -> Webhook:
    return Webhook(*(row[name] for name in Webhook.__slots__))


async def write_webhook(connection: Connection, made: Webhook) -> None:
    """Insert a webhook; it hears of what happens from its position on."""
    values = [getattr(made, name) for name in Webhook.__slots__]
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO webhook ({_COLUMNS}) VALUES ({places})", *values)


async def read_webhook(connection: Connection, org_id: str, id: str, *, lock: bool = False) -> Webhook | None:
    """Read a webhook. `lock`: nobody follows it or claims its deliveries until the transaction ends."""
    held = " FOR NO KEY UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM webhook WHERE org_id = $1 AND id = $2{held}", org_id, id)
    return None if row is None else _webhook(row)


async def take_webhook(connection: Connection, org_id: str, id: str) -> Webhook | None:
    """Lock a webhook and read it; None: it is gone, or somebody else is at it, and there is no need to wait."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE SKIP LOCKED", org_id, id
    )
    return None if row is None else _webhook(row)


async def list_webhooks(connection: Connection, org_id: str) -> Sequence[Webhook]:
    """Give the webhooks of an organisation, the oldest first; at most `LISTED_MAX`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM webhook WHERE org_id = $1 ORDER BY made_at, id LIMIT {LISTED_MAX}", org_id
    )
    return [_webhook(row) for row in rows]


async def count_webhooks(connection: Connection, org_id: str) -> int:
    """Count the webhooks of an organisation."""
    return int(await connection.fetchval("SELECT count(*) FROM webhook WHERE org_id = $1", org_id))


async def change_webhook(connection: Connection, org_id: str, id: str, changes: Mapping[str, Any]) -> None:
    """Write some columns of a webhook."""
    assert changes.keys() <= set(Webhook.__slots__)
    written = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, start=3))
    await connection.execute(
        f"UPDATE webhook SET {written} WHERE org_id = $1 AND id = $2", org_id, id, *changes.values()
    )


async def remove_webhook(connection: Connection, org_id: str, id: str) -> bool:
    """Delete a webhook and its deliveries; say whether it was there."""
    return bool(await connection.fetchval("DELETE FROM webhook WHERE org_id = $1 AND id = $2 RETURNING 1", org_id, id))


# --- Of all organisations, for whoever has no wall before them ----------------------------------------------------------


async def behind(connection: Connection) -> Sequence[tuple[str, str]]:
    """Name the webhooks behind whose position something happened: (organisation, webhook). Cost: a look-up for each."""
    rows = await connection.fetch(
        "SELECT w.org_id, w.id FROM webhook w CROSS JOIN LATERAL ("
        f" SELECT {POSITION} AS top FROM org_clock k WHERE k.org_id = w.org_id OFFSET 0) k"
        " WHERE w.state <> 'paused' AND w.position < k.top ORDER BY w.org_id, w.id"
    )
    return [(row[0], row[1]) for row in rows]


async def due(connection: Connection, now: datetime) -> Sequence[tuple[str, str]]:
    """Name the webhooks that have a delivery to be tried now: (organisation, webhook). Cost: a look-up for each webhook."""
    rows = await connection.fetch(
        "SELECT w.org_id, w.id FROM webhook w WHERE w.state <> 'paused'"
        " AND (w.closed_until IS NULL OR w.closed_until <= $1) AND EXISTS ("
        " SELECT FROM webhook_delivery d WHERE d.org_id = w.org_id AND d.webhook_id = w.id AND d.state = 'pending'"
        " AND d.next_at <= $1) ORDER BY w.org_id, w.id",
        now,
    )
    return [(row[0], row[1]) for row in rows]
