"""The log as the tail of live connections reads it.

Owns: the way from the store and the entitlements to `live.tail.Source`.
Must not know: who listens, sockets.
Invariant: what is read for one organisation is read behind its wall; only clocks are read for all at once
(tests/integration/test_tailing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync_server.engine.listening import read_seeing
from sync_server.live.news import LISTED_MAX, Batch, Touched
from sync_server.live.tail import Mark, Rights, Seen
from sync_server.store.clock import Clock
from sync_server.store.database import Database
from sync_server.store.lists import read_listed
from sync_server.store.tailing import read_clocks, read_moves, read_sent_again


class LogSource:
    """Reads the log of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def clocks(self, org_ids: Collection[str]) -> Mapping[str, Mark]:
        """Give the clock of each organisation."""
        async with self._database.acquire_everywhere() as connection:
            clocks = await read_clocks(connection, org_ids)
        return {org_id: (clock.position, rights_of(clock)) for org_id, clock in clocks.items()}

    async def news(self, org_id: str, after: int) -> Batch:
        """Give what moved after a position."""
        async with self._database.acquire(org_id) as connection:
            read = await read_moves(connection, org_id, after, LISTED_MAX)
            upto = read.clock.position
            told = await read_sent_again(connection, org_id, after, upto) if read.beside else ()
        touched = tuple(Touched(m.table, m.id, tuple(m.labels), tuple(m.lost)) for m in read.moves or ())
        return Batch(org_id, after, upto, rights_of(read.clock), touched, tuple(told), whole=read.moves is None)

    async def sights(self, org_id: str, user_ids: Collection[str]) -> tuple[Mark, Mapping[str, Seen]]:
        """Give what users see, and by which clock at least."""
        async with self._database.acquire(org_id) as connection:
            clock, seeing = await read_seeing(connection, org_id, user_ids)
        seen = {user: Seen(s.tables, None if s.until is None else s.until.timestamp()) for user, s in seeing.items()}
        return (clock.position, rights_of(clock)), seen

    async def labels(self, org_id: str, table: str, id: str) -> Collection[str]:
        """Give the labels of a record."""
        async with self._database.acquire(org_id) as connection:
            listed = await read_listed(connection, org_id, table, id)
        return () if listed is None else tuple(listed.scopes)


def rights_of(clock: Clock) -> Rights:
    """Say when rights changed last, as batches say it."""
    return (clock.rights.given, clock.rights.assigned)
