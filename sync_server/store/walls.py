"""The role behind the second wall: whether it is there, and making it where the cluster is ours.

Owns: looking for the role that requests are served as, and making it.
Must not know: which rights the role has (migrations/versions/0008_pre_walls.py and those after it).
Invariant: a connection that is lent to a request acts as this role and no other (tests/integration/test_walls.py).
"""

from __future__ import annotations

from typing import Final

from sync_server.store.database import APP_ROLE, Connection

_MAY_ACT: Final = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
  AND pg_has_role(current_user, (SELECT oid FROM pg_roles WHERE rolname = $1), $2)
"""


async def may_act(connection: Connection) -> bool:
    """Say whether whoever is connected may act as the role. Cost: one statement."""
    # Since PostgreSQL 16 a member may be one that may not act as the role.
    how = "SET" if connection.get_server_version().major >= 16 else "MEMBER"
    return bool(await connection.fetchval(_MAY_ACT, APP_ROLE, how))


async def found_role(connection: Connection, member: str) -> None:
    """Make the role if there is none, and let `member` act as it; as a superuser. Cost: two or three statements."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_FOUNDER)
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", APP_ROLE):
            await connection.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN")
        await connection.execute(f"GRANT {APP_ROLE} TO {member}")


_ONE_FOUNDER: Final = 0x77616C6C
"""Key of the advisory lock under which the role is made, for roles belong to the whole cluster ("wall" in ASCII)."""
