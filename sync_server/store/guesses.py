"""Failed logins, counted by login name and by where they come from.

Owns: the statements on `login_guess`.
Must not know: what a level means (identity/guesses.py).
Invariant: an attempt is counted before its password is looked at, so that attempts side by side cannot outrun the count
(tests/integration/test_guessing.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Counted:
    """How full a bucket was `seconds` ago, when it was last written."""

    level: float
    seconds: float


async def lock_guesses(connection: Connection, name: bytes, sources: list[str]) -> dict[str, Counted]:
    """Make sure that the buckets exist, lock them until the end of the transaction, and read them."""
    await connection.execute(
        "INSERT INTO login_guess (name, source, level) SELECT $1, s, 0 FROM unnest($2::text[]) s ORDER BY s"
        " ON CONFLICT DO NOTHING",
        *(name, sources),
    )
    rows = await connection.fetch(
        "SELECT source, level, extract(epoch FROM clock_timestamp() - at)::float8 AS seconds FROM login_guess"
        " WHERE name = $1 AND source = ANY ($2) ORDER BY source FOR UPDATE",
        *(name, sources),
    )
    return {row["source"]: Counted(row["level"], row["seconds"]) for row in rows}


async def write_guesses(connection: Connection, name: bytes, levels: dict[str, float]) -> None:
    """Write how full buckets are now."""
    await connection.execute(
        "UPDATE login_guess g SET level = w.level, at = clock_timestamp()"
        " FROM unnest($2::text[], $3::float8[]) AS w(source, level) WHERE g.name = $1 AND g.source = w.source",
        *(name, list(levels), list(levels.values())),
    )


async def forgive(connection: Connection, name: bytes, source: str, shared: str) -> None:
    """The password was right: empty the bucket of its source, and take this attempt out of the shared one."""
    await connection.execute(
        "WITH own AS (DELETE FROM login_guess WHERE name = $1 AND source = $2)"
        " UPDATE login_guess SET level = greatest(level - 1, 0) WHERE name = $1 AND source = $3",
        *(name, source, shared),
    )
