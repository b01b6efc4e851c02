"""Which organisations a database holds, and the roles that a new one begins with.

Owns: the one question that looks over all organisations, and the call of `found_roles`.
Must not know: who asks.
Invariant: it tells that there are others, never which (tests/integration/test_seed.py).
"""

from __future__ import annotations

from collections.abc import Collection

from sync_server.store.database import Connection


async def holds_others(connection: Connection, org_ids: Collection[str]) -> bool:
    """Say whether there is an organisation, or a person who can log in, of none of `org_ids`. Cost: one statement."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM organisations WHERE org_id <> ALL($1))"
        " OR EXISTS (SELECT FROM login_name WHERE org_id <> ALL($1))",
        list(org_ids),
    )
    return found


async def found_roles(connection: Connection, org_id: str) -> None:
    """Insert the roles that ship, for an organisation that is there; those it has already stay. Cost: one statement."""
    await connection.execute("SELECT found_roles($1)", org_id)
