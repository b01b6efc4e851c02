"""Erasing: the statements with which a person is forgotten, in the log and in every table that repeats what records say.

Owns: finding a person's events, rewriting them, and emptying receipts, kept answers, impounded pushes and what a login needs.
Must not know: which fields tell of a person, what is left of them. All that writes is the owner's.
Invariant: the log is rewritten only for records that are noted as erased, and only in the fields noted, which the database
itself holds us to; their salts go in the same transaction (tests/integration/test_privacy.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from sync_server.store.clock import read_clock
from sync_server.store.database import Connection

Key: TypeAlias = tuple[str, str]

PIECE: Final = 20_000
"""Events that one statement looks through, some tens of milliseconds."""


class Past(NamedTuple):
    """An event that tells of a person: the record's JSON after it."""

    position: int
    table: str
    id: str
    new: str


class Kept(NamedTuple):
    """An answer or a body that was kept; `place`: its row."""

    place: str
    body: bytes


# --- The log ------------------------------------------------------------------------------------------------------------

# A record tells of a person where one of its members has the person's id: its own, or the one that names it.
_PAST: Final = """
SELECT e.position, e.entity, e.record_id, e.new::text
FROM (SELECT * FROM event WHERE org_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4) e
WHERE e.new IS NOT NULL AND EXISTS (
  SELECT FROM unnest($5::text[], $6::text[], $7::text[]) AS t(entity, field, value)
  WHERE t.entity = e.entity AND CASE t.field WHEN 'id' THEN e.record_id ELSE e.new ->> t.field END = t.value)
ORDER BY e.position
"""


async def read_past(
    connection: Connection, org_id: str, after: int, wanted: Collection[tuple[str, str, str]]
) -> tuple[Sequence[Past], int]:
    """Give the events after a position of the records whose field has a value, (table, field, value), and how far it was read.

    Cost: reads the log of the organisation once, a statement for each `PIECE` events.
    """
    found: list[Past] = []
    asked = [list(column) for column in zip(*wanted, strict=True)]
    top = (await read_clock(connection, org_id)).position
    while asked and after < top:
        # Up to the top only: what is written meanwhile would be between the two statements, and passed over.
        found += [Past(*row) for row in await connection.fetch(_PAST, org_id, after, top, PIECE, *asked)]
        after = await connection.fetchval(
            "SELECT coalesce(max(position), $3) FROM (SELECT position FROM event"
            " WHERE org_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4) e",
            *(org_id, after, top, PIECE),
        )
    return found, top


async def note(connection: Connection, org_id: str, request_id: str, records: Mapping[Key, Collection[str]]) -> None:
    """Note of which records which fields are erased, for ever. Cost: a statement for each record, sent together."""
    await connection.executemany(
        "INSERT INTO erased_record AS r (org_id, entity, record_id, fields, request_id) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (org_id, entity, record_id) DO UPDATE"
        " SET fields = ARRAY(SELECT DISTINCT unnest(r.fields || excluded.fields) ORDER BY 1)",
        [(org_id, table, id, sorted(names), request_id) for (table, id), names in sorted(records.items())],
    )


async def rewrite(connection: Connection, org_id: str, news: Mapping[int, str]) -> int:
    """Give events another content and destroy the salts of their seals; give how many. Cost: two statements."""
    positions, contents = list(news), list(news.values())
    await connection.execute(
        "UPDATE event e SET new = t.new::json FROM unnest($2::bigint[], $3::text[]) AS t(position, new)"
        " WHERE e.org_id = $1 AND e.position = t.position",
        *(org_id, positions, contents),
    )
    await connection.execute(
        "UPDATE event_seal SET salt = NULL WHERE org_id = $1 AND position = ANY($2) AND salt IS NOT NULL",
        *(org_id, positions),
    )
    return len(positions)


# --- What repeats records -----------------------------------------------------------------------------------------------

_KEPT: Final[Mapping[str, tuple[str, str, str]]] = {
    "push_receipt": ("answer", "encode(digest, 'hex') || ' ' || user_id", "convert_to(answer::text, 'UTF8')"),
    "idempotency_key": ("body", "key || ' ' || user_id", "body"),
    "impounded": ("body", "id", "body"),
}
"""Table -> the column with JSON, what tells its rows apart, and the column as bytes."""

KEEPING: Final = tuple(_KEPT)


async def read_kept(connection: Connection, org_id: str, table: str, ids: Collection[str]) -> Sequence[Kept]:
    """Give what is kept in a table and names one of `ids`. Cost: reads what is kept for the organisation."""
    _, place, body = _KEPT[table]
    rows = await connection.fetch(
        f"SELECT {place}, {body} FROM {table} WHERE org_id = $1"
        f" AND EXISTS (SELECT FROM unnest($2::bytea[]) AS named(id) WHERE position(named.id IN {body}) > 0)",
        *(org_id, [one.encode() for one in sorted(ids)]),
    )
    return [Kept(*row) for row in rows]


async def rewrite_kept(connection: Connection, org_id: str, table: str, kept: Sequence[Kept]) -> None:
    """Put other bodies in place of what is kept."""
    column, place, _ = _KEPT[table]
    new = "$3" if column == "body" else "convert_from($3, 'UTF8')::json"
    await connection.executemany(
        f"UPDATE {table} SET {column} = {new} WHERE org_id = $1 AND {place} = $2",
        [(org_id, one.place, one.body) for one in kept],
    )


async def forget_outcomes(connection: Connection, org_id: str, records: Mapping[Key, Collection[str]]) -> None:
    """Take out of what was decided about records what was decided about their erased fields."""
    await connection.executemany(
        "UPDATE resolution SET outcomes = (SELECT coalesce(json_agg(o), '[]') FROM json_array_elements(outcomes) o"
        " WHERE NOT o ->> 'column' = ANY($4)) WHERE org_id = $1 AND entity = $2 AND record_id = $3",
        [(org_id, table, id, sorted(names)) for (table, id), names in records.items()],
    )


# --- What a login needs -------------------------------------------------------------------------------------------------

_OF_USER: Final = (
    "UPDATE session SET revoked_at = coalesce(revoked_at, now()) WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM credential WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM totp WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM password_reset WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM login_name WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM code_request WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM push_address WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM notice_wish WHERE org_id = $1 AND user_id = $2",
    "UPDATE device SET name = '' WHERE org_id = $1 AND user_id = $2",
    "UPDATE security_event SET address = '', detail = '' WHERE org_id = $1 AND user_id = $2",
)


async def forget_logins(connection: Connection, org_id: str, user_id: str) -> None:
    """Destroy what a user logs in with and was seen from; the sessions end. Cost: ten statements."""
    for statement in _OF_USER:
        await connection.execute(statement, org_id, user_id)
