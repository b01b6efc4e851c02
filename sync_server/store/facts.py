"""What is to be known of the PostgreSQL server before it is trusted with data.

Owns: reading its version, its safety settings and which database this is.
Must not know: what is good enough; whoever asks decides.
Invariant: nothing here needs a table or a special right (tests/integration/test_command_line.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`major`: the version; `unsafe`: the settings that would lose acknowledged commits in a power cut."""

    major: int
    unsafe: tuple[str, ...]
    connections_max: int


async def read_facts(connection: Connection) -> ServerFacts:
    """Read the facts of the server behind `connection`. Cost: one statement."""
    row = await connection.fetchrow(
        """
        SELECT current_setting('server_version_num')::integer / 10000 AS major,
          current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
            AS connections_max,
          ARRAY(SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
                AND setting = 'off' ORDER BY name) AS unsafe
        """
    )
    return ServerFacts(row["major"], tuple(row["unsafe"]), row["connections_max"])


async def read_identity(connection: Connection) -> str:
    """Name this database apart from every other, one made anew under the same name included; fit for a file name."""
    identity: str = await connection.fetchval(
        "SELECT format('%s-%s', s.system_identifier, d.oid) FROM pg_control_system() s, pg_database d "
        "WHERE d.datname = current_database()"
    )
    return identity
