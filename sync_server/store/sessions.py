"""Sessions: which are live, whose they are, and how they end.

Owns: the statements on `session`, and the one meaning of "live".
Must not know: what a token looks like (`refreshes.py` has their hashes).
Invariant: ended, expired, of an inactive user, or on a device that is revoked or wiped: such a session is nowhere live
(tests/integration/test_sessions.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_server.store.actor import Actor
from sync_server.store.database import Connection

_OF = """
  FROM session s JOIN users u ON u.org_id = s.org_id AND u.id = s.user_id
  LEFT JOIN device d ON d.org_id = s.org_id AND d.id = s.device_id
"""
LIVE = f"""{_OF}
  WHERE s.revoked_at IS NULL AND s.expires_at > now() AND u.is_active
    AND (s.device_id IS NULL OR (d.state IN ('active', 'wiping') AND d.user_id = s.user_id))
"""
"""FROM and WHERE of the sessions s that are live, with their user u and device d. One that is being wiped must still come to
hear of it; what else it may do `wiping` says."""


async def insert_session(
    connection: Connection,
    org_id: str,
    session_id: str,
    user_id: str,
    device_id: str,
    *,
    life: timedelta,
    must_enrol: bool = False,
) -> bool:
    """Begin a session that ends after `life` without a refresh; False if the user is no longer active."""
    status = await connection.execute(
        "INSERT INTO session (org_id, id, user_id, device_id, expires_at, must_enrol)"
        " SELECT org_id, $2, id, $4, now() + $5, $6 FROM users WHERE org_id = $1 AND id = $3 AND is_active",
        *(org_id, session_id, user_id, device_id, life, must_enrol),
    )
    return bool(status == "INSERT 0 1")


SessionKey = tuple[str, str]
"""(org_id, session_id)."""

_LIVE_AMONG = f"""
SELECT l.* FROM unnest($1::text[], $2::text[]) AS asked(org_id, id) CROSS JOIN LATERAL (
  SELECT s.org_id, s.user_id, s.id, coalesce(s.device_id, '') AS device_id, s.must_enrol,
    coalesce(d.born, 0) AS born, d.state IS NOT DISTINCT FROM 'wiping' AS wiping
  {LIVE} AND s.org_id = asked.org_id AND s.id = asked.id OFFSET 0
) l
"""


async def live_among(connection: Connection, keys: Collection[SessionKey]) -> dict[SessionKey, Actor]:
    """Give those of `keys` that are live, each with whom it is a session of. Cost: one statement, of look-ups by key."""
    rows = await connection.fetch(_LIVE_AMONG, [org_id for org_id, _ in keys], [id for _, id in keys])
    return {(row["org_id"], row["id"]): Actor(*row) for row in rows}


_ADMITTED = f"""
SELECT l.* FROM unnest($2::text[]) AS asked(id) CROSS JOIN LATERAL (
  SELECT s.id, d.state IS NOT DISTINCT FROM 'wiping' AS wiping {LIVE} AND s.org_id = $1 AND s.id = asked.id OFFSET 0
) l
"""


async def admitted(connection: Connection, org_id: str, session_ids: Collection[str]) -> dict[str, bool]:
    """Give those of `session_ids` that live, each with whether its device is being wiped. Cost: one statement.

    In the transaction of a write it is the last word: whoever was shut out before is not let in by an older check.
    """
    rows = await connection.fetch(_ADMITTED, org_id, list(session_ids))
    return {row["id"]: row["wiping"] for row in rows}


async def last_session_on(connection: Connection, org_id: str, device_id: str, user_id: str) -> str | None:
    """Give the last session of a user on a device, ended or not; None: none is known any more. Cost: one look-up."""
    found: str | None = await connection.fetchval(
        "SELECT id FROM session WHERE org_id = $1 AND device_id = $2 AND user_id = $3 ORDER BY created_at DESC, id LIMIT 1",
        *(org_id, device_id, user_id),
    )
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A live session, as its user or an administrator is shown it."""

    id: str
    device_id: str
    device_name: str
    platform: str
    app_version: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


LISTED_MAX = 500
"""Sessions of one user in one list; a person has a handful."""


async def list_sessions(connection: Connection, org_id: str, user_id: str) -> Sequence[Listed]:
    """List the live sessions of a user, the last seen first, `LISTED_MAX` at most."""
    rows = await connection.fetch(
        "SELECT s.id, coalesce(s.device_id, ''), coalesce(d.name, ''), coalesce(d.platform, 'unknown'),"
        " coalesce(d.app_version, ''), s.created_at, greatest(d.last_seen_at, s.renewed_at) AS seen, s.expires_at"
        f" {LIVE} AND s.org_id = $1 AND s.user_id = $2 ORDER BY seen DESC, s.id LIMIT {LISTED_MAX}",
        *(org_id, user_id),
    )
    return [Listed(*row) for row in rows]


async def end_sessions(
    connection: Connection,
    org_id: str,
    user_id: str,
    *,
    ended_by: str,
    only: str | None = None,
    keep: str | None = None,
) -> Sequence[str]:
    """End the sessions of a user, or `only` one, or all but `keep`; give the ids of those that were not yet ended."""
    rows = await connection.fetch(
        "UPDATE session SET revoked_at = now(), ended_by = $3 WHERE org_id = $1 AND user_id = $2 AND revoked_at IS NULL"
        " AND ($4::text IS NULL OR id = $4) AND ($5::text IS NULL OR id <> $5) RETURNING id",
        *(org_id, user_id, ended_by, only, keep),
    )
    return [row["id"] for row in rows]


async def end_sessions_of_device(
    connection: Connection, org_id: str, device_id: str, *, ended_by: str
) -> Sequence[str]:
    """End every session on a device, whoever's; give the ids of those that were not yet ended."""
    rows = await connection.fetch(
        "UPDATE session SET revoked_at = now(), ended_by = $3 WHERE org_id = $1 AND device_id = $2"
        " AND revoked_at IS NULL RETURNING id",
        *(org_id, device_id, ended_by),
    )
    return [row["id"] for row in rows]


async def forget_ended(connection: Connection, days: int) -> None:
    """Forget sessions that ended `days` ago, and what has neither a session nor an installation behind it.

    In a transaction. A device that was registered by its own id stays: its `born` must be known for as long as it may come.
    """
    old = "now() - make_interval(days => $1)"
    await connection.execute(f"DELETE FROM session WHERE coalesce(revoked_at, expires_at) < {old}", days)
    await connection.execute(
        f"DELETE FROM device d WHERE d.platform = 'unknown' AND d.born = 0 AND d.registered_at < {old}"
        " AND d.state = 'active' AND NOT EXISTS (SELECT FROM session s WHERE s.org_id = d.org_id AND s.device_id = d.id)",
        days,
    )
    await connection.execute("DELETE FROM login_guess WHERE at < now() - interval '2 days'")
    await connection.execute("DELETE FROM password_reset WHERE expires_at < now()")
