"""Exports: a whole table as its asker sees it, of one snapshot, copied to a file at the database's pace.

Owns: which records and fields are taken out.
Must not know: HTTP, how a file of records looks.
Invariant: what is taken out is what a list would show, record by record and field by field
(tests/integration/test_table_files.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from erp_core.catalogue import BY_TABLE
from sync_server.engine.entitlements import hidden_fields, view_of
from sync_server.engine.gate import require
from sync_server.engine.reading import entitled_now
from sync_server.engine.spooling import elements, whole_list
from sync_server.engine.standing import Standings
from sync_server.store import listings
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.feed import Reader
from sync_server.store.spool import Spool, SpoolRoom


@dataclass(frozen=True, slots=True)
class Taken:
    """A table that was taken out: its records, and the fields of which the asker sees none."""

    spool: Spool
    rows: int
    hidden: frozenset[str]

    def batches(self) -> AsyncIterator[Sequence[bytes]]:
        """Give the records as JSON, some hundred at a time, in no order. Raises `spool.Broken`."""
        return elements(self.spool)


async def take_out(database: Database, room: SpoolRoom, standings: Standings, actor: Actor, table: str) -> Taken:
    """Copy a table. Raises `gate.NotEntitled`. Cost: one pass over the asker's part of the table, in one of the few places
    for copying; the transaction ends before anything is sent."""
    entity, spool, rows = BY_TABLE[table], room.nameless(), 0
    try:
        async with room.copying, database.snapshot(actor.org_id) as connection:
            entitled = await entitled_now(connection, standings, actor)
            require(entitled, *entity.access.read)
            view = view_of(entity, entitled.holds)
            if view.masks:
                await listings.take_your_time(connection)
                reader = Reader(actor.org_id, actor.user_id)
                rows = await listings.copy_listing(connection, reader, whole_list(view), spool.write)
        await spool.finish()
    finally:
        spool.fail()  # nothing, once it is finished
    shown = 1  # of a table of which one sees no record, its unguarded columns
    for mask in view.masks.values():
        shown |= mask
    return Taken(spool, rows, hidden_fields(entity, shown))
