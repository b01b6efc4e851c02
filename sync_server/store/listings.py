"""Lists of the feed of any length, as COPY: a first sync, a long absence, a scope that was given or taken.

Owns: the SQL of one list of one table: which records a reader sees now, which it saw at its cursor, and the difference.
Must not know: change sets, who may read what: it is handed how much each scope shows, as masks (engine/entitlements.py).
Invariant: a list is read in the caller's snapshot, whatever its length, with the memory of one network buffer; a record is
in at most one of a table's lists (tests/integration/test_scopes.py).

Two ways to find the records of a scope. `org` and `branch` are on every record of a table, so the feed is walked. Any other
scope has its rows in `label`, so its cost is what is in the scope, however large the organisation.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from sync_server.store.database import Connection
from sync_server.store.feed import Reader

_ON_EVERY_RECORD: Final = ("org", "branch")


class Which(Enum):
    """Which list of a table."""

    ALL = "all"
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a table is seen: scope -> mask, of which bit 0 shows a record; `whole`: every record, every field."""

    masks: Mapping[str, int]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of one table: which records, after which cursor, without which ids (they are sent otherwise).

    `now`, `then`: what is seen at the snapshot and what was at the cursor. `hidden`: mask -> the fields that it does
    not show; they are sent as null, so that a device forgets what it may no longer know. `or_with`: also the records in which
    one of these columns is not what a phone's migration filled in.
    """

    table: str
    which: Which
    now: Seen
    then: Seen = field(default_factory=lambda: Seen({}))
    after: int = 0
    without: tuple[str, ...] = ()
    or_with: tuple[str, ...] = ()
    hidden: Mapping[int, Collection[str]] = field(default_factory=dict)


async def copy_listing(
    connection: Connection, reader: Reader, listing: Listing, write: Callable[[bytes], Awaitable[None]]
) -> int:
    """Copy a list's JSON to `write`: each element behind a comma, the first one too; count them. Memory: one network buffer.

    CSV with control characters as quote and delimiter leaves JSON as it is: JSON has no raw control characters.
    """
    whole = listing.now.whole and (listing.which is Which.ALL or listing.then.whole)
    query, arguments = _of_whole_table(listing) if whole else _of_scopes(listing)
    copied: str = await connection.copy_from_query(
        query,
        *(reader.org_id, listing.table, listing.after, reader.user_id, list(listing.without), *arguments),
        output=write,
        format="csv",
        delimiter="\x02",
        quote="\x01",
    )
    return int(copied.removeprefix("COPY "))


async def take_your_time(connection: Connection) -> None:
    """Let the statements of this transaction read whole tables, for as long as a very large organisation needs."""
    await connection.execute("SET LOCAL statement_timeout = '10min'; SET LOCAL enable_seqscan = on")


# --- A table that is seen whole ---------------------------------------------------------------------------------------

_WHOLE: Final[Mapping[Which, str]] = {
    Which.ALL: "payload IS NOT NULL",
    Which.CREATED: "payload IS NOT NULL AND position > $3 AND created_position > $3 AND author IS DISTINCT FROM $4",
    Which.UPDATED: "payload IS NOT NULL AND position > $3 AND (created_position <= $3 OR author IS NOT DISTINCT FROM $4)",
    Which.DELETED: "payload IS NULL AND position > $3",
}


def _of_whole_table(listing: Listing) -> tuple[str, Sequence[Any]]:
    shown = "to_json(id)::text" if listing.which is Which.DELETED else "payload::text"
    condition = _WHOLE[listing.which]
    if listing.or_with:
        # Above the cursor the list's own condition decides, or a record would stand in two lists.
        filled = _filled_otherwise("payload", listing.or_with)
        condition = f"(({condition}) OR (payload IS NOT NULL AND position <= $3 AND ({filled})))"
    query = (
        f"SELECT ',' || {shown} FROM feed WHERE org_id = $1 AND entity = $2 AND position > 0 AND {condition}"
        " AND $3::bigint IS NOT NULL AND $4::text IS NOT NULL AND id <> ALL($5)"
    )
    return query, ()


def _filled_otherwise(payload: str, columns: Sequence[str]) -> str:
    # WatermelonDB's "Implementing your Sync backend", pull rule 6: a new column starts as null, '', 0 or false.
    return " OR ".join(
        f"CASE json_typeof({payload}->'{column}') WHEN 'string' THEN {payload}->>'{column}' <> ''"
        f" WHEN 'number' THEN ({payload}->>'{column}')::numeric <> 0"
        f" WHEN 'boolean' THEN ({payload}->>'{column}')::boolean ELSE false END"
        for column in columns
    )


# --- What the scopes show ---------------------------------------------------------------------------------------------

_OWN_AND_NEW: Final = "(f.author IS NOT DISTINCT FROM $4 AND f.created_position > $3)"
"""The reader's own record, not yet there at the cursor: its devices may hold it, so it is never `created`, and `deleted` if
it is no longer the reader's to see."""


def _of_scopes(listing: Listing) -> tuple[str, Sequence[Any]]:
    now, then = listing.now.masks, listing.then.masks
    steps = f"now_seen AS MATERIALIZED ({_now(now)})"
    if listing.which is not Which.ALL:
        steps += f", then_seen AS MATERIALIZED ({_then(then)})"
    query = f"WITH {steps} {_LISTS[listing.which]}"
    if listing.or_with:
        filled = _filled_otherwise("f.payload", listing.or_with)
        query = query.replace("/* or_with */", f"OR (t.id IS NOT NULL AND {filled})")
    blanks = [_blanks(listing.hidden.get(mask, ())) for mask in range(max((*listing.hidden, 0)) + 1)]
    arguments = (list(now), list(now.values()), list(then), list(then.values()), blanks)
    return query, arguments


