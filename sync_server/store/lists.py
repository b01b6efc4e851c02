"""Records as the office reads them: one by its id, or a page of a table by scopes, in the order of ids.

Owns: the SQL of both.
Must not know: who asks, which fields may be shown: it is handed scopes, and whoever asks decides with the labels.
Invariant: a page holds only records that carry one of the scopes, and pages joined by their last ids hold every one of them
once (tests/integration/test_records.py); the bytes of a page are bounded whatever the records are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sync_server.store.database import Connection

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of payloads; the record that passes it is left to the next page, except that every page has one."""

_ON_EVERY_RECORD: Final = frozenset({"org", "branch"})
"""Scopes that have no rows in `label`: the feed itself is their list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A record as the feed holds it: `payload` is its JSON, `scopes` are its labels."""

    id: str
    position: int
    payload: str
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Match:
    """A condition on one field: its value in JSON, and the scopes of which a record must carry one for it to be asked.

    `field` comes from the catalogue. `scopes` None: whoever sees the record sees the field.
    """

    field: str
    value: str
    scopes: Sequence[str] | None = None


async def read_listed(connection: Connection, org_id: str, table: str, id: str) -> Listed | None:
    """Read a record. Cost: one look-up by primary key, the same for one that is not there."""
    row = await connection.fetchrow(
        "SELECT id, position, payload::text, scopes FROM feed"
        " WHERE org_id = $1 AND entity = $2 AND id = $3 AND payload IS NOT NULL",
        *(org_id, table, id),
    )
    return None if row is None else Listed(*row)


async def list_records(
    connection: Connection,
    org_id: str,
    table: str,
    scopes: Collection[str],
    *,
    matches: Sequence[Match] = (),
    after: str = "",
    limit: int,
) -> tuple[Sequence[Listed], bool]:
    """Give at most `limit` records behind the id `after` that carry one of `scopes`, by id, and whether there are more.

    Cost: one statement. Without matches it reads a page; `org` and `branch` walk the table, other scopes their labels.
    """
    if not scopes:
        return [], False
    walks = bool(_ON_EVERY_RECORD & set(scopes))
    arguments: list[Any] = [org_id, table, after, limit + 1, sorted(scopes)]
    conditions = "".join(_condition(match, arguments) for match in matches)
    page = (_WALK if walks else _LABELLED).format(conditions=conditions)
    # What a filter matches and where a page begins decide the plan; everywhere else one plan serves all values.
    await connection.execute("SET LOCAL plan_cache_mode = auto")
    rows = await connection.fetch(_PAGE.format(page=page), *arguments)
    listed = [Listed(*row[:4]) for row in rows[:limit]]
    return listed, bool(rows) and rows[0]["found"] > len(listed)


def _condition(match: Match, arguments: list[Any]) -> str:
    arguments.append(match.value)
    # As jsonb, because equal numbers may be written differently.
    condition = f" AND (f.payload -> '{match.field}')::jsonb = ${len(arguments)}::text::jsonb"
    if match.scopes is not None:
        arguments.append(list(match.scopes))
        condition += f" AND f.scopes && ${len(arguments)}::text[]"
    return condition


_WALK: Final = """
SELECT f.id, f.position, f.payload::text AS payload, f.scopes FROM feed f
WHERE f.org_id = $1 AND f.entity = $2 AND f.id > $3 AND f.payload IS NOT NULL AND f.scopes && $5::text[]{conditions}
ORDER BY f.id LIMIT $4
"""

_LABELLED: Final = """
SELECT DISTINCT ON (id) id, position, payload, scopes FROM unnest($5::text[]) AS held(scope) CROSS JOIN LATERAL (
  SELECT f.* FROM label l CROSS JOIN LATERAL (
    SELECT f.id, f.position, f.payload::text AS payload, f.scopes FROM feed f
    WHERE f.org_id = $1 AND f.entity = $2 AND f.id = l.id AND f.payload IS NOT NULL{conditions} OFFSET 0
  ) f
  WHERE l.org_id = $1 AND l.scope = held.scope AND l.entity = $2 AND l.until IS NULL AND l.id > $3
  ORDER BY l.id LIMIT $4
) AS found
ORDER BY id LIMIT $4
"""

_PAGE: Final = f"""
SELECT id, position, payload, scopes, found FROM (
  SELECT page.*, count(*) OVER () AS found, row_number() OVER by_id AS place,
    sum(octet_length(page.payload)) OVER (by_id ROWS UNBOUNDED PRECEDING) AS bytes
  FROM ({{page}}) AS page(id, position, payload, scopes) WINDOW by_id AS (ORDER BY page.id)
) AS counted
WHERE place = 1 OR bytes <= {PAGE_BYTES_MAX} ORDER BY id
"""


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
