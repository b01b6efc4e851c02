"""Pull: what a replica must hear to be where the organisation is now.

Owns: which records of which tables are sent, as which list, at which position.
Must not know: HTTP, change-set JSON (payloads pass through unread), SQL.
Invariant: an answer is one point in time, complete for its cursor, each id once per table, and a record that the replica
may already hold is never in `created` (tests/integration/test_pull.py, tests/acceptance/test_watermelondb.py).

Two paths. A small delta, the everyday case, is one statement and an answer in memory. Everything else (first sync,
replacement, migration, a phone that was away for months) is spooled: copied inside one snapshot into files at the
database's pace, and followed from there at the phone's pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from erp_core.catalogue import BY_TABLE
from sync_server.engine.cursor import Course, course
from sync_server.engine.scope import scopes_of, shared_by_all
from sync_server.store import clock as clocks
from sync_server.store import feed
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Listing, Moved, Which
from sync_server.store.spool import Spool, SpoolRoom

SMALL_DELTA_MAX: Final = 2_000
"""Positions between cursor and clock up to which a delta is answered from memory: about 1.5 MB of payloads."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What a replica asks: its cursor, the tables it knows, and what its schema migration added since."""

    cursor: int | None
    tables: tuple[str, ...]
    new_tables: frozenset[str] = frozenset()
    new_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """An answer in memory."""

    cursor: int
    tables: tuple[str, ...]
    moved: Sequence[Moved] = ()


@dataclass(frozen=True, slots=True)
class SpooledTable:
    """One table of a spooled answer: per list, the pieces to send one after the other."""

    table: str
    created: tuple[Spool, ...] = ()
    updated: tuple[Spool, ...] = ()
    deleted: tuple[Spool, ...] = ()
    corrections: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True)
class Spooled:
    """An answer on its way through files; `replaces`: what the replica holds besides is to go."""

    cursor: int
    replaces: bool
    tables: tuple[SpooledTable, ...]


async def pull(database: Database, room: SpoolRoom, actor: Actor, request: PullRequest) -> Delta | Spooled:
    """Answer a pull. Raises `cursor.FromTheFuture`.

    Cost: one look-up if nothing changed; one statement more for a small delta, whatever the organisation's size.
    """
    reader = feed.Reader(actor.org_id, actor.user_id, scopes_of(actor))
    async with database.acquire() as connection:
        clock, way = await _orient(connection, actor.org_id, request.cursor)
        migrates = bool(request.new_tables or request.new_columns)
        if way is Course.INCREMENTAL and not migrates and request.cursor is not None:
            if request.cursor == clock.position:
                return Delta(clock.position, request.tables)
            if clock.position - request.cursor <= SMALL_DELTA_MAX:
                now, moved = await feed.read_delta(connection, reader, request.tables, request.cursor)
                if (now.epoch, now.floor) == (clock.epoch, clock.floor):
                    return Delta(now.position, request.tables, tuple(moved))
                # Between the two statements tombstones were purged or history was cut: one snapshot must decide anew.
    return await _spool(database, room, reader, request)


async def _orient(connection: Connection, org_id: str, cursor: int | None) -> tuple[Clock, Course]:
    clock = await clocks.read_clock(connection, org_id)
    forks: Sequence[tuple[int, int]] = ()
    if cursor and cursor >> clocks.SEQ_BITS != clock.epoch:
        forks = await clocks.read_forks(connection, org_id)
    return clock, course(cursor, clock, forks)


# --- Spooled answers --------------------------------------------------------------------------------------------------


async def _spool(database: Database, room: SpoolRoom, reader: feed.Reader, request: PullRequest) -> Spooled:
    """Start copying in the background and answer as soon as the snapshot is taken and the pieces are known."""
    planned: asyncio.Future[Spooled] = asyncio.get_running_loop().create_future()

    def ended(filling: asyncio.Task[None]) -> None:
        # Once the plan is out, whoever follows the spools hears of a failure from them.
        failure = filling.exception()
        if failure is not None and not planned.done():
            planned.set_exception(failure)

    database.in_background(_fill(database, room, reader, request, planned)).add_done_callback(ended)
    return await planned


