"""Grants and holds: what a user was given, and which scopes that came to, from a position to a position.

Owns: reading grants with their roles, reading and writing `hold`, reading `assignment`.
Must not know: what a code admits, what a scope shows (engine/entitlements.py).
Invariant: `hold` at a position says under which scopes a pull with that timestamp was answered, so what a device has to lose
or to get since its cursor is a comparison of two readings (tests/integration/test_scopes.py).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_server.store.clock import SEQ_BITS, Rights
from sync_server.store.database import Connection
from sync_server.store.meters import CLOCK_WAIT


@dataclass(frozen=True, slots=True)
class GrantHeld:
    """A grant of an active user that has not ended, with the codes of its role."""

    codes: frozenset[str]
    external: bool
    branch_id: str | None
    partner_id: str | None
    agent_id: str | None
    valid_from: datetime | None
    valid_until: datetime | None


async def read_grants(connection: Connection, org_id: str, user_id: str) -> Sequence[GrantHeld]:
    """Give the grants of an active user, those that begin later included. Cost: one statement, three look-ups."""
    rows = await connection.fetch(
        """
        SELECT r.codes, r.external, g.branch_id, g.partner_id, g.agent_id, g.valid_from, g.valid_until
        FROM users u JOIN grants g ON g.org_id = u.org_id AND g.user_id = u.id
        JOIN roles r ON r.org_id = g.org_id AND r.id = g.role_id
        WHERE u.org_id = $1 AND u.id = $2 AND u.is_active
          AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())
        """,
        org_id,
        user_id,
    )
    return [GrantHeld(frozenset(row["codes"]), *row[1:]) for row in rows]


async def read_holds(
    connection: Connection, org_id: str, user_id: str, at: int | None = None
) -> Mapping[str, frozenset[str]]:
    """Give what a user holds, scope -> codes: now, or as it was at the position `at`."""
    rows = await connection.fetch(
        "SELECT scope, codes FROM hold WHERE org_id = $1 AND user_id = $2"
        " AND CASE WHEN $3::bigint IS NULL THEN until IS NULL ELSE since <= $3 AND (until IS NULL OR until > $3) END",
        org_id,
        user_id,
        at,
    )
    return {row["scope"]: frozenset(row["codes"]) for row in rows}


async def read_assignments(
    connection: Connection, org_id: str, agents: Collection[str], at: int | None = None
) -> Sequence[tuple[str, str]]:
    """Give (agent, partner) for the partners that are assigned to `agents`: now, or as it was at the position `at`."""
    if not agents:
        return []
    rows = await connection.fetch(
        "SELECT agent_id, partner_id FROM assignment WHERE org_id = $1 AND agent_id = ANY($2)"
        " AND CASE WHEN $3::bigint IS NULL THEN until IS NULL ELSE since <= $3 AND (until IS NULL OR until > $3) END",
        org_id,
        list(agents),
        at,
    )
    return [(row["agent_id"], row["partner_id"]) for row in rows]


async def read_last_change(connection: Connection, org_id: str, user_id: str, agents: Collection[str]) -> int:
    """Give the position at which what a user holds changed last, assignments to `agents` included; 0: never."""
    position: int = await connection.fetchval(
        """
        SELECT greatest(
          (SELECT coalesce(max(greatest(since, until)), 0) FROM hold WHERE org_id = $1 AND user_id = $2),
          (SELECT coalesce(max(greatest(since, until)), 0) FROM assignment WHERE org_id = $1 AND agent_id = ANY($3)))
        """,
        org_id,
        user_id,
        list(agents),
    )
    return position


async def take_position(connection: Connection, org_id: str) -> int:
    """Take a position for a change of somebody's rights, and hold the clock until the transaction ends."""
    position: int = await connection.fetchval(
        f"UPDATE org_clock SET seq = seq + 1, rights = (epoch::bigint << {SEQ_BITS}) + seq + 1 WHERE org_id = $1"
        f" RETURNING (epoch::bigint << {SEQ_BITS}) + seq",
        org_id,
    )
    return position


async def write_holds(
    connection: Connection,
    org_id: str,
    user_id: str,
    position: int,
    *,
    ended: Collection[str],
    begun: Mapping[str, frozenset[str]],
) -> None:
    """End the holds of the scopes `ended` at `position`, and begin those of `begun` (scope -> codes)."""
    await connection.execute(
        "UPDATE hold SET until = $3 WHERE org_id = $1 AND user_id = $2 AND scope = ANY($4) AND until IS NULL",
        org_id,
        user_id,
        position,
        list(ended),
    )
    await connection.executemany(
        "INSERT INTO hold (org_id, user_id, scope, since, codes) VALUES ($1, $2, $3, $4, $5)",
        [(org_id, user_id, scope, position, sorted(codes)) for scope, codes in begun.items()],
    )


async def hold_rights(connection: Connection, org_id: str) -> Rights:
    """Say when somebody's rights may have changed last, and let it stand until the transaction ends.

    It holds the clock: whoever changes rights after this commits after us. Cost: one look-up by primary key.
    """
    began = time.perf_counter()
    row = await connection.fetchrow("SELECT rights, assigned FROM org_clock WHERE org_id = $1 FOR UPDATE", org_id)
    CLOCK_WAIT.observe(time.perf_counter() - began)
    return Rights() if row is None else Rights(*row)


async def lost_since(connection: Connection, org_id: str, agents: Collection[str], position: int) -> bool:
    """Say whether a partner was taken from one of `agents` after `position`. Cost: an index range per agent."""
    lost: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM assignment WHERE org_id = $1 AND agent_id = ANY($2) AND until > $3)",
        org_id,
        list(agents),
        position,
    )
    return lost
