"""Pull: what a replica must hear to be where the organisation is now, as far as its user may see it.

Owns: which way a replica goes on, and the everyday answer: a small delta from memory.
Must not know: HTTP, change-set JSON (payloads pass through unread unless fields must be blanked), SQL.
Invariant: an answer is one point in time, complete for its cursor, each id once per table; whatever is in it was the user's to
see at that point; and a record that the replica may already hold is never in `created` (tests/integration/test_pull.py,
tests/integration/test_scopes.py, tests/acceptance/test_watermelondb.py).

Two paths. A small delta is one statement and an answer in memory. Everything else (first sync, replacement, migration, a
phone that was away for months, scopes that were given or taken) is spooled: engine/spooling.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from erp_core.catalogue import BY_TABLE
from sync_server.engine.cursor import Course, course
from sync_server.engine.entitlements import Holds, View, full_mask, hidden_fields, view_of
from sync_server.engine.standing import Standing, Standings
from sync_server.store import clock as clocks
from sync_server.store import feed
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Asked, Candidate, Reader
from sync_server.store.unit_of_work import Busy

SMALL_DELTA_MAX: Final = 2_000
"""Positions between cursor and clock up to which a delta is answered from memory: about 1.5 MB of payloads."""

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
class Moved:
    """A record that a replica must hear of. `payload` None: it is gone, or no longer the user's to see.

    `new`: the replica cannot have it yet. `blanks`: fields of it that the user does not see.
    """

    table: str
    id: str
    payload: str | None
    new: bool
    blanks: frozenset[str] = frozenset()


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


Attempt: TypeAlias = Delta | TooMuch | RightsChanged

Views: TypeAlias = Mapping[str, View]
"""Table -> how much of it the user sees."""


async def pull_delta(database: Database, standings: Standings, actor: Actor, request: PullRequest) -> Delta | None:
    """Answer a pull from memory; None if it must be spooled. Raises `cursor.FromTheFuture`, `Busy`.

    Cost: one look-up if nothing changed; one statement more for a small delta, whatever the organisation's size.
    """
    for _ in range(ATTEMPTS_MAX):
        async with database.acquire() as connection:
            attempt = await _attempt(database, connection, standings, actor, request)
        match attempt:
            case Delta():
                return attempt
            case TooMuch():
                return None
    raise Busy


async def _attempt(
    database: Database, connection: Connection, standings: Standings, actor: Actor, request: PullRequest
) -> Attempt:
    clock, way = await orient(connection, actor.org_id, request.cursor)
    standing = await standings.settle(database, connection, actor, clock.rights)
    if standing.rights != clock.rights:
        return RightsChanged()
    cursor = request.cursor
    if way is not Course.INCREMENTAL or request.migrates or cursor is None or _since(standing) > cursor:
        return TooMuch()
    if cursor == clock.position:
        return Delta(cursor, request.tables)
    if clock.position - cursor > SMALL_DELTA_MAX:
        return TooMuch()
    reader, views = Reader(actor.org_id, actor.user_id), views_of(request.tables, standing.entitled.holds)
    now, candidates = await feed.read_delta(connection, reader, _asked(views), cursor)
    if (now.epoch, now.floor) != (clock.epoch, clock.floor) or not standing.counts(now.rights):
        # Between the two statements tombstones were purged, history was cut or rights changed: all must be decided anew.
        return RightsChanged()
    moved = await _shown(connection, reader, views, candidates, cursor)
    return Delta(now.position, request.tables, moved)


def _since(standing: Standing) -> int:
    assert standing.since is not None
    return standing.since


async def orient(connection: Connection, org_id: str, cursor: int | None) -> tuple[Clock, Course]:
    """Read the clock and decide how a replica at `cursor` goes on. Raises `cursor.FromTheFuture`."""
    clock = await clocks.read_clock(connection, org_id)
    forks: Sequence[tuple[int, int]] = ()
    if cursor and cursor >> clocks.SEQ_BITS != clock.epoch:
        forks = await clocks.read_forks(connection, org_id)
    return clock, course(cursor, clock, forks)


def views_of(tables: Iterable[str], holds: Holds) -> Views:
    """Say how much of each of `tables` these holds show."""
    return {table: view_of(BY_TABLE[table], holds) for table in tables}


def _asked(views: Views) -> Asked:
    whole = [table for table, view in views.items() if view.whole]
    scopes = {scope for view in views.values() if not view.whole for scope in view.masks}
    return Asked(list(views), whole, sorted(scopes))


# --- What of a delta is shown -----------------------------------------------------------------------------------------


async def _shown(
    connection: Connection, reader: Reader, views: Views, candidates: Iterable[Candidate], cursor: int
) -> list[Moved]:
    """Decide about each candidate; a second statement only if the labels of one changed since the cursor."""
    listed = list(candidates)
    doubtful = {
        c.key: (*c.scopes, *c.past)
        for c in listed
        if c.scopes is not None and c.past is not None and _turned(c, cursor)
    }
    carried = await feed.read_labels_at(connection, reader.org_id, doubtful, cursor) if doubtful else {}
    return [
        moved
        for candidate in listed
        if (moved := decide(views[candidate.table], candidate, reader, cursor, carried.get(candidate.key, ())))
        is not None
    ]


def _turned(candidate: Candidate, cursor: int) -> bool:
    """Say whether a record's labels at the cursor may have been others than now, and are not simply none yet."""
    if candidate.relabelled <= cursor:
        return False
    return candidate.created_position <= cursor or bool(candidate.past)


