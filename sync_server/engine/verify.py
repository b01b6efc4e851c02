"""Verify: whether a device holds what it should at its cursor, by digests, and the rows of the buckets that differ.

Owns: the state compared, and which buckets are answered.
Must not know: HTTP, SQL, the request's JSON.
Invariant: the state compared is the one that the pull with this timestamp left on the device, as one snapshot tells it; what
the device edited and has not pushed is compared by nobody (tests/integration/test_verify.py).

What a device holds at its cursor. What did not move since is in the feed, as the whole list of a first pull. What moved is in
the log: its newest event at or below the cursor, shown by the labels that it carried then. All else that makes the device's
state another than the cursor's is answered by `Behind`: sync first, and nothing has to be guessed.

The rows go past in pieces of `PIECE_BYTES` and are hashed in a thread, twice if something differs: so memory holds a piece,
the sums, and the rows of the answer, however large the table is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conflict.digests import bucket
from sync_server.engine.cursor import Course
from sync_server.engine.entitlements import View, full_mask, hidden_fields
from sync_server.engine.gate import synced
from sync_server.engine.pull import (
    ATTEMPTS_MAX,
    SMALL_DELTA_MAX,
    Gazes,
    asked_of,
    gazes_of,
    labels_then,
    orient,
    written_since,
)
from sync_server.engine.showing import seen_then
from sync_server.engine.spooling import whole_list
from sync_server.engine.standing import Standings
from sync_server.store import feed, listings, verifying
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.digesting import Column, Tally, blanked, read_row
from sync_server.store.feed import Candidate, Reader
from sync_server.store.unit_of_work import Busy

ROWS_BYTES_MAX: Final = 1 << 20
"""Payload bytes of one answer; what is left comes with the next question."""

PIECE_BYTES: Final = 1 << 18
"""Payload bytes that one visit to the worker thread hashes: some 10 ms."""


class Behind(Exception):
    """The device must sync first: its state cannot be told from its cursor, or much moved since."""


class TooDifferent(Exception):
    """A single bucket is larger than an answer may be; `rows`: how many rows the device should hold, by table."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        super().__init__("more buckets are needed")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Held:
    """What a device says of one table: the digest of each bucket, the ids to leave out, and its columns in order."""

    digests: Sequence[int]
    without: frozenset[str]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs of a table: the buckets, and all rows that the device should hold in them."""

    buckets: Sequence[int]
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Verified:
    """The tables that differ; `more`: further buckets do."""

    tables: Mapping[str, Differing]
    more: bool


async def verify(
    database: Database, standings: Standings, actor: Actor, cursor: int, held: Mapping[str, Held]
) -> Verified:
    """Compare what a device holds with what it should. Raises `Behind`, `TooDifferent`, `cursor.FromTheFuture`, `Busy`.

    Cost: the tables are read once, those that differ twice; the caller admits few of these at once.
    """
    for _ in range(ATTEMPTS_MAX):
        async with database.acquire(actor.org_id) as connection:
            clock, _way = await orient(connection, actor.org_id, cursor)
            standing = await standings.settle(connection, actor, clock.rights)
        if standing is None:
            await standings.write_down(database, actor)
            continue
        async with database.snapshot(actor.org_id) as connection:
            clock, way = await orient(connection, actor.org_id, cursor)
            if not standing.counts(clock.rights):
                continue
            far = way is not Course.INCREMENTAL or clock.position - cursor > SMALL_DELTA_MAX
            if far or written_since(standing) > cursor or await verifying.wrote_since(connection, actor, cursor):
                raise Behind
            holds = synced(standing.entitled).holds
            gazes = gazes_of(tuple(held), holds, holds)
            return await _Comparison(connection, Reader(actor.org_id, actor.user_id), gazes, cursor, held).run()
    raise Busy


@dataclass(slots=True)
class _Comparison:
    """One comparison inside one snapshot; `moved`: what moved since the cursor, by table: id -> payload then, or None."""

    connection: Connection
    reader: Reader
    gazes: Gazes
    cursor: int
    held: Mapping[str, Held]
    moved: dict[str, dict[str, bytes | None]] = field(default_factory=dict)

    async def run(self) -> Verified:
        await self._read_moved()
        await listings.take_your_time(self.connection)
        tallies = {table: await self._tally(table) for table in self.held}
        wanted, more = _chosen(self.held, tallies)
        return Verified({table: await self._rows(table, buckets) for table, buckets in wanted.items()}, more)

    async def _tally(self, table: str) -> Tally:
        held = self.held[table]
        tally = Tally(held.columns, len(held.digests), held.without)
        await self._each_piece(table, tally.add)
        return tally

    async def _rows(self, table: str, buckets: Sequence[int]) -> Differing:
        held, rows = self.held[table], list[Mapping[str, Any]]()
        count = len(held.digests)

        def keep(lines: Sequence[bytes]) -> None:
            found = (read_row(line, held.columns) for line in lines)
            rows.extend(row for row in found if row["id"] not in held.without and bucket(row["id"], count) in wanted)

        wanted = frozenset(buckets)
        await self._each_piece(table, keep)
        return Differing(buckets, rows)

    async def _each_piece(self, table: str, work: Callable[[Sequence[bytes]], None]) -> None:
        """Have `work` done, in a thread, on the payloads that the device should hold of `table`, piece by piece."""
        moved, view = self.moved.get(table, {}), self.gazes[table].now
        await asyncio.to_thread(work, [payload for payload in moved.values() if payload is not None])
        if not view.masks:
            return
        pieces = _Pieces(work)
        await listings.copy_listing(self.connection, self.reader, whole_list(view, tuple(moved)), pieces.write)
        await pieces.finish()

    async def _read_moved(self) -> None:
        """Find what moved since the cursor, and what the device was sent of it before."""
        _, found = await feed.read_delta(self.connection, self.reader, asked_of(self.gazes), self.cursor)
        candidates = list(found)
        if any(candidate.revive is not None for candidate in candidates):
            raise Behind  # the device is known to hold something else; its next pull puts that right
        carried = await labels_then(self.connection, self.reader.org_id, candidates, self.cursor)
        keys = [candidate.key for candidate in candidates]
        then = await verifying.read_payloads_at(self.connection, self.reader.org_id, keys, self.cursor)
        for candidate in candidates:
            if candidate.key not in then and candidate.created_position <= self.cursor:
                raise Behind  # the log no longer reaches back to the cursor
            view = self.gazes[candidate.table].then
            mask = _then(view, candidate, self.cursor, carried.get(candidate.key, ()))
            payload = then.get(candidate.key)
            shown = blanked(payload, hidden_fields(view.entity, mask)) if payload is not None and mask else None
            self.moved.setdefault(candidate.table, {})[candidate.id] = shown


def _then(view: View, candidate: Candidate, cursor: int, carried: Sequence[str]) -> int:
    if candidate.scopes is None:  # seen whole, now as then
        return full_mask(view.entity)
    return seen_then(view, candidate, cursor, carried)


def _chosen(held: Mapping[str, Held], tallies: Mapping[str, Tally]) -> tuple[dict[str, list[int]], bool]:
    """Choose the buckets to answer: whole ones, in order, up to the bound; say whether others differ too."""
    left, wanted = ROWS_BYTES_MAX, dict[str, list[int]]()
    for table, tally in tallies.items():
        for place in tally.digests.differing(held[table].digests):
            left -= tally.sizes[place]
            if left < 0:
                if not wanted:
                    raise TooDifferent({table: tally.rows for table, tally in tallies.items()})
                return wanted, True
            wanted.setdefault(table, []).append(place)
    return wanted, False


class _Pieces:
    """Gathers a copied list into pieces of whole payloads; each element of the list is a line behind a comma."""

    def __init__(self, work: Callable[[Sequence[bytes]], None]) -> None:
        self._work = work
        self._waiting: list[bytes] = []
        self._size = 0

    async def write(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._size += len(chunk)
        if self._size >= PIECE_BYTES:
            await self._hand_over()

    async def finish(self) -> None:
        await self._hand_over()
        assert not self._size, "a list ends with its line"

    async def _hand_over(self) -> None:
        whole, _, rest = b"".join(self._waiting).rpartition(b"\n")
        self._waiting, self._size = [rest], len(rest)
        await asyncio.to_thread(self._work, [line.removeprefix(b",") for line in whole.split(b"\n") if line])
