"""Following: the log read on from a position, by whoever makes something of what happened.

Owns: what an event is to a follower, reading on, and how far each follower has come.
Must not know: what is made of it.
Invariant: up to the position that comes with the events, there are no others, now or later; a follower's position moves in the
transaction that writes what is behind it, while its row is locked (tests/integration/test_webhook_following.py,
tests/integration/test_notices.py, tests/integration/test_desk.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sync_server.store.clock import POSITION, read_clock
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


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who follows the log of every organisation; `table`: where it is kept how far."""

    table: str

    async def behind(self, connection: Connection) -> Sequence[str]:
        """Name the organisations in whose log something is new; for the owner."""
        rows = await connection.fetch(
            f"SELECT k.org_id FROM org_clock k LEFT JOIN {self.table} c ON c.org_id = k.org_id"
            f" WHERE {POSITION} > coalesce(c.position, 0) ORDER BY k.org_id"
        )
        return [row["org_id"] for row in rows]

    async def hold(self, connection: Connection, org_id: str) -> int:
        """Lock the follower's position in an organisation, and give it; 0: it has not begun."""
        await connection.execute(f"INSERT INTO {self.table} VALUES ($1, 0) ON CONFLICT DO NOTHING", org_id)
        position: int = await connection.fetchval(
            f"SELECT position FROM {self.table} WHERE org_id = $1 FOR UPDATE", org_id
        )
        return position

    async def move(self, connection: Connection, org_id: str, position: int) -> None:
        """Say that the log was followed up to `position`."""
        await connection.execute(f"UPDATE {self.table} SET position = $2 WHERE org_id = $1", org_id, position)


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
