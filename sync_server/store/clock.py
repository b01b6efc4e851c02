"""The organisation's clock, as a reader sees it, and the forks in its history.

Owns: reading `org_clock` and `epoch_fork`.
Must not know: cursors of clients (engine/cursor.py).
Invariant: read in the snapshot of the rows it dates (tests/integration/test_late_commits.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sync_server.store.database import Connection

SEQ_BITS = 40
"""A position is epoch · 2^40 + seq: 10^12 changes and 8 191 epochs fit below 2^53, where a JavaScript number is exact."""

POSITION: Final = f"((k.epoch::bigint << {SEQ_BITS}) + k.seq)"
"""The newest position given, in SQL over `org_clock k`."""


class Rights(NamedTuple):
    """The newest positions at which somebody's rights may have changed: `given`, a user, role or grant did; `assigned`, a
    partner's agent."""

    given: int = 0
    assigned: int = 0


UNTURNED: Final = Rights()
"""Of an organisation in which nobody was ever given anything."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The newest position given, the floor below which tombstones are gone, and when rights changed last."""

    epoch: int
    seq: int
    floor: int
    rights: Rights = UNTURNED

    @property
    def position(self) -> int:
        return (self.epoch << SEQ_BITS) + self.seq


NEVER_TICKED = Clock(epoch=2, seq=0, floor=0)
"""The clock of an organisation without a single change."""


async def read_clock(connection: Connection, org_id: str) -> Clock:
    """Read the clock of `org_id`. Cost: one look-up by primary key."""
    row = await connection.fetchrow(
        "SELECT epoch, seq, floor, rights, assigned FROM org_clock WHERE org_id = $1", org_id
    )
    return NEVER_TICKED if row is None else Clock(row[0], row[1], row[2], Rights(row[3], row[4]))


async def read_forks(connection: Connection, org_id: str) -> Sequence[tuple[int, int]]:
    """Give each epoch that began by moving history back, with the position it was cut back to; oldest first."""
    rows = await connection.fetch("SELECT epoch, forked_at FROM epoch_fork WHERE org_id = $1 ORDER BY epoch", org_id)
    return [(row["epoch"], row["forked_at"]) for row in rows]
