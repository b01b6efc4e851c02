"""Resolving: a person settles an issue, at a desk.

Owns: what a resolution means: an ordinary change of the record, and the state of the issue, in one unit of work.
Must not know: HTTP, JSON, SQL, how a change is judged.
Invariant: both or neither; of two people who settle an issue at once exactly one does; what the rules refuse again leaves the
issue open (tests/integration/test_resolving.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from conflict.mutation import Key, Mutation, Operation
from erp_core.access import OWN
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.entities.sync_issue import RESOLVE
from erp_core.language import Violation
from erp_core.values import Plain, Row
from sync_server.engine.access import NOT_ALLOWED
from sync_server.engine.apply import apply
from sync_server.engine.entitlements import Entitlements, hidden_fields
from sync_server.engine.gate import require
from sync_server.engine.holding import lock
from sync_server.engine.office import (
    NEWER_THAN_ALL,
    ChangedMeanwhile,
    NotThere,
    Refused,
    check_session,
    not_processable,
)
from sync_server.engine.quarantine import POISON
from sync_server.engine.reading import Seen, look
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.engine.wanting import do_again
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import unit_of_work

ISSUE: Final = BY_NAME["sync_issue"]


class How(Enum):
    """What a person decides."""

    MINE = "mine"
    """Do again what the author wanted."""
    THEIRS = "theirs"
    """Leave the record as it is."""
    EDITED = "edited"
    """Do it again with other values."""
    DISCARD = "discard"
    """Forget the change."""


SETTLED: Final[Mapping[How, str]] = {
    How.MINE: "resubmitted",
    How.EDITED: "resubmitted",
    How.THEIRS: "accepted_ours",
    How.DISCARD: "discarded",
}
"""What the issue's state becomes."""


class IssueClosed(Exception):
    """Somebody has settled the issue before; nothing was applied."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision. `values`: reads, for the table that the issue is about, what is to be written in place of what was wanted."""

    how: How
    values: Callable[[str], Mapping[str, Plain]]


@dataclass(frozen=True, slots=True)
class Settled:
    """The issue and its record as who settled it sees them now; None: gone, or out of sight."""

    issue: Seen | None
    record: Seen | None


async def resolve(
    database: Database, standings: Standings, actor: Actor, id: str, choice: Choice, base: int | None = None
) -> Settled:
    """Settle the issue `id`. `base`: the position at which the issue was read; None: as it is now.

    Raises `gate.NotEntitled`, `IssueClosed`, of office.py `NotThere`, `ChangedMeanwhile` and `Refused`, `unit_of_work.Busy`, of
    devices.py `SessionEnded` and `DeviceWiping`, and what `choice.values` raises; then nothing was applied.
    Cost: as `apply` for two records, and eight statements.
    """

    async def work(connection: Connection) -> Settled:
        clock = await read_clock(connection, actor.org_id)
        entitled = (await standings.read(connection, actor, clock.rights)).entitled
        require(entitled, OWN, RESOLVE)
        await check_session(connection, actor)
        held = await _hold(connection, actor.org_id, entitled, id, base)
        mutation = _mutation(held, choice)
        await _settle(connection, actor, held, mutation, choice.how, entitled, clock)
        about = held.about if mutation is None else mutation.key
        record = await look(connection, actor.org_id, entitled, *about)
        return Settled(await look(connection, actor.org_id, entitled, ISSUE.table, id), record)

    try:
        return await unit_of_work(database, actor.org_id, work)
    except POISON as failure:
        raise not_processable(failure, (ISSUE.table, id)) from None


@dataclass(frozen=True, slots=True)
class _Held:
    """An open issue and its record, both locked. `shown`: who settles it sees the values in it."""

    id: str
    issue: Row
    about: Key
    record: log.State | None
    shown: bool


async def _hold(connection: Connection, org_id: str, entitled: Entitlements, id: str, base: int | None) -> _Held:
    key = (ISSUE.table, id)
    issue = _seen((await log.read_states(connection, org_id, [key])).get(key), entitled)
    about = (issue["table_name"], issue["record_id"])  # which never changes
    await lock(connection, org_id, [about, key])
    states = await log.read_states(connection, org_id, [about, key])
    issue = _seen(states.get(key), entitled)
    if issue["state"] != "open":
        raise IssueClosed
    if base is not None and states[key].position > base:
        raise ChangedMeanwhile
    hidden = hidden_fields(ISSUE, entitled.mask(ISSUE, states[key].scopes))
    return _Held(id, issue, about, states.get(about), not hidden)


def _seen(state: log.State | None, entitled: Entitlements) -> Row:
    """Give an issue that the asker sees. Raises `NotThere`."""
    if state is None or state.row is None or not entitled.mask(ISSUE, state.scopes):
        raise NotThere
    return state.row


def _mutation(held: _Held, choice: Choice) -> Mutation | None:
    """Say what is to be done to the record. Raises `Refused`, and what `choice.values` raises."""
    if SETTLED[choice.how] != "resubmitted":
        return None
    if not held.shown:
        sentence = "What was wanted is not for you to see, so you cannot send it again. Ask somebody who sees prices."
        raise Refused([Violation(NOT_ALLOWED, sentence)])
    values = choice.values(held.about[0])
    now = None if held.record is None else held.record.row
    gone = held.record.position if held.record is not None and now is None else None
    return do_again(BY_TABLE[held.about[0]], held.issue, now, gone, values)


async def _settle(
    connection: Connection,
    actor: Actor,
    held: _Held,
    mutation: Mutation | None,
    how: How,
    entitled: Entitlements,
    clock: Clock,
) -> None:
    """Apply both, or raise `Refused`."""
    closing = Mutation(ISSUE.table, held.id, Operation.UPDATED, {"state": SETTLED[how]})
    mutations = [closing] if mutation is None else [mutation, closing]
    submission = Submission(actor, NEWER_THAN_ALL, b"", mutations, entitled=entitled, channel=Channel.OFFICE)
    (drafts,) = await apply(connection, actor.org_id, [submission], rights=clock.rights)
    for draft in drafts:
        if draft.waits:
            raise Refused(draft.faults)