async def _fill(
    database: Database,
    room: SpoolRoom,
    reader: feed.Reader,
    request: PullRequest,
    planned: asyncio.Future[Spooled],
) -> None:
    jobs: list[tuple[Listing, Spool]] = []
    try:
        async with room.copying, database.snapshot() as connection:
            clock, way = await _orient(connection, reader.org_id, request.cursor)
            planning = _Planning(connection, room, reader, request, way, jobs)
            tables = await planning.tables()
            planned.set_result(Spooled(clock.position, way is Course.REPLACEMENT, tables))
            await feed.take_your_time(connection)
            for listing, spool in jobs:
                await feed.copy_listing(connection, reader, listing, spool.write)
                await spool.finish()
    finally:
        for _, spool in jobs:
            spool.fail()


@dataclass(slots=True)
class _Planning:
    """Decides the pieces of a spooled answer; `jobs` gets those that must be copied from the database."""

    connection: Connection
    room: SpoolRoom
    reader: feed.Reader
    request: PullRequest
    way: Course
    jobs: list[tuple[Listing, Spool]]

    async def tables(self) -> tuple[SpooledTable, ...]:
        whole = [t for t in self.request.tables if self.way is not Course.INCREMENTAL or t in self.request.new_tables]
        shared = [t for t in whole if shared_by_all(BY_TABLE[t])]
        versions = await feed.read_versions(self.connection, self.reader.org_id, shared) if shared else {}
        corrected = await self._corrections([t for t in self.request.tables if t not in whole])
        return tuple(
            self._whole(table, versions.get(table)) if table in whole else self._since(table, corrected.get(table, ()))
            for table in self.request.tables
        )

    def _whole(self, table: str, version: str | None) -> SpooledTable:
        if version is None:
            spool, fill = self.room.nameless(), True
        else:
            spool, fill = self.room.named(self.reader.org_id, table, version)
        if fill:
            self.jobs.append((Listing(table, Which.ALL), spool))
        # A replica that is replaced may hold the record, even deleted: only `updated` never resurrects it.
        if self.way is Course.REPLACEMENT:
            return SpooledTable(table, updated=(spool,))
        return SpooledTable(table, created=(spool,))

    def _since(self, table: str, corrections: tuple[Moved, ...]) -> SpooledTable:
        without = tuple(moved.id for moved in corrections)
        columns = self.request.new_columns.get(table, ())
        return SpooledTable(
            table,
            created=(self._list(table, Which.CREATED, without),),
            updated=(self._list(table, Which.UPDATED, without, columns),),
            deleted=(self._list(table, Which.DELETED, without),),
            corrections=corrections,
        )

    def _list(self, table: str, which: Which, without: tuple[str, ...], or_with: tuple[str, ...] = ()) -> Spool:
        assert self.request.cursor is not None
        spool = self.room.nameless()
        self.jobs.append((Listing(table, which, self.request.cursor, without, or_with), spool))
        return spool

    async def _corrections(self, tables: Sequence[str]) -> Mapping[str, tuple[Moved, ...]]:
        if not tables or self.request.cursor is None:
            return {}
        corrected: dict[str, tuple[Moved, ...]] = {}
        for moved in await feed.read_corrections(self.connection, self.reader, tables, self.request.cursor):
            corrected[moved.table] = (*corrected.get(moved.table, ()), moved)
        return corrected


async def pieces(spools: Sequence[Spool]) -> AsyncIterator[bytes]:
    """Give the bytes of `spools` one after the other. Raises `spool.Broken`."""
    for spool in spools:
        async for chunk in spool.chunks():
            yield chunk
