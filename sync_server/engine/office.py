"""The office's writes: one change of one record, by the one write path, and what became of it.

Owns: what a REST write means around `apply`: what is there for its author, what was changed meanwhile, what it reaches.
Must not know: HTTP, JSON, SQL, how a change is judged.
Invariant: a change gets the verdict that it would get in a push (tests/integration/test_differential.py); of a record that its
author cannot see nothing is told, not even by what the answer costs (tests/integration/test_crawl.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
import structlog

from conflict.mutation import Key, Mutation, Operation
from conflict.policies import OURS
from conflict.records import DELETED_MEANWHILE
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine.apply import apply
from sync_server.engine.devices import turned_away
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import require
from sync_server.engine.holding import lock
from sync_server.engine.persons import OUT_OF_REACH, is_reached, taken_login_name
from sync_server.engine.quarantine import POISON
from sync_server.engine.reading import Seen, look
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.unit_of_work import unit_of_work

NEWER_THAN_ALL: Final = 2**62
"""The cursor of who changes a record as it is now: nothing happened to it since."""

logger = structlog.get_logger(__name__)


class NotThere(Exception):
    """The record is not there, or not for the author; nothing was applied."""


class IdTaken(Exception):
    """A record with this id is, or was, there already; nothing was applied."""


class ChangedMeanwhile(Exception):
    """Others changed the same fields since the author read the record; nothing was applied. None: it is about deletion."""

    def __init__(self, fields: Sequence[str] = ()) -> None:
        super().__init__(f"{len(fields)} fields clash")
        self.fields = fields


class Refused(Exception):
    """The change may not be, or is not right; nothing was applied."""

    def __init__(self, reasons: Sequence[Violation]) -> None:
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons = reasons


def misses(draft: Draft) -> bool:
    """Say whether a draft is not about what it says: it makes a record that is there, or changes one that is not."""
    if draft.mutation.operation is Operation.CREATED:
        return draft.before is not None and draft.verdict is not Verdict.DUPLICATE
    return draft.before is None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a change: the record as its author sees it now (None: gone, or out of sight); `new`: it was made."""

    record: Seen | None
    new: bool


async def write(
    database: Database,
    standings: Standings,
    actor: Actor,
    mutation: Mutation,
    base: int | None = None,
    *,
    merges: bool = False,
    once: Once[Written] | None = None,
) -> Written:
    """Apply one mutation. `base`: the position at which its author read the record; None: as it is now. `merges`: what both
    sides changed the policies may decide; else it is the author's to decide.

    `once`: and that once, whatever is sent again; raises `Answered` or `KeyReused` of store/idempotency.py.

    Raises `gate.NotEntitled`, `NotThere`, `IdTaken`, `ChangedMeanwhile`, `Refused`, `unit_of_work.Busy`, and of devices.py
    `SessionEnded` and `DeviceWiping`; then nothing was applied. Cost: as `apply`, and four statements.
    """

    async def work(connection: Connection) -> Written:
        return await write_in(connection, standings, actor, mutation, base, merges=merges)

    try:
        return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))
    except POISON as failure:
        raise not_processable(failure, mutation.key) from None


async def write_in(
    connection: Connection, standings: Standings, actor: Actor, mutation: Mutation, base: int | None, *, merges: bool
) -> Written:
    """Apply one mutation inside the caller's unit of work; raises as `write`."""
    clock = await read_clock(connection, actor.org_id)
    entitled = (await standings.read(connection, actor, clock.rights)).entitled
    require(entitled, *needs_of(mutation))
    await check_session(connection, actor)
    await _check_base(connection, actor, mutation, base, entitled, clock)
    taken = await taken_login_name(connection, actor, mutation)
    if taken is not None:
        raise Refused([taken])
    reached = await is_reached(connection, standings, actor, mutation, entitled, clock)
    clashing = _undecided if merges else clashing_fields
    draft = await _apply(connection, actor, mutation, base, entitled, clock, reached=reached, clashing=clashing)
    if not reached and draft.before is not None:
        raise Refused([OUT_OF_REACH])
    raise_unless_done(draft, clashing)
    seen = None if draft.deletes else await look(connection, actor.org_id, entitled, *mutation.key)
    return Written(seen, new=draft.before is None)


