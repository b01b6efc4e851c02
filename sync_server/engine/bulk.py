"""Many changes at once: records of one table in one transaction, each judged by itself.

Owns: what becomes of each of them, and of all if one is not right.
Must not know: HTTP, JSON, SQL, how a change is judged.
Invariant: a record gets the verdict that it would get alone (tests/integration/test_bulk.py); of what is all or nothing, all is
applied or nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from conflict.mutation import Mutation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from sync_server.engine import office
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.quarantine import carefully
from sync_server.engine.reading import Seen, as_seen
from sync_server.engine.singly import Singly
from sync_server.engine.standing import Standings
from sync_server.store import lists
from sync_server.store.actor import Actor
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

    async def work(connection: Connection, careful: bool) -> Sequence[Outcome]:
        needs = dict.fromkeys(map(office.needs_of, mutations))
        unit = await Singly.enter(connection, standings, actor, needs)
        outcomes = [
            _outcome(became) if isinstance(became, Draft) else Outcome(one.id, "refused", [became])
            for one, became in zip(mutations, await unit.apply(mutations, office.misses, careful=careful), strict=True)
        ]
        if whole and any(one.verdict not in DONE for one in outcomes):
            raise NothingApplied([replace(o, verdict=NOT_APPLIED) if o.verdict in DONE else o for o in outcomes])
        return await _with_records(connection, actor.org_id, unit.entitled, mutations, outcomes)

    def run(careful: bool) -> Awaitable[Sequence[Outcome]]:
        return unit_of_work(database, actor.org_id, once_only(once, actor.org_id, partial(work, careful=careful)))

    return await carefully(run)


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
