"""Tailing: what the log says after a position, in tables and labels, for those who only want to know whom it concerns.

Owns: reading clocks of many organisations at once, what moved since a position, and the grants of many users at once.
Must not know: who listens, what a label shows.
Invariant: a clock and what moved until then are read in one snapshot: nothing moved is dated after its clock, and nothing
before it is left out (tests/integration/test_tailing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from erp_core.catalogue import BY_TABLE
from sync_server.store.clock import NEVER_TICKED, Clock, Rights
from sync_server.store.database import Connection
from sync_server.store.holds import GrantHeld

COUNTED_MAX: Final = 20_000
"""Changes since a position, at most, that are looked at; of more it is only said that they are many."""

KINDS_MAX: Final = 1_000
"""Tables with labels that a summary of many changes may have; each is some 200 bytes."""


@dataclass(frozen=True, slots=True)
class Move:
    """A record that moved, with the labels that it carries (none: deleted) and those that it may just have lost.

    `id` "": any number of records of the table with these labels.
    """

    table: str
    id: str
    labels: Sequence[str]
    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class Moves:
    """What moved up to `clock`. `beside`: positions that no record's change took: corrections and holds.

    `moves` None: too many to tell.
    """

    clock: Clock
    moves: Sequence[Move] | None
    beside: bool


_TABLES: Final = sorted(BY_TABLE)

_LOST: Final = "CASE WHEN f.relabelled > $3 THEN f.past ELSE '{}' END"
"""Labels of old are not lost again by every change."""

_CLOCKS: Final = "SELECT org_id, epoch, seq, floor, rights, assigned FROM org_clock WHERE org_id = ANY($1)"

_MOVES: Final = f"""
SELECT NULL AS entity, NULL AS id, NULL::text[], NULL::text[], k.epoch, k.seq, k.floor, k.rights, k.assigned,
  (SELECT count(*) FROM (SELECT FROM event e WHERE e.org_id = $1 AND e.position > $3 LIMIT $5) counted) AS events
FROM org_clock k WHERE k.org_id = $1
UNION ALL (
  SELECT f.entity, f.id, f.scopes, {_LOST}, 0, 0, 0, 0, 0, 0
  FROM feed f WHERE f.org_id = $1 AND f.entity = ANY($2) AND f.position > $3 AND f.position > 0 LIMIT $4
)
"""

_KINDS: Final = f"""
SELECT DISTINCT f.entity, '' AS id, f.scopes, {_LOST}
FROM feed f WHERE f.org_id = $1 AND f.entity = ANY($2) AND f.position > $3 AND f.position > 0 LIMIT $4
"""


async def read_clocks(connection: Connection, org_ids: Collection[str]) -> Mapping[str, Clock]:
    """Read the clocks of many organisations, before whose walls the connection must not stop.

    Cost: one statement, a look-up by primary key each.
    """
    rows = await connection.fetch(_CLOCKS, list(org_ids))
    return {row[0]: Clock(row[1], row[2], row[3], Rights(row[4], row[5])) for row in rows}


async def read_moves(connection: Connection, org_id: str, after: int, most: int) -> Moves:
    """Read what moved after the position `after`: at most `most` records one by one, more of them by tables and labels.

    Cost: one statement of index ranges, a second one if there are more.
    """
    rows = await connection.fetch(_MOVES, org_id, _TABLES, after, most + 1, COUNTED_MAX + 1)
    heads = [row for row in rows if row["entity"] is None]
    if not heads:
        return Moves(NEVER_TICKED, (), beside=False)
    (head,) = heads
    clock = Clock(head[4], head[5], head[6], Rights(head[7], head[8]))
    beside = head["events"] <= COUNTED_MAX and clock.position - after > head["events"]
    moves: Sequence[Move] | None = [Move(*row[:4]) for row in rows if row["entity"] is not None]
    if len(rows) - 1 > most:
        moves = await _read_kinds(connection, org_id, after) if head["events"] <= COUNTED_MAX else None
    return Moves(clock, moves, beside)


async def _read_kinds(connection: Connection, org_id: str, after: int) -> Sequence[Move] | None:
    """What moves meanwhile is told twice: the clock is older."""
    rows = await connection.fetch(_KINDS, org_id, _TABLES, after, KINDS_MAX + 1)
    return None if len(rows) > KINDS_MAX else [Move(*row) for row in rows]


async def read_sent_again(connection: Connection, org_id: str, after: int, upto: int) -> Sequence[tuple[str, str]]:
    """Give (user, table) of the records that users' devices are sent again though they did not move.

    Cost: one statement, an index range per user.
    """
    rows = await connection.fetch(
        "SELECT DISTINCT u.id, c.entity FROM users u CROSS JOIN LATERAL ("
        " SELECT c.entity FROM correction c"
        " WHERE c.org_id = $1 AND c.user_id = u.id AND c.position > $2 AND c.position <= $3 OFFSET 0) c"
        " WHERE u.org_id = $1",
        *(org_id, after, upto),
    )
    return [(row[0], row[1]) for row in rows]


async def read_grants_of(
    connection: Connection, org_id: str, user_ids: Collection[str]
) -> Mapping[str, Sequence[GrantHeld]]:
    """Give the grants of those of the users who are active, as `holds.read_grants`. Cost: one statement."""
    rows = await connection.fetch(
        """
        SELECT g.* FROM unnest($2::text[]) AS asked(id) CROSS JOIN LATERAL (
          SELECT u.id, r.codes, r.external, g.branch_id, g.partner_id, g.agent_id, g.valid_from, g.valid_until
          FROM users u JOIN grants g ON g.org_id = u.org_id AND g.user_id = u.id
          JOIN roles r ON r.org_id = g.org_id AND r.id = g.role_id
          WHERE u.org_id = $1 AND u.id = asked.id AND u.is_active
            AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp()) OFFSET 0
        ) g
        """,
        org_id,
        list(user_ids),
    )
    found: dict[str, list[GrantHeld]] = {id: [] for id in user_ids}
    for row in rows:
        found[row[0]].append(GrantHeld(frozenset(row[1]), *row[2:]))
    return found
