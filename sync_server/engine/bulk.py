"""Many changes at once: records of one table in one transaction, each judged by itself.

Owns: what becomes of each of them, and of all if one is not right.
Must not know: HTTP, JSON, SQL, how a change is judged.
Invariant: a record gets the verdict that it would get alone (tests/integration/test_bulk.py); of what is all or nothing, all is
applied or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine import office
from sync_server.engine.apply import apply
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import require
from sync_server.engine.persons import forbidden_person
from sync_server.engine.quarantine import POISON, find_poison
from sync_server.engine.reading import Seen, as_seen
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.store import lists
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.unit_of_work import unit_of_work

DONE: Final = frozenset({"created", "changed", "unchanged", "deleted"})
NOT_APPLIED: Final = "not_applied"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record: one of `DONE`, or `refused` for `reasons`, `not_found`, `id_taken`, `not_applied`."""

    id: str
    verdict: str
    reasons: Sequence[Violation] = ()
    record: Seen | None = None


class NothingApplied(Exception):
    """One record of those that are all or nothing was not right."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        super().__init__(f"{len(outcomes)} records")
        self.outcomes = outcomes


async def write_many(
    database: Database,
    standings: Standings,
    actor: Actor,
    mutations: Sequence[Mutation],
    *,
    whole: bool,
    once: Once[Sequence[Outcome]] | None = None,
) -> Sequence[Outcome]:
    """Apply changes of one table, no id twice; say what became of each, in their order. `whole`: all of them or nothing.

    Raises `NothingApplied`, `gate.NotEntitled`, `unit_of_work.Busy`, of devices.py `SessionEnded` and `DeviceWiping`, of
    store/idempotency.py `Answered` and `KeyReused`; then nothing was applied. Cost: as `apply`, and four statements; one or
    two more for each change of a person.
    """

    async def work(connection: Connection, *, careful: bool = False) -> Sequence[Outcome]:
        clock = await read_clock(connection, actor.org_id)
        entitled = (await standings.read(connection, actor, clock.rights)).entitled
        for mutation in {one.operation: one for one in mutations}.values():
            require(entitled, *office.needs_of(mutation))
        await office.check_session(connection, actor)
        forbidden = await _forbidden(connection, standings, actor, mutations, entitled, clock)
        asked = [one for place, one in enumerate(mutations) if place not in forbidden]
        drafts = iter(await _apply(connection, actor, asked, entitled, clock, careful=careful))
        outcomes = [
            Outcome(one.id, "refused", [forbidden[place]]) if place in forbidden else _outcome(next(drafts))
            for place, one in enumerate(mutations)
        ]
        if whole and any(one.verdict not in DONE for one in outcomes):
            raise NothingApplied([replace(o, verdict=NOT_APPLIED) if o.verdict in DONE else o for o in outcomes])
        return await _with_records(connection, actor.org_id, entitled, mutations, outcomes)

    async def careful_work(connection: Connection) -> Sequence[Outcome]:
        return await work(connection, careful=True)

    try:
        return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))
    except POISON:
        return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, careful_work))


async def _forbidden(
    connection: Connection,
    standings: Standings,
    actor: Actor,
    mutations: Sequence[Mutation],
    entitled: Entitlements,
    clock: Clock,
) -> Mapping[int, Violation]:
    """Find the changes of persons that the author may not make: it is asked before they are applied."""
    found: dict[int, Violation] = {}
    for place, mutation in enumerate(mutations):
        reason = await forbidden_person(connection, standings, actor, mutation, entitled, clock)
        if reason is not None:
            found[place] = reason
    return found


async def _apply(
    connection: Connection,
    actor: Actor,
    mutations: Sequence[Mutation],
    entitled: Entitlements,
    clock: Clock,
    *,
    careful: bool,
) -> Sequence[Draft]:
    """Apply each as a submission of its own, so that one that is withheld withholds no other."""
    submissions = [
        Submission(actor, office.NEWER_THAN_ALL, b"", [one], entitled=entitled, channel=Channel.OFFICE)
        for one in mutations
    ]
    if careful:
        submissions = [replace(s, poison=await find_poison(connection, s, clock.rights)) for s in submissions]
    if not submissions:
        return []
    applied = await apply(connection, actor.org_id, submissions, rights=clock.rights, must_resolve=_stops)
    return [draft for (draft,) in applied]


def _stops(draft: Draft) -> bool:
    if draft.mutation.operation is Operation.CREATED:
        return draft.before is not None and draft.verdict is not Verdict.DUPLICATE
    return draft.before is None


def _outcome(draft: Draft) -> Outcome:
    id = draft.mutation.id
    try:
        office.raise_unless_done(draft, office.clashing_fields)
    except office.NotThere:
        return Outcome(id, "not_found")
    except office.IdTaken:
        return Outcome(id, "id_taken")
    except office.Refused as refused:
        return Outcome(id, "refused", refused.reasons)
    if draft.deletes:
        return Outcome(id, "deleted")
    if draft.before is None:
        return Outcome(id, "created")
    return Outcome(id, "unchanged" if draft.verdict is Verdict.DUPLICATE else "changed")


async def _with_records(
    connection: Connection,
    org_id: str,
    entitled: Entitlements,
    mutations: Sequence[Mutation],
    outcomes: Sequence[Outcome],
) -> Sequence[Outcome]:
    """Add the records as their author sees them now. Cost: one statement."""
    table = mutations[0].table
    keys = [(table, one.id) for one in outcomes if one.verdict in DONE - {"deleted"}]
    entity = BY_TABLE[table]
    seen = {
        one.id: as_seen(entity, one, mask)
        for one in (await lists.read_several(connection, org_id, keys)).get(table, ())
        if (mask := entitled.mask(entity, one.scopes))
    }
    return [replace(one, record=seen.get(one.id)) for one in outcomes]
