"""Making: what a maker draws up from the records that are there, written in one change by the one write path.

Owns: holding the record that it starts from, and writing all that was drawn up or nothing.
Must not know: what any maker makes (erp_core/makers.py), HTTP, SQL.
Invariant: each record that is made gets the verdict that it would get alone; one that is refused takes the others with it
(tests/integration/test_making.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conflict.mutation import Key, Mutation, Operation
from erp_core.access import admits
from erp_core.catalogue import BY_NAME
from erp_core.drawing import Drawn, Made, Objection
from erp_core.language import Entity, Violation
from erp_core.makers import Maker
from erp_core.values import Plain, Row, Value
from sync_server.engine.apply import apply
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.office import (
    NEWER_THAN_ALL,
    NotThere,
    Refused,
    Written,
    clashing_fields,
    misses,
    not_processable,
    raise_unless_done,
)
from sync_server.engine.papers import Papers, gather
from sync_server.engine.quarantine import POISON
from sync_server.engine.reading import look
from sync_server.engine.singly import Singly
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True)
class Shown:
    """What was made: the record that is shown for it, by its key; `new`: it was made, not changed."""

    key: Key
    written: Written


async def make(
    database: Database,
    standings: Standings,
    actor: Actor,
    id: str,
    asked: Maker,
    given: Mapping[str, Value],
    *,
    once: Once[Shown] | None = None,
) -> Shown:
    """Have `asked` make records from the record `id`; `given`: its parameters, as read. `once`: as for `office.write`.

    Raises what `office.write` does: `Refused` with `wrong_state` or what speaks against it, and then nothing was made.
    Cost: as `office.write`, and two statements for each of its looks.
    """

    async def work(connection: Connection) -> Shown:
        unit = await Singly.enter(connection, standings, actor, [asked.needs, asked.entity.access.read])
        papers, row = await gather(connection, actor.org_id, unit.entitled, asked.entity, id, asked.looks, hold=True)
        if row is None:
            raise NotThere
        await _check_reader(connection, actor.org_id, unit.entitled, asked, id)
        reasons = list(asked.speaks_against(row))
        if reasons:
            raise Refused(reasons)
        drawn = _draw(asked, row, given, papers)
        await _write(unit, [_mutation(one) for one in drawn.made])
        entity, shown = drawn.shown
        key = (BY_NAME[entity].table, shown)
        seen = await look(connection, actor.org_id, unit.entitled, *key)
        return Shown(key, Written(seen, new=any((one.entity, one.id) == drawn.shown and one.new for one in drawn.made)))

    try:
        return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))
    except POISON as failure:
        raise not_processable(failure, (asked.entity.table, id)) from None


async def _check_reader(connection: Connection, org_id: str, entitled: Entitlements, asked: Maker, id: str) -> None:
    """What is made tells of what it is made of, so its maker must be somebody who sees all of that."""
    key = (asked.entity.table, id)
    codes = entitled.codes((await log.read_states(connection, org_id, [key]))[key].scopes)
    if not admits(asked.reads, codes):
        sentence = f"To {asked.name} it, you need to see all of it; ask somebody at the desk of its branch."
        raise Refused([Violation("not_for_you", sentence)])


def _draw(asked: Maker, row: Row, given: Mapping[str, Value], papers: Papers) -> Drawn:
    try:
        return asked.draw(row, given, papers, _ids())
    except Objection as objection:
        raise Refused([objection.reason]) from None


def _ids() -> Iterator[str]:
    while True:
        yield secrets.token_hex(8)


def _mutation(made: Made) -> Mutation:
    entity = BY_NAME[made.entity]
    operation = Operation.CREATED if made.new else Operation.UPDATED
    return Mutation(
        entity.table, made.id, operation, {name: _plain(entity, name, v) for name, v in made.values.items()}
    )


def _plain(entity: Entity, name: str, value: Value) -> Plain:
    return None if value is None else entity.by_name[name].type.plain(value)


async def _write(unit: Singly, mutations: Sequence[Mutation]) -> None:
    """Write all or raise; the reasons are those of all that were refused, without doubles."""
    submission = Submission(unit.actor, NEWER_THAN_ALL, b"", mutations, entitled=unit.entitled, channel=Channel.OFFICE)
    (drafts,) = await apply(
        unit.connection, unit.actor.org_id, [submission], rights=unit.clock.rights, must_resolve=misses
    )
    reasons = list(dict.fromkeys(fault for draft in drafts if draft.waits for fault in draft.faults))
    if reasons:
        raise Refused(reasons)
    for draft in drafts:
        raise_unless_done(draft, clashing_fields)
