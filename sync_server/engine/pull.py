"""Pull: what a replica must hear to be where the organisation is now, as far as its user may see it.

Owns: which way a replica goes on, and the answers from memory: what moved, and what is in a scope just given or taken.
Must not know: HTTP, change-set JSON (payloads pass through unread unless fields must be blanked), SQL.
Invariant: an answer is one point in time, complete for its cursor, each id once per table; whatever is in it was the user's to
see at that point; and a record that the replica may already hold is never in `created` (tests/integration/test_pull.py,
tests/integration/test_scopes.py, tests/acceptance/test_watermelondb.py).

A small delta is one statement and an answer in memory; what its user sees of each record engine/showing.py decides.
Everything large (first sync, replacement, migration, a phone that was away for months) is spooled: engine/spooling.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from erp_core.catalogue import BY_TABLE
from erp_core.scopes import ANY_BRANCH, ORG
from sync_server.engine.cursor import Course, course
from sync_server.engine.entitlements import Entitlements, Holds, view_of
from sync_server.engine.gate import require_sync, synced
from sync_server.engine.showing import Gaze, Moved, decide, turned
from sync_server.engine.standing import Standing, Standings, held_at
from sync_server.store import clock as clocks
from sync_server.store import feed
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Asked, Candidate, Reader
from sync_server.store.unit_of_work import Busy

SMALL_DELTA_MAX: Final = 2_000
"""Positions between cursor and clock up to which a delta is answered from memory: about 1.5 MB of payloads."""

MEMBERS_MAX: Final = 6_000
"""Records of scopes given or taken that are answered from memory: about 5 MB of payloads."""

ATTEMPTS_MAX: Final = 5
"""How often a pull begins anew because somebody's rights changed while it was reading; each takes a few milliseconds."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What a replica asks: its cursor, the tables it knows, and what its schema migration added since."""

    cursor: int | None
    tables: tuple[str, ...]
    new_tables: frozenset[str] = frozenset()
    new_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def migrates(self) -> bool:
        return bool(self.new_tables or self.new_columns)


@dataclass(frozen=True, slots=True)
class Delta:
    """An answer in memory."""

    cursor: int
    tables: tuple[str, ...]
    moved: Sequence[Moved] = ()


@dataclass(frozen=True, slots=True)
class TooMuch:
    """The answer does not fit into memory, or needs more than the records that moved: it must be spooled."""


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """Somebody's rights changed between two statements: begin anew."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What the user holds is not what `hold` says: it must be written down first."""


@dataclass(frozen=True, slots=True)
class Regranted:
    """What the user holds changed since the cursor: more than the records that moved is to be looked at."""


Attempt: TypeAlias = Delta | TooMuch | RightsChanged | Unwritten | Regranted

Gazes: TypeAlias = Mapping[str, Gaze]
"""Table -> how much of it the user sees, and saw."""


async def pull_delta(database: Database, standings: Standings, actor: Actor, request: PullRequest) -> Delta | None:
    """Answer a pull from memory; None if it must be spooled. Raises `cursor.FromTheFuture`, `gate.NotEntitled`, `Busy`.

    Cost: one look-up if nothing changed; one statement more for a small delta, whatever the organisation's size; a snapshot
    of a few statements if what the user holds has changed.
    """
    for _ in range(ATTEMPTS_MAX):
        async with database.acquire(actor.org_id) as connection:
            attempt = await _everyday(connection, standings, actor, request)
        if isinstance(attempt, Regranted):
            async with database.snapshot(actor.org_id) as connection:
                attempt = await _regranted(connection, standings, actor, request)
        match attempt:
            case Delta():
                return attempt
            case TooMuch():
                return None
            case Unwritten():  # without a connection in hand: whoever waits for a second one may wait for ever
                await standings.write_down(database, actor)
    raise Busy


async def _everyday(connection: Connection, standings: Standings, actor: Actor, request: PullRequest) -> Attempt:
    clock, way = await orient(connection, actor.org_id, request.cursor)
    standing = await standings.settle(connection, actor, clock.rights)
    if standing is None:
        return Unwritten()
    cursor = request.cursor
    if cursor is None:
        require_sync(standing.entitled)
    if way is not Course.INCREMENTAL or request.migrates or cursor is None:
        return TooMuch()
    if clock.position - cursor > SMALL_DELTA_MAX:
        return TooMuch()
    if written_since(standing) > cursor:
        return Regranted()
    if cursor == clock.position:
        return Delta(cursor, request.tables)
    reader, (gazes, asked) = Reader(actor.org_id, actor.user_id), _steady(standing, request.tables)
    now, candidates = await feed.read_delta(connection, reader, asked, cursor)
    if (now.epoch, now.floor) != (clock.epoch, clock.floor) or not standing.counts(now.rights):
        # Between the two statements tombstones were purged, history was cut or rights changed: all must be decided anew.
        return RightsChanged()
    return Delta(now.position, request.tables, await _shown(connection, reader, gazes, candidates, cursor))


