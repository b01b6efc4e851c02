"""Imports: many records of one table, each judged by itself, in units small enough that nobody waits for them.

Owns: what becomes of each row, and how many go into one unit of work.
Must not know: HTTP, files, SQL.
Invariant: a row gets the verdict that a REST request with it would get (tests/integration/test_table_files.py); a row that is
refused, or breaks us, stops no other; what a dry run says is undone before it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine.apply import apply
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import require
from sync_server.engine.office import NEWER_THAN_ALL, check_session
from sync_server.engine.persons import forbidden_person
from sync_server.engine.quarantine import POISON, find_poison
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import trial, unit_of_work

ROWS_AT_ONCE: Final = 250
"""Rows of one unit: some 50 ms, of which the organisation's clock is held for half; a phone's push waits no longer."""


class Landing(Enum):
    """What became of a row."""

    MADE = "made"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    THERE = "there"
    """Its record is there already, and is not to be changed."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of one row; `reasons`, if it was refused: none but that its id is, or was, another record's."""

    landing: Landing
    reasons: tuple[Violation, ...] = ()


async def bring_in(
    database: Database, standings: Standings, actor: Actor, mutations: Sequence[Mutation], *, dry: bool
) -> Sequence[Landed]:
    """Apply the rows of one unit, at most `ROWS_AT_ONCE` of one table, no id twice; say what became of each, in their order.

    A row that creates leaves a record that is there alone; one that updates makes it, if it never was. `dry`: undo it.
    Raises `gate.NotEntitled`, `unit_of_work.Busy`, and of devices.py `SessionEnded` and `DeviceWiping`; then nothing was
    applied. Cost: as `apply`, and three statements.
    """

    async def work(connection: Connection, careful: bool = False) -> Sequence[Landed]:
        clock = await read_clock(connection, actor.org_id)
        entitled = (await standings.read(connection, actor, clock.rights)).entitled
        for table in {mutation.table for mutation in mutations}:
            require(entitled, *BY_TABLE[table].access.create)
        await check_session(connection, actor)
        unit = _Unit(connection, standings, actor, entitled, clock)
        if not dry:
            return await unit.land(mutations, careful=careful)
        async with trial(connection):
            return await unit.land(mutations, careful=careful)

    async def careful_work(connection: Connection) -> Sequence[Landed]:
        return await work(connection, careful=True)

    try:
        return await unit_of_work(database, actor.org_id, work)
    except POISON:
        return await unit_of_work(database, actor.org_id, careful_work)


@dataclass(frozen=True, slots=True)
class _Unit:
    """One unit of an import: each row is a submission of its own, so that one that is withheld withholds no other."""

    connection: Connection
    standings: Standings
    actor: Actor
    entitled: Entitlements
    clock: Clock

    async def land(self, mutations: Sequence[Mutation], *, careful: bool) -> Sequence[Landed]:
        forbidden = await self._forbidden(mutations)
        submissions = [self._submission(one) for place, one in enumerate(mutations) if place not in forbidden]
        if careful:
            rights = self.clock.rights
            submissions = [replace(s, poison=await find_poison(self.connection, s, rights)) for s in submissions]
        applied = iter(
            await apply(
                self.connection, self.actor.org_id, submissions, rights=self.clock.rights, must_resolve=_is_there
            )
            if submissions
            else ()
        )
        return [
            Landed(Landing.REFUSED, (reason,)) if (reason := forbidden.get(place)) else _landed(next(applied)[0])
            for place in range(len(mutations))
        ]

    def _submission(self, mutation: Mutation) -> Submission:
        return Submission(self.actor, NEWER_THAN_ALL, b"", [mutation], entitled=self.entitled, channel=Channel.OFFICE)

    async def _forbidden(self, mutations: Sequence[Mutation]) -> dict[int, Violation]:
        """Find the rows about persons whom the author may not make or change so: it is asked before they are applied."""
        found: dict[int, Violation] = {}
        for place, mutation in enumerate(mutations):
            reason = await forbidden_person(
                self.connection, self.standings, self.actor, mutation, self.entitled, self.clock
            )
            if reason is not None:
                found[place] = reason
        return found


def _is_there(draft: Draft) -> bool:
    creates = draft.mutation.operation is Operation.CREATED
    return creates and draft.before is not None and draft.verdict is not Verdict.DUPLICATE


def _landed(draft: Draft) -> Landed:
    if draft.clashes:
        return Landed(Landing.THERE)
    if draft.waits:
        return Landed(Landing.REFUSED, tuple(draft.faults))
    if draft.verdict is Verdict.DUPLICATE:
        # Made before and deleted since, by the author's own hand: it does not come back under its id.
        return Landed(Landing.REFUSED) if draft.after is None else Landed(Landing.UNCHANGED)
    return Landed(Landing.MADE if draft.before is None else Landing.CHANGED)
