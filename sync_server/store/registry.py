"""The registry of devices: as they are listed, renamed, shut out, and what is asked of them inside a push.

Owns: the statements on `device` that are not a login's (devices.py has those).
Must not know: what a wipe or a fork means to a phone (engine/devices.py, engine/wipe.py).
Invariant: whoever leaves `active` has no live session afterwards, in the same transaction
(tests/integration/test_device_registry.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_server.store.clock import SEQ_BITS
from sync_server.store.database import Connection

LISTED_MAX = 500
"""Devices in one list; the next one goes on after the last id."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as it is listed. `clock`: the organisation's newest position, to say how far behind the device is."""

    id: str
    user_id: str
    name: str
    platform: str
    app_version: str
    schema_version: int | None
    state: str
    registered_at: datetime
    last_seen_at: datetime
    cursor: int | None
    pending: int | None
    clock: int

    @property
    def lag(self) -> int | None:
        """Positions between the device and the clock; None: not known, or history was cut between them."""
        if self.cursor is None or self.cursor >> SEQ_BITS != self.clock >> SEQ_BITS:
            return None
        return max(0, self.clock - self.cursor)


_LISTED = f"""
SELECT d.id, d.user_id, d.name, d.platform, d.app_version, d.schema_version, d.state, d.registered_at, d.last_seen_at,
  d.cursor, d.pending, coalesce((SELECT (c.epoch::bigint << {SEQ_BITS}) + c.seq FROM org_clock c WHERE c.org_id = $1), 0)
FROM device d WHERE d.org_id = $1
"""


async def list_devices(
    connection: Connection, org_id: str, user_id: str | None, *, after: str = "", limit: int = LISTED_MAX
) -> Sequence[Device]:
    """List a user's devices, None: everybody's, by id, those behind `after`. Cost: one statement."""
    rows = await connection.fetch(
        f"{_LISTED} AND ($2::text IS NULL OR d.user_id = $2) AND d.id > $3 ORDER BY d.id LIMIT $4",
        *(org_id, user_id, after, limit),
    )
    return [Device(*row) for row in rows]


async def read_device(connection: Connection, org_id: str, device_id: str) -> Device | None:
    """Give one device, None if there is none."""
    row = await connection.fetchrow(f"{_LISTED} AND d.id = $2", org_id, device_id)
    return None if row is None else Device(*row)


async def rename_device(connection: Connection, org_id: str, device_id: str, name: str) -> None:
    """Give a device the name that people know it by."""
    await connection.execute("UPDATE device SET name = $3 WHERE org_id = $1 AND id = $2", org_id, device_id, name)


async def lock_state(connection: Connection, org_id: str, device_id: str) -> str | None:
    """Give a device's state and hold it until the transaction ends; None if there is no such device."""
    state: str | None = await connection.fetchval(
        "SELECT state FROM device WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE", org_id, device_id
    )
    return state


async def set_state(connection: Connection, org_id: str, device_id: str, state: str) -> None:
    """Set a device's state; the caller ends its sessions, where that is what it means."""
    await connection.execute("UPDATE device SET state = $3 WHERE org_id = $1 AND id = $2", org_id, device_id, state)


async def live_sessions_on(connection: Connection, org_id: str, device_id: str) -> Sequence[str]:
    """Name the sessions on a device that have not ended."""
    rows = await connection.fetch(
        "SELECT id FROM session WHERE org_id = $1 AND device_id = $2 AND revoked_at IS NULL", org_id, device_id
    )
    return [row["id"] for row in rows]


async def state_behind(connection: Connection, org_id: str, session_id: str) -> str | None:
    """Give the state of the device of a session, whether that lives or not; None if there is none."""
    state: str | None = await connection.fetchval(
        "SELECT d.state FROM session s JOIN device d ON d.org_id = s.org_id AND d.id = s.device_id"
        " WHERE s.org_id = $1 AND s.id = $2 AND d.user_id = s.user_id AND s.ended_by = 'wipe'",
        *(org_id, session_id),
    )
    return state


async def was_held_by(connection: Connection, org_id: str, device_id: str, user_id: str, cursor: int | None) -> bool:
    """Say whether the installation was the user's when its cursor was given; without one, whether it ever was."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM device_past WHERE org_id = $1 AND device_id = $2 AND user_id = $3"
            " AND ($4::bigint IS NULL OR (since <= $4 AND $4 < until)))",
            *(org_id, device_id, user_id, cursor),
        )
    )


# --- Inside a push ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """A push that carries a number."""

    device_id: str
    counter: int
    digest: bytes


_COUNT = """
UPDATE device d SET push_counter = t.counter, push_digest = t.digest, push_counted_at = clock_timestamp()
FROM (SELECT * FROM unnest($2::text[], $3::bigint[], $4::bytea[]) AS t(id, counter, digest) ORDER BY id) t
WHERE d.org_id = $1 AND d.id = t.id
  AND (d.push_counter < t.counter OR (d.push_counter = t.counter AND d.push_digest = t.digest))
RETURNING d.id
"""


async def count_pushes(connection: Connection, org_id: str, pushes: Sequence[Counted]) -> frozenset[str]:
    """Note the numbers of pushes, one of each device; name the devices whose number was new, or the same push's again.

    Cost: one statement; the devices' rows are held until the transaction ends, so that two pushes of one are in an order.
    """
    columns = zip(*((p.device_id, p.counter, p.digest) for p in pushes), strict=True)
    rows = await connection.fetch(_COUNT, org_id, *(list(column) for column in columns))
    return frozenset(row["id"] for row in rows)


@dataclass(frozen=True, slots=True, order=True)
class Dated:
    """How new a push without a number is: from which pull it comes, then when it arrived."""

    cursor: int
    arrived_at: datetime


_DATE = """
WITH held AS MATERIALIZED (
  SELECT d.id, d.push_cursor, d.push_arrived_at, t.cursor, t.arrived_at
  FROM device d JOIN unnest($2::text[], $3::bigint[], $4::timestamptz[]) AS t(id, cursor, arrived_at) ON d.id = t.id
  WHERE d.org_id = $1 ORDER BY d.id FOR NO KEY UPDATE OF d
), moved AS (
  UPDATE device d SET push_cursor = held.cursor, push_arrived_at = held.arrived_at
  FROM held WHERE d.org_id = $1 AND d.id = held.id AND (held.push_cursor, held.push_arrived_at) < (held.cursor, held.arrived_at)
)
SELECT id, push_cursor, push_arrived_at FROM held
"""


async def date_pushes(connection: Connection, org_id: str, newest: Mapping[str, Dated]) -> Mapping[str, Dated]:
    """Note the newest push of each device, if it is newer than what was noted; give what was noted before.

    Cost: one statement; the devices' rows are held until the transaction ends, so that two pushes of one are in an order.
    """
    columns = ([one.cursor for one in newest.values()], [one.arrived_at for one in newest.values()])
    rows = await connection.fetch(_DATE, org_id, list(newest), *columns)
    return {row["id"]: Dated(row["push_cursor"], row["push_arrived_at"]) for row in rows}


async def was_overtaken(connection: Connection, org_id: str, device_id: str, seconds: float) -> bool:
    """Say whether a push of the device was counted in the last `seconds`: since another one arrived."""
    return bool(
        await connection.fetchval(
            "SELECT push_counted_at >= clock_timestamp() - make_interval(secs => $3) FROM device"
            " WHERE org_id = $1 AND id = $2",
            *(org_id, device_id, seconds),
        )
    )