def _blanks(hidden: Collection[str]) -> str:
    """Write the JSON object that overwrites hidden fields; empty: nothing is hidden."""
    return json.dumps(dict.fromkeys(hidden)) if hidden else ""


_PAYLOAD: Final = (
    "',' || CASE WHEN coalesce(($10::text[])[n.mask + 1], '') = '' THEN f.payload::text"
    " ELSE (f.payload::jsonb || ($10::text[])[n.mask + 1]::jsonb)::text END"
)
_NOW: Final = """FROM now_seen n CROSS JOIN LATERAL (
    SELECT f.* FROM feed f WHERE f.org_id = $1 AND f.entity = $2 AND f.id = n.id AND f.payload IS NOT NULL OFFSET 0) f"""
_ASKED: Final = (
    "$3::bigint IS NOT NULL AND $4::text IS NOT NULL AND ($6::text[], $7::int[], $8::text[], $9::int[], $10::text[])"
    " IS NOT NULL"
)
"""Every list says every parameter, so that all have one signature."""

_LISTS: Final[Mapping[Which, str]] = {
    Which.ALL: f"SELECT {_PAYLOAD} {_NOW} WHERE f.id <> ALL($5) AND {_ASKED}",
    Which.CREATED: f"""SELECT {_PAYLOAD} {_NOW} LEFT JOIN then_seen t ON t.id = n.id
      WHERE t.id IS NULL AND NOT {_OWN_AND_NEW} AND f.id <> ALL($5) AND {_ASKED}""",
    Which.UPDATED: f"""SELECT {_PAYLOAD} {_NOW} LEFT JOIN then_seen t ON t.id = n.id
      WHERE ((t.id IS NOT NULL AND (f.position > $3 OR t.mask <> n.mask)) OR (t.id IS NULL AND {_OWN_AND_NEW})
        /* or_with */) AND f.id <> ALL($5) AND {_ASKED}""",
    Which.DELETED: f"""SELECT ',' || to_json(t.id)::text FROM (
        SELECT id FROM then_seen UNION
        SELECT f.id FROM feed f WHERE f.org_id = $1 AND f.entity = $2 AND f.position > $3 AND f.position > 0 AND {_OWN_AND_NEW}
      ) t LEFT JOIN now_seen n ON n.id = t.id WHERE n.id IS NULL AND t.id <> ALL($5) AND {_ASKED}""",
}


def _now(masks: Mapping[str, int]) -> str:
    """Write who sees what now: (id, mask). A scope on every record walks the feed, the others their labels."""
    parts = []
    if any(scope in masks for scope in _ON_EVERY_RECORD):
        parts.append("""
          SELECT f.id, (SELECT bit_or(h.mask) FROM unnest($6::text[], $7::int[]) AS h(scope, mask)
            WHERE h.scope = ANY(f.scopes)) AS mask
          FROM feed f WHERE f.org_id = $1 AND f.entity = $2 AND f.position > 0 AND f.payload IS NOT NULL
            AND f.scopes && ARRAY['org', 'branch']""")
    parts.append("""
          SELECT l.id, h.mask FROM unnest($6::text[], $7::int[]) AS h(scope, mask) CROSS JOIN LATERAL (
            SELECT l.id FROM label l WHERE l.org_id = $1 AND l.scope = h.scope AND l.entity = $2 AND l.until IS NULL
            OFFSET 0) l""")
    return _together(parts)


def _then(masks: Mapping[str, int]) -> str:
    """Write who saw what at the cursor: (id, mask). A record that was made since was not there."""
    parts = []
    if any(scope in masks for scope in _ON_EVERY_RECORD):
        parts.append("""
          SELECT f.id, (SELECT bit_or(h.mask) FROM unnest($8::text[], $9::int[]) AS h(scope, mask)
            WHERE h.scope IN ('org', 'branch') AND (h.scope = ANY(f.scopes) OR h.scope = ANY(f.past))) AS mask
          FROM feed f WHERE f.org_id = $1 AND f.entity = $2 AND f.position > 0
            AND (f.created_position <= $3 OR 'org' = ANY(f.past) OR (f.past <> '{}' AND EXISTS (
              SELECT FROM unnest(f.past || f.scopes) AS carried(scope) JOIN label l ON l.org_id = $1
                AND l.scope = carried.scope AND l.entity = $2 AND l.id = f.id
                AND l.since <= $3 AND (l.until IS NULL OR l.until > $3))))
            AND (f.payload IS NOT NULL OR f.position > $3)""")
    parts.append("""
          SELECT l.id, h.mask FROM unnest($8::text[], $9::int[]) AS h(scope, mask) CROSS JOIN LATERAL (
            SELECT l.id FROM label l WHERE l.org_id = $1 AND l.scope = h.scope AND l.entity = $2
              AND l.since <= $3 AND (l.until IS NULL OR l.until > $3) OFFSET 0) l""")
    return _together(parts)


def _together(parts: Sequence[str]) -> str:
    """Add up what each scope shows of a record, and keep those of which the record itself is shown."""
    found = " UNION ALL ".join(parts)
    return f"SELECT id, bit_or(mask) AS mask FROM ({found}) s WHERE mask IS NOT NULL GROUP BY id HAVING bit_or(mask) & 1 = 1"
