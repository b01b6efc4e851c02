"""Matches that are kept: how far the log was followed for it, and which records may meet.

Owns: the statements.
Must not know: what meets what, how well.
Invariant: the cursor moves in the transaction that writes what is behind it, while its row is locked
(tests/integration/test_match_keeping.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sync_server.store.database import Connection
from sync_server.store.following import Follower

FOLLOWER: Final = Follower("match_cursor")


async def ids_in_states(
    connection: Connection, table: str, org_id: str, commodities: Collection[str], states: Collection[str]
) -> Sequence[str]:
    """Name the lots or requirements of some commodities that are in one of some states, by id. `table` is the catalogue's."""
    rows = await connection.fetch(
        f"SELECT id FROM {table} WHERE org_id = $1 AND commodity_id = ANY($2) AND state = ANY($3) ORDER BY id",
        *(org_id, list(commodities), list(states)),
    )
    return [row["id"] for row in rows]


async def matches_of(connection: Connection, org_id: str, commodities: Collection[str]) -> Sequence[str]:
    """Name the matches of lots or requirements of some commodities, by id."""
    rows = await connection.fetch(
        "SELECT m.id FROM matches m WHERE m.org_id = $1 AND EXISTS ("
        " SELECT FROM availabilities a WHERE a.org_id = m.org_id AND a.id = m.availability_id AND a.commodity_id = ANY($2)"
        " UNION ALL"
        " SELECT FROM requirements r WHERE r.org_id = m.org_id AND r.id = m.requirement_id AND r.commodity_id = ANY($2)"
        ") ORDER BY m.id",
        *(org_id, list(commodities)),
    )
    return [row["id"] for row in rows]


async def every_commodity(connection: Connection, org_id: str) -> Sequence[str]:
    """Name the organisation's commodities."""
    return [row["id"] for row in await connection.fetch("SELECT id FROM commodities WHERE org_id = $1", org_id)]