async def _regranted(connection: Connection, standings: Standings, actor: Actor, request: PullRequest) -> Attempt:
    """Answer from a snapshot: what moved, and what is in the scopes that the user was given or lost since the cursor."""
    clock, way = await orient(connection, actor.org_id, request.cursor)
    standing, cursor = standings.known(actor, clock.rights), request.cursor
    if standing is None or way is not Course.INCREMENTAL or cursor is None:
        return RightsChanged()
    holds, before = synced(standing.entitled).holds, await synced_at(connection, actor, cursor)
    turned_scopes = [s for s in holds.keys() | before.keys() if holds.get(s) != before.get(s)]
    if {ORG, ANY_BRANCH} & set(turned_scopes):
        return TooMuch()  # of these the feed itself is the list
    members = await feed.read_members(connection, actor.org_id, request.tables, turned_scopes, cursor, MEMBERS_MAX + 1)
    if len(members) > MEMBERS_MAX:
        return TooMuch()
    reader, gazes = Reader(actor.org_id, actor.user_id), gazes_of(request.tables, holds, before)
    _, candidates = await feed.read_delta(connection, reader, asked_of(gazes), cursor)
    together = {candidate.key: candidate for candidate in (*members, *candidates)}
    return Delta(clock.position, request.tables, await _shown(connection, reader, gazes, together.values(), cursor))


def written_since(standing: Standing) -> int:
    """Give the position from which what the user holds is written down."""
    assert standing.since is not None
    return standing.since


async def synced_at(connection: Connection, actor: Actor, position: int) -> Holds:
    """Give what a user held at `position` and could sync. Cost: two statements."""
    return synced(Entitlements(await held_at(connection, actor, position))).holds


async def orient(connection: Connection, org_id: str, cursor: int | None) -> tuple[Clock, Course]:
    """Read the clock and decide how a replica at `cursor` goes on. Raises `cursor.FromTheFuture`."""
    clock = await clocks.read_clock(connection, org_id)
    forks: Sequence[tuple[int, int]] = ()
    if cursor and cursor >> clocks.SEQ_BITS != clock.epoch:
        forks = await clocks.read_forks(connection, org_id)
    return clock, course(cursor, clock, forks)


def gazes_of(tables: Iterable[str], holds: Holds, before: Holds) -> Gazes:
    """Say how much of each of `tables` these holds show now, and those of before showed then."""
    return {table: Gaze(view_of(BY_TABLE[table], holds), view_of(BY_TABLE[table], before)) for table in tables}


def _steady(standing: Standing, tables: tuple[str, ...]) -> tuple[Gazes, Asked]:
    """Give the gazes of somebody who holds what was held at the cursor, and what to ask for; once per standing."""
    known = standing.pulls.get(tables)
    if known is None:
        holds = synced(standing.entitled).holds
        gazes = gazes_of(tables, holds, holds)
        known = standing.pulls[tables] = (gazes, asked_of(gazes))
    return known


def asked_of(gazes: Gazes) -> Asked:
    """Say what a delta asks the feed for under these gazes."""
    whole = [table for table, gaze in gazes.items() if gaze.whole]
    scopes = {s for gaze in gazes.values() if not gaze.whole for s in (*gaze.now.masks, *gaze.then.masks)}
    return Asked(list(gazes), whole, sorted(scopes))


async def _shown(
    connection: Connection, reader: Reader, gazes: Gazes, candidates: Iterable[Candidate], cursor: int
) -> list[Moved]:
    """Decide about each candidate; a further statement only if the labels of one changed since the cursor."""
    listed = list(candidates)
    carried = await labels_then(connection, reader.org_id, listed, cursor)
    decided = (decide(gazes[c.table], c, reader.user_id, cursor, carried.get(c.key, ())) for c in listed)
    return [moved for moved in decided if moved is not None]


async def labels_then(
    connection: Connection, org_id: str, candidates: Iterable[Candidate], cursor: int
) -> Mapping[tuple[str, str], Sequence[str]]:
    """Give the labels at the cursor of those candidates whose labels may have been others than now."""
    doubtful = {
        c.key: (*c.scopes, *c.past)
        for c in candidates
        if c.scopes is not None and c.past is not None and turned(c, cursor)
    }
    return await feed.read_labels_at(connection, org_id, doubtful, cursor) if doubtful else {}
