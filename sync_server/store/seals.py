"""Seals: the statements of the chain over the log; all are the owner's.

Owns: `event_seal` and `seal_head`, and reading events as the texts that a digest is made of.
Must not know: how a digest is made, what a difference means.
Invariant: what is read on for sealing gets no company below it any more, because the clock, which is locked from a change to
its commit, is read first (tests/integration/test_sealing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sync_server.store.clock import read_clock
from sync_server.store.database import Connection
from sync_server.store.following import Follower

FOLLOWER: Final = Follower("seal_head")


class Content(NamedTuple):
    """An event as texts, None where it has none: `new` to the letter, `at` in microseconds since 1970."""

    previous: str | None
    entity: str
    record_id: str
    op: str
    new: str | None
    actor: str | None
    session: str | None
    push: str | None
    at: str


class Seal(NamedTuple):
    """What was noted of an event when it was sealed. `salt` None: it was destroyed."""

    position: int
    salt: bytes | None
    leaf: bytes
    digest: bytes


class Head(NamedTuple):
    """The end of a chain: the newest event that was sealed and its digest; 0 and None before the first."""

    sealed: int
    digest: bytes | None


# Texts, whatever a later PostgreSQL or a setting makes of the types; json is kept to the letter, and restored so.
CONTENT: Final = (
    "e.previous::text, e.entity, e.record_id, e.op::text, e.new::text, e.actor, e.session, e.push,"
    " CASE WHEN isfinite(e.at) THEN (extract(epoch FROM e.at) * 1000000)::bigint::text ELSE e.at::text END AS at"
)


async def read_head(connection: Connection, org_id: str) -> Head:
    """Give the end of the chain, while its row is held."""
    return Head(*await connection.fetchrow("SELECT sealed, digest FROM seal_head WHERE org_id = $1", org_id))


async def read_on(
    connection: Connection, org_id: str, after: int, most: int
) -> tuple[Sequence[tuple[int, Content]], int]:
    """Give the `most` oldest events after a position, and the position up to which they are all. Cost: two statements."""
    top = max(after, (await read_clock(connection, org_id)).position)
    rows = await connection.fetch(
        f"SELECT e.position, {CONTENT} FROM event e"
        " WHERE e.org_id = $1 AND e.position > $2 AND e.position <= $3 ORDER BY e.position LIMIT $4",
        *(org_id, after, top, most),
    )
    events = [(row[0], Content(*row[1:])) for row in rows]
    return events, events[-1][0] if len(events) == most else top


async def append(connection: Connection, org_id: str, seals: Sequence[Seal]) -> None:
    """Write seals, of which there is one at least, and where the chain ends with them. Cost: two statements."""
    await connection.execute(
        "INSERT INTO event_seal (org_id, position, salt, leaf, digest)"
        " SELECT $1, s.* FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[]) s",
        *(org_id, *(list(column) for column in zip(*seals, strict=True))),
    )
    await connection.execute(
        "UPDATE seal_head SET sealed = $2, digest = $3 WHERE org_id = $1", org_id, seals[-1].position, seals[-1].digest
    )


async def oldest_unsealed(connection: Connection) -> float:
    """Say for how many seconds the oldest event that is not sealed has waited; 0: none waits. Cost: one statement."""
    waited: float = await connection.fetchval(
        "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - e.at)), 0)::float FROM org_clock k"
        " LEFT JOIN seal_head h ON h.org_id = k.org_id CROSS JOIN LATERAL ("
        " SELECT e.at FROM event e WHERE e.org_id = k.org_id AND e.position > coalesce(h.position, 0)"
        " ORDER BY e.position LIMIT 1) e"
    )
    return max(waited, 0.0)


async def list_heads(connection: Connection) -> Sequence[tuple[str, int, bytes]]:
    """Give the end of every chain in which something is sealed: organisation, position, digest."""
    rows = await connection.fetch("SELECT org_id, sealed, digest FROM seal_head WHERE sealed > 0 ORDER BY org_id")
    return [tuple(row) for row in rows]
