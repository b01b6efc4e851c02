"""Imports: many records of one table, each judged by itself, in units small enough that nobody waits for them.

Owns: what becomes of each row, and how many go into one unit of work.
Must not know: HTTP, files, SQL.
Invariant: a row gets the verdict that a REST request with it would get (tests/integration/test_table_files.py); a row that is
refused, or breaks us, stops no other; what a dry run says is undone before it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.quarantine import carefully
from sync_server.engine.singly import Singly
from sync_server.engine.standing import Standings
from sync_server.store.actor import Actor
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

    async def work(connection: Connection, careful: bool) -> Sequence[Landed]:
        needs = {BY_TABLE[mutation.table].access.create for mutation in mutations}
        unit = await Singly.enter(connection, standings, actor, needs)
        async with trial(connection) if dry else nullcontext():
            applied = await unit.apply(mutations, _is_there, careful=careful)
        return [_landed(one) if isinstance(one, Draft) else Landed(Landing.REFUSED, (one,)) for one in applied]

    return await carefully(lambda careful: unit_of_work(database, actor.org_id, partial(work, careful=careful)))


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