def not_processable(failure: Exception, key: Key) -> Refused:
    """Log a failure that follows from what a record says, and make the refusal of the record."""
    if isinstance(failure, asyncpg.PostgresError):
        failure.detail = None  # "Failing row contains …": business data stays out of the log
    logger.error("record_not_processable", table=key[0], id=key[1], exc_info=failure)
    sentence = "The server could not process this record; the fault has been logged for the people who run it."
    return Refused([Violation("not_processable", sentence)])


def needs_of(mutation: Mutation) -> tuple[str, ...]:
    """Name the codes of which one admits a change."""
    access = BY_TABLE[mutation.table].access
    by_operation = {
        Operation.CREATED: access.create,
        Operation.UPDATED: access.update,
        Operation.DELETED: access.delete,
    }
    return by_operation[mutation.operation]


async def _apply(
    connection: Connection,
    actor: Actor,
    mutation: Mutation,
    base: int | None,
    entitled: Entitlements,
    clock: Clock,
    *,
    reached: bool,
    clashing: Clashing,
) -> Draft:
    def stops(draft: Draft) -> bool:
        if misses(draft) or draft.mutation.operation is Operation.CREATED:
            return misses(draft)
        return not reached or (base is not None and bool(clashing(draft)))

    cursor = NEWER_THAN_ALL if base is None else base
    submission = Submission(actor, cursor, b"", [mutation], entitled=entitled, channel=Channel.OFFICE)
    ((draft,),) = await apply(connection, actor.org_id, [submission], rights=clock.rights, must_resolve=stops)
    return draft


Clashing: TypeAlias = Callable[[Draft], Sequence[str]]
"""Names the fields that the author must decide."""


def clashing_fields(draft: Draft) -> Sequence[str]:
    """Name the fields that both sides changed differently, but for the server's own."""
    return [o.column for o in draft.outcomes if o.base != o.ours and o.policy != OURS.name]


def _undecided(draft: Draft) -> Sequence[str]:
    """Name those of them that no policy decides."""
    return [o.column for o in draft.outcomes if o.base != o.ours and o.parked is not None]


def raise_unless_done(draft: Draft, clashing: Clashing) -> None:
    """Raise what keeps a change from being done: `NotThere`, `IdTaken`, `ChangedMeanwhile`, `Refused`."""
    creates = draft.mutation.operation is Operation.CREATED
    if not creates and draft.before is None:
        raise NotThere
    if draft.clashes:
        raise IdTaken if creates else ChangedMeanwhile(clashing(draft))
    if creates and ((draft.after is None and draft.verdict is Verdict.DUPLICATE) or _was_deleted(draft)):
        raise IdTaken
    if draft.waits:
        raise Refused(draft.faults)


def _was_deleted(draft: Draft) -> bool:
    return draft.verdict is Verdict.REFUSED and draft.faults[0].code == DELETED_MEANWHILE


async def _check_base(
    connection: Connection, actor: Actor, mutation: Mutation, base: int | None, entitled: Entitlements, clock: Clock
) -> None:
    """Refuse a base that is none of ours, and the deletion of a record that has moved since."""
    if base is None:
        return
    if base > clock.position:
        raise ChangedMeanwhile
    if mutation.operation is Operation.DELETED:
        await lock(connection, actor.org_id, [mutation.key])
        state = (await log.read_states(connection, actor.org_id, [mutation.key])).get(mutation.key)
        if state is None or state.row is None or not entitled.mask(BY_TABLE[mutation.table], state.scopes):
            return
        if state.position > base:
            raise ChangedMeanwhile


async def check_session(connection: Connection, actor: Actor) -> None:
    """Ask for the session once more: the request was let in by an answer that may be some seconds old."""
    for away in (await turned_away(connection, actor.org_id, [Submission(actor, 0, b"", [])])).values():
        raise away
