"""Records as the office reads them, by their ids; and the grants and the login name of a person.

Owns: the SQL of these look-ups.
Must not know: who asks, which fields may be shown: whoever asks decides with the labels that come along.
Invariant: a record that is not there costs what one costs that is (tests/integration/test_records.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Listed:
    """A record as the feed holds it: `payload` is its JSON, `scopes` are its labels."""

    id: str
    position: int
    payload: str
    scopes: Sequence[str]


async def read_listed(connection: Connection, org_id: str, table: str, id: str) -> Listed | None:
    """Read a record. Cost: one look-up by primary key, the same for one that is not there."""
    row = await connection.fetchrow(
        "SELECT id, position, payload::text, scopes FROM feed"
        " WHERE org_id = $1 AND entity = $2 AND id = $3 AND payload IS NOT NULL",
        *(org_id, table, id),
    )
    return None if row is None else Listed(*row)


async def read_several(
    connection: Connection, org_id: str, keys: Collection[tuple[str, str]]
) -> dict[str, list[Listed]]:
    """Read the records (table, id) that are there: table -> records by id. Cost: one statement of look-ups, none for none."""
    if not keys:
        return {}
    rows = await connection.fetch(
        "SELECT f.* FROM unnest($2::text[], $3::text[]) AS asked(entity, id) CROSS JOIN LATERAL ("
        " SELECT f.entity, f.id, f.position, f.payload::text, f.scopes FROM feed f"
        " WHERE f.org_id = $1 AND f.entity = asked.entity AND f.id = asked.id AND f.payload IS NOT NULL OFFSET 0) f"
        " ORDER BY f.entity, f.id",
        *(org_id, [table for table, _ in keys], [id for _, id in keys]),
    )
    found: dict[str, list[Listed]] = {}
    for table, *listed in rows:
        found.setdefault(table, []).append(Listed(*listed))
    return found


@dataclass(frozen=True, slots=True)
class GrantListed:
    """A grant of a user that has not ended, with the title of its role; moments in milliseconds since 1970."""

    id: str
    role_id: str
    title: str
    branch_id: str | None
    partner_id: str | None
    agent_id: str | None
    valid_from: int | None
    valid_until: int | None


async def list_grants(connection: Connection, org_id: str, user_id: str) -> Sequence[GrantListed]:
    """Give the grants of a user that have not ended, by id. Cost: one statement."""
    rows = await connection.fetch(
        """
        SELECT g.id, g.role_id, r.title, g.branch_id, g.partner_id, g.agent_id,
          (extract(epoch FROM g.valid_from) * 1000)::bigint, (extract(epoch FROM g.valid_until) * 1000)::bigint
        FROM grants g CROSS JOIN LATERAL (
          SELECT r.title FROM roles r WHERE r.org_id = g.org_id AND r.id = g.role_id OFFSET 0
        ) r
        WHERE g.org_id = $1 AND g.user_id = $2 AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())
        ORDER BY g.id
        """,
        *(org_id, user_id),
    )
    return [GrantListed(*row) for row in rows]


async def login_holder(connection: Connection, username: str) -> tuple[str, str] | None:
    """Say whose a login name is, over all organisations: (org_id, user_id). Cost: one look-up by key."""
    row = await connection.fetchrow("SELECT org_id, user_id FROM find_login_holder($1)", username)
    return None if row is None else (row["org_id"], row["user_id"])
