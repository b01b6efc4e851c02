"""Following: the log read on from a position, by whoever makes something of what happened.

Owns: the statement, and what an event is to a follower.
Must not know: who follows, where its cursor is kept.
Invariant: up to the position that comes with the events, there are no others, now or later
(tests/integration/test_webhook_following.py, tests/integration/test_notices.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sync_server.store.clock import read_clock
from sync_server.store.database import Connection

OPERATIONS: Final = {b"i": "created", b"u": "updated", b"d": "deleted"}


@dataclass(frozen=True, slots=True)
class Logged:
    """A change as a follower looks at it. `before`, `after`: the record's JSON around it, where it was asked for."""

    position: int
    table: str
    id: str
    operation: str
    actor: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the log: its events, oldest first; `upto`: the position up to which they are all; `more`: it goes on."""

    events: Sequence[Logged]
    upto: int
    more: bool


_STRETCH: Final = """
SELECT e.position, e.entity, e.record_id, e.op, e.actor,
  CASE WHEN e.entity = ANY($4) THEN (SELECT p.new FROM event p WHERE p.org_id = $1 AND p.position = e.previous) END,
  CASE WHEN e.entity = ANY($4) THEN e.new END
FROM event e WHERE e.org_id = $1 AND e.position > $2 AND e.position <= $3 ORDER BY e.position LIMIT $5
"""


async def read_on(connection: Connection, org_id: str, after: int, whole: Collection[str], most: int) -> Stretch:
    """Give the oldest events after a position, at most `most`. `whole`: tables of which the records are wanted, too.

    The clock is read first, and every event up to it is committed. Cost: two statements.
    """
    top = max(after, (await read_clock(connection, org_id)).position)
    rows = await connection.fetch(_STRETCH, org_id, after, top, list(whole), most)
    events = [Logged(row[0], row[1], row[2], OPERATIONS[row[3]], *row[4:7]) for row in rows]
    more = len(events) == most
    return Stretch(events, events[-1].position if more else top, more)
