"""Slices: an answer that a phone fetches in pieces, the most urgent first, however often its connection breaks.

Owns: putting an answer into a parcel, and who gets a further slice.
Must not know: HTTP, JSON, how large a slice is: a `Cutter` is handed in; what comes first (urgency.py).
Invariant: the slices of one token are of one snapshot, and are given to whom they were made for, as long as nothing of what
that user may see has changed since before the snapshot (tests/integration/test_slices.py).

All of an answer is cut before its first slice goes out: only then is it known how much is still to come, and no transaction
waits for a phone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from erp_core.india import day_of
from sync_server.engine.pull import ATTEMPTS_MAX, Delta
from sync_server.engine.spooling import Spooled
from sync_server.engine.standing import Standings
from sync_server.engine.urgency import Show, in_order
from sync_server.store import clock as clocks
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.parcels import Line, NoRoom, Parcel, ParcelRoom
from sync_server.store.unit_of_work import Busy


class SlicesGone(Exception):
    """There is no such slice for this user on this device, or what the user may see has changed."""


class Cut(Protocol):
    """A slice without its end, or the last one, which has it."""

    @property
    def content(self) -> bytes: ...
    @property
    def rows(self) -> int: ...


class Cutter(Protocol):
    """Cuts an answer into slices (wire/slicing.py)."""

    def add(self, table: str, which: str, elements: Iterable[bytes]) -> Iterator[Cut]: ...
    def last(self, timestamp: int) -> Cut: ...


End: TypeAlias = Callable[[str, int, int, int], bytes]
"""Writes the end of a slice: the parcel's name, the place of the next slice, rows and bytes that are still to come."""


# --- Whose slices they are --------------------------------------------------------------------------------------------


async def entitled_since(database: Database, standings: Standings, actor: Actor) -> int:
    """Give the position at which what a user may see changed last. Raises `Busy`. Cost: one look-up.

    It is asked for before an answer is made, and for every further slice: if it is the same, it was the same in between.
    """
    for _ in range(ATTEMPTS_MAX):
        since = await _settled(database, standings, actor)
        if since is not None:
            return since
        await standings.write_down(database, actor)
    raise Busy


async def _settled(database: Database, standings: Standings, actor: Actor) -> int | None:
    async with database.acquire(actor.org_id) as connection:
        clock = await clocks.read_clock(connection, actor.org_id)
        standing = await standings.settle(connection, actor, clock.rights)
    return None if standing is None else standing.since


def _owner(actor: Actor) -> str:
    where = f"device {actor.device_id}" if actor.device_id else f"session {actor.session_id}"
    return f"{actor.org_id}\n{actor.user_id}\n{where}"


# --- Making and giving them -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slicing:
    """How an answer is cut: `since`, the position of `entitled_since` from before it was made, and the wire's half."""

    since: int
    cutter: Cutter
    show: Show
    end: End


async def cut(room: ParcelRoom, actor: Actor, answer: Delta | Spooled, how: Slicing) -> bytes | None:
    """Give the first slice of an answer, or all of it if it fits; None: it cannot be cut, it must be sent whole.

    A replacement is never cut: a client that is told to replace what it has deletes what is not in the answer. Nor is anything
    cut while there is no room for it. Raises `spool.Broken`. Memory: one slice and one block of a spool.
    """
    if isinstance(answer, Spooled) and answer.replaces:
        return None
    try:
        return await _cut(room, actor, answer, how)
    except NoRoom:
        return None


async def _cut(room: ParcelRoom, actor: Actor, answer: Delta | Spooled, how: Slicing) -> bytes:
    owner, parcel, first = _owner(actor), None, b""
    sizes: list[tuple[int, int]] = []
    try:
        async for table, which, elements in in_order(answer, actor.user_id, day_of(datetime.now(UTC)), how.show):
            for one in how.cutter.add(table, which, elements):
                if parcel is None:
                    parcel, first = await room.begin(owner), one.content
                sizes.append(await _put(parcel, one))
        last = how.cutter.last(answer.cursor)
        if parcel is None:
            return last.content
        sizes.append(await _put(parcel, last))
        ledger = await asyncio.to_thread(_ledger, parcel.name, sizes, how.end)  # of thousands of small slices
        await room.finish(owner, parcel, ledger, how.since)
    finally:
        if parcel is not None:
            parcel.discard()
    return first + how.end(parcel.name, 1, ledger[0].rows_after, ledger[0].bytes_after)


async def _put(parcel: Parcel, one: Cut) -> tuple[int, int]:
    await parcel.write(one.content)
    return len(one.content), one.rows


def _ledger(name: str, sizes: Sequence[tuple[int, int]], end: End) -> list[Line]:
    """Work out from the last slice to the first what is still to come: a slice's end is part of its length."""
    lines: list[Line] = []
    rows_after = bytes_after = 0
    for place in reversed(range(len(sizes))):
        length, rows = sizes[place]
        lines.append(Line(length, rows_after, bytes_after))
        ending = end(name, place + 1, rows_after, bytes_after) if place + 1 < len(sizes) else b""
        rows_after += rows
        bytes_after += length + len(ending)
    return lines[::-1]


async def further(
    database: Database, room: ParcelRoom, standings: Standings, actor: Actor, name: str, place: int, end: End
) -> bytes:
    """Give the slice at `place` of the answer `name`. Raises `SlicesGone`. Cost: one look-up, and reading it."""
    since = await _settled(database, standings, actor)
    piece = await room.read(_owner(actor), name, place)
    if piece is None or piece.seal != since:
        raise SlicesGone
    return piece.content if piece.last else piece.content + end(name, place + 1, piece.rows_after, piece.bytes_after)