def decide(view: View, candidate: Candidate, reader: Reader, cursor: int, carried: Sequence[str]) -> Moved | None:
    """Decide what a replica at `cursor` hears of a record; None: nothing, it is not the user's and never was.

    `carried`: the labels of scopes that it carried at the cursor, where they may have been others than now.
    """
    if candidate.revive is not None:
        return sent_again(view, candidate)
    own_and_new = candidate.author == reader.user_id and candidate.created_position > cursor
    if candidate.scopes is None:
        new = candidate.created_position > cursor and not own_and_new
        return Moved(candidate.table, candidate.id, candidate.payload, new)
    now = view.mask(candidate.scopes) if candidate.payload is not None else 0
    then = _seen_then(view, candidate, cursor, carried)
    if now:
        blanks = hidden_fields(view.entity, now)
        return Moved(candidate.table, candidate.id, candidate.payload, not then and not own_and_new, blanks)
    # What its user made since the cursor a device may hold, too, whatever became of it.
    return Moved(candidate.table, candidate.id, None, new=False) if then or own_and_new else None


def _seen_then(view: View, candidate: Candidate, cursor: int, carried: Sequence[str]) -> bool:
    assert candidate.scopes is not None
    assert candidate.past is not None
    if candidate.relabelled <= cursor:
        return bool(view.mask(candidate.scopes))
    # `org` and `branch` have no intervals: a record that was there carried them. One that was deleted and made again was
    # there if it carried anything else; of reference data, which everybody may read, nothing else is known.
    always = [label for label in (*candidate.scopes, *candidate.past) if label in ("org", "branch")]
    was_there = candidate.created_position <= cursor or bool(carried) or "org" in candidate.past
    return bool(view.mask(carried)) or (was_there and bool(view.mask(always)))


def sent_again(view: View, candidate: Candidate) -> Moved:
    """Decide about a record that a device holds otherwise than the server: as it is now, or that it is not the user's."""
    seen = full_mask(view.entity) if candidate.scopes is None else view.mask(candidate.scopes)
    if candidate.payload is None or not seen:
        return Moved(candidate.table, candidate.id, None, new=False)
    return Moved(
        candidate.table, candidate.id, candidate.payload, bool(candidate.revive), hidden_fields(view.entity, seen)
    )
