"""Auditing: what is read of the log, its seals and the clock to see whether they belong together; all as the owner.

Owns: these statements; each shows one moment.
Must not know: what a difference means.
Invariant: what is read up to the end of the chain does not change any more, so that the log is read in pieces, without a long
transaction (tests/integration/test_audit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sync_server.store.clock import POSITION, SEQ_BITS
from sync_server.store.database import Connection
from sync_server.store.seals import CONTENT, Content, Seal


class Pair(NamedTuple):
    """What is at a position: the event, its seal, or both."""

    position: int
    event: Content | None
    seal: Seal | None
    erased: bool = False
    """A person was forgotten in the record that the event is of: its content and salt were let go."""


class End(NamedTuple):
    """The end of a chain as `seal_head` says it, zeros where it says nothing; `newest`: the last seal that there is."""

    followed: int
    sealed: int
    digest: bytes | None
    newest: int


class Waiting(NamedTuple):
    """How many events wait for their seal; `beyond`: the first that is above the clock, if one is."""

    events: int
    beyond: int | None


class Claim(NamedTuple):
    """What was published of a chain: the digest that it had at a position."""

    org_id: str
    position: int
    digest: bytes


class Answer(NamedTuple):
    """What the chain says to a claim. `digest` None: there is no such seal; `epoch`: began where history was cut below it."""

    claim: Claim
    digest: bytes | None
    epoch: int | None


async def list_organisations(connection: Connection) -> Sequence[str]:
    """Name the organisations that have a clock or a chain."""
    rows = await connection.fetch("SELECT org_id FROM org_clock UNION SELECT org_id FROM seal_head ORDER BY org_id")
    return [row[0] for row in rows]


async def read_end(connection: Connection, org_id: str) -> End:
    """Give the end of an organisation's chain."""
    row = await connection.fetchrow(
        "SELECT coalesce(max(h.position), 0), coalesce(max(h.sealed), 0), (array_agg(h.digest))[1],"
        " coalesce((SELECT max(s.position) FROM event_seal s WHERE s.org_id = $1), 0) FROM seal_head h WHERE h.org_id = $1",
        org_id,
    )
    return End(*row)


_SALT: Final = 2 + len(Content._fields)

# The first of both together are among the first of each.
_PAIRS: Final = f"""
SELECT position, e.logged, {", ".join(f"e.{name}" for name in Content._fields)}, s.salt, s.leaf, s.digest,
  s.salt IS NULL AND EXISTS (SELECT FROM erased_record r
    WHERE r.org_id = $1 AND r.entity = e.entity AND r.record_id = e.record_id) AS erased
FROM (SELECT e.position, true AS logged, {CONTENT} FROM event e
  WHERE e.org_id = $1 AND e.position > $2 AND e.position <= $3 ORDER BY e.position LIMIT $4) e
FULL JOIN (SELECT s.position, s.salt, s.leaf, s.digest FROM event_seal s
  WHERE s.org_id = $1 AND s.position > $2 AND s.position <= $3 ORDER BY s.position LIMIT $4) s USING (position)
ORDER BY position LIMIT $4
"""


async def read_pairs(connection: Connection, org_id: str, after: int, upto: int, most: int) -> Sequence[Pair]:
    """Give what is at the `most` oldest positions after one, up to another, at which there is anything."""
    pairs = []
    for row in await connection.fetch(_PAIRS, org_id, after, upto, most):
        event = Content(*row[2:_SALT]) if row["logged"] else None
        seal = None if row["leaf"] is None else Seal(row["position"], *row[_SALT : _SALT + 3])
        pairs.append(Pair(row["position"], event, seal, row["erased"]))
    return pairs


async def read_seals(connection: Connection, org_id: str, after: int, most: int) -> Sequence[Seal]:
    """Give the `most` oldest seals after a position."""
    rows = await connection.fetch(
        "SELECT position, salt, leaf, digest FROM event_seal WHERE org_id = $1 AND position > $2 ORDER BY position LIMIT $3",
        *(org_id, after, most),
    )
    return [Seal(*row) for row in rows]


async def read_waiting(connection: Connection, org_id: str, after: int) -> Waiting:
    """Count the events after a position, and find those that the clock has not come to."""
    row = await connection.fetchrow(
        "SELECT count(*), min(e.position) FILTER (WHERE e.position > coalesce("
        f"(SELECT {POSITION} FROM org_clock k WHERE k.org_id = $1), 0))"
        " FROM event e WHERE e.org_id = $1 AND e.position > $2",
        *(org_id, after),
    )
    return Waiting(*row)


_ANSWERS: Final = f"""
SELECT s.digest, (SELECT min(f.epoch) FROM epoch_fork f
  WHERE f.org_id = c.org_id AND f.forked_at < c.position AND f.epoch > c.position >> {SEQ_BITS})
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS c(org_id, position, n)
LEFT JOIN LATERAL (SELECT s.digest FROM event_seal s
  WHERE s.org_id = c.org_id AND s.position = c.position OFFSET 0) s ON true
ORDER BY c.n
"""


async def answer(connection: Connection, claims: Sequence[Claim]) -> Sequence[Answer]:
    """Look up what was published of chains. Cost: one statement."""
    rows = await connection.fetch(_ANSWERS, [one.org_id for one in claims], [one.position for one in claims])
    return [Answer(claim, *row) for claim, row in zip(claims, rows, strict=True)]


async def last_seal(connection: Connection, org_id: str, upto: int) -> int:
    """Give the position of the newest seal up to one; 0: there is none."""
    position: int | None = await connection.fetchval(
        "SELECT max(position) FROM event_seal WHERE org_id = $1 AND position <= $2", org_id, upto
    )
    return position or 0
