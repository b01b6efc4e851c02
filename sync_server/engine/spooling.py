"""Spooled pulls: answers of any length, copied inside one snapshot into files and followed from there at the phone's pace.

Owns: the pieces of such an answer: which lists of which tables, which of them other phones share.
Must not know: HTTP, change-set JSON, SQL.
Invariant: all pieces are of one snapshot, in which what the user holds is what `hold` says
(tests/integration/test_pull.py, tests/integration/test_scopes.py).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from sync_server.engine.cursor import Course
from sync_server.engine.entitlements import View, hidden_fields
from sync_server.engine.gate import synced
from sync_server.engine.meters import PULLS, SPOOLED_ROWS, count_delta
from sync_server.engine.pull import (
    ATTEMPTS_MAX,
    Delta,
    Gazes,
    PullRequest,
    gazes_of,
    orient,
    pull_delta,
    synced_at,
    written_since,
)
from sync_server.engine.showing import Moved, sent_again
from sync_server.engine.standing import Standing, Standings
from sync_server.store import feed, listings
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Reader
from sync_server.store.listings import Listing, Seen, Which
from sync_server.store.spool import Spool, SpoolRoom
from sync_server.store.unit_of_work import Busy


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


async def pull(
    database: Database, room: SpoolRoom, standings: Standings, actor: Actor, request: PullRequest
) -> Delta | Spooled:
    """Answer a pull, from memory if it is small. Raises `cursor.FromTheFuture`, `unit_of_work.Busy`."""
    delta = await pull_delta(database, standings, actor, request)
    if delta is not None:
        count_delta(len(delta.moved))
        return delta
    for _ in range(ATTEMPTS_MAX):
        if (spooled := await _spool(database, room, standings, actor, request)) is not None:
            PULLS.add("replacement" if spooled.replaces else "spooled")
            return spooled
    raise Busy


async def _spool(
    database: Database, room: SpoolRoom, standings: Standings, actor: Actor, request: PullRequest
) -> Spooled | None:
    """Start copying in the background and answer as soon as the snapshot is taken and the pieces are known.

    None: somebody's rights changed before the snapshot was taken.
    """
    async with database.acquire(actor.org_id) as connection:
        clock, _ = await orient(connection, actor.org_id, request.cursor)
        standing = await standings.settle(connection, actor, clock.rights)
    if standing is None:
        await standings.write_down(database, actor)
        return None
    planned: asyncio.Future[Spooled | None] = asyncio.get_running_loop().create_future()

    def ended(filling: asyncio.Task[None]) -> None:
        # Once the plan is out, whoever follows the spools hears of a failure from them.
        failure = filling.exception()
        if failure is not None and not planned.done():
            planned.set_exception(failure)

    database.in_background(_fill(database, room, actor, standing, request, planned)).add_done_callback(ended)
    return await planned


async def _fill(
    database: Database,
    room: SpoolRoom,
    actor: Actor,
    standing: Standing,
    request: PullRequest,
    planned: asyncio.Future[Spooled | None],
) -> None:
    jobs: list[tuple[Listing, Spool]] = []
    try:
        async with room.copying, database.snapshot(actor.org_id) as connection:
            clock, way = await orient(connection, actor.org_id, request.cursor)
            if not standing.counts(clock.rights):
                planned.set_result(None)
                return
            holds = synced(standing.entitled).holds
            before = holds
            if request.cursor and way is Course.INCREMENTAL and written_since(standing) > request.cursor:
                before = await synced_at(connection, actor, request.cursor)
            gazes = gazes_of(request.tables, holds, before)
            reader = Reader(actor.org_id, actor.user_id)
            tables = await _Planning(connection, room, reader, request, way, gazes, jobs).tables()
            planned.set_result(Spooled(clock.position, way is Course.REPLACEMENT, tables))
            await listings.take_your_time(connection)
            for listing, spool in jobs:
                SPOOLED_ROWS.add(n=await listings.copy_listing(connection, reader, listing, spool.write))
                await spool.finish()
    finally:
        for _, spool in jobs:
            spool.fail()


@dataclass(slots=True)
class _Planning:
    """Decides the pieces of a spooled answer; `jobs` gets those that must be copied from the database."""

    connection: Connection
    room: SpoolRoom
    reader: Reader
    request: PullRequest
    way: Course
    gazes: Gazes
    jobs: list[tuple[Listing, Spool]]

    async def tables(self) -> tuple[SpooledTable, ...]:
        whole = [t for t in self.request.tables if self.way is not Course.INCREMENTAL or t in self.request.new_tables]
        shared = [t for t in whole if _shareable(self.gazes[t].now)]
        versions = await feed.read_versions(self.connection, self.reader.org_id, shared) if shared else {}
        corrected = await self._corrections([t for t in self.request.tables if t not in whole])
        return tuple(
            self._whole(table, versions.get(table)) if table in whole else self._since(table, corrected.get(table, ()))
            for table in self.request.tables
        )

    def _whole(self, table: str, version: str | None) -> SpooledTable:
        view = self.gazes[table].now
        if not view.masks:
            return SpooledTable(table)
        if version is None:
            spool, fill = self.room.nameless(), True
        else:
            spool, fill = self.room.named(self.reader.org_id, f"{table}/{_digest(view)}", version)
        if fill:
            self.jobs.append((whole_list(view), spool))
        # A replica that is replaced may hold the record, even deleted: only `updated` never resurrects it.
        if self.way is Course.REPLACEMENT:
            return SpooledTable(table, updated=(spool,))
        return SpooledTable(table, created=(spool,))

    def _since(self, table: str, corrections: tuple[Moved, ...]) -> SpooledTable:
        now, then = self.gazes[table].now, self.gazes[table].then
        if not now.masks and not then.masks:
            return SpooledTable(table, corrections=corrections)
        without = tuple(moved.id for moved in corrections)
        columns = self.request.new_columns.get(table, ())
        return SpooledTable(
            table,
            created=(self._list(table, Which.CREATED, without),) if now.masks else (),
            updated=(self._list(table, Which.UPDATED, without, columns),) if now.masks else (),
            deleted=(self._list(table, Which.DELETED, without),),
            corrections=corrections,
        )

    def _list(self, table: str, which: Which, without: tuple[str, ...], or_with: tuple[str, ...] = ()) -> Spool:
        assert self.request.cursor is not None
        now, then = self.gazes[table].now, self.gazes[table].then
        spool = self.room.nameless()
        listing = Listing(
            table, which, _seen(now), _seen(then), self.request.cursor, without, or_with, hidden=hidden_of(now)
        )
        self.jobs.append((listing, spool))
        return spool

    async def _corrections(self, tables: Sequence[str]) -> Mapping[str, tuple[Moved, ...]]:
        if not tables or self.request.cursor is None:
            return {}
        corrected: dict[str, tuple[Moved, ...]] = {}
        for candidate in await feed.read_corrections(self.connection, self.reader, tables, self.request.cursor):
            moved = sent_again(self.gazes[candidate.table].now, candidate)
            corrected[moved.table] = (*corrected.get(moved.table, ()), moved)
        return corrected


def _seen(view: View) -> Seen:
    return Seen(view.masks, view.whole)


def hidden_of(view: View) -> Mapping[int, frozenset[str]]:
    """Give, for every mask that a record of the view may show, the fields that it hides."""
    masks = {0}
    for mask in view.masks.values():
        masks |= {mask | other for other in masks}
    return {mask: hidden_fields(view.entity, mask) for mask in masks if mask}


def _shareable(view: View) -> bool:
    """Say whether others may see the very same of a table; a person's own rows are nobody else's."""
    return bool(view.masks) and not any(scope.startswith("user:") for scope in view.masks)


def _digest(view: View) -> str:
    """Name what a view shows: equal names, equal lists."""
    if view.whole:
        return "whole"
    return hashlib.sha256(repr(sorted(view.masks.items())).encode()).hexdigest()[:24]


def whole_list(view: View, without: tuple[str, ...] = ()) -> Listing:
    """Give the list of all that a view shows of its table."""
    return Listing(view.entity.table, Which.ALL, _seen(view), without=without, hidden=hidden_of(view))


async def elements(spool: Spool) -> AsyncIterator[Sequence[bytes]]:
    """Give the elements of a spooled list, some hundred at a time. Raises `spool.Broken`.

    COPY ends each with a line feed, and JSON has none inside; store/listings.py puts a comma before each.
    """
    begun = b""
    async for chunk in spool.chunks():
        *whole, begun = (begun + chunk).split(b"\n")
        yield [line[1:] for line in whole]
    assert not begun, "a list ended within a record"


async def pieces(spools: Sequence[Spool]) -> AsyncIterator[bytes]:
    """Give the bytes of `spools` one after the other. Raises `spool.Broken`."""
    for spool in spools:
        async for chunk in spool.chunks():
            yield chunk
