"""Uses: which other records name a record that is to be deleted.

Owns: the check that the database would answer with an error for the whole unit, made beforehand for each record.
Must not know: the rules of the trade, SQL.
Invariant: a unit that passes this check meets a foreign key only by losing a race, and is then tried again
(tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from conflict.mutation import Key
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity, Violation
from sync_server.engine.draft import Draft
from sync_server.store import log, rows
from sync_server.store.database import Connection


async def find_uses(connection: Connection, org_id: str, drafts: Iterable[Draft]) -> Mapping[Key, Sequence[Key]]:
    """Fault the deletion of records that others name, unless those live and die with them or are to go too.

    Give, for each record to be deleted, those that name it and are to go too: should one stay, it must stay as well.
    Cost: one statement per table with deletions.
    """
    doomed: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.deletes and draft.before is not None:
            doomed[draft.mutation.table].append(draft)
    gone = {draft.mutation.key for together in doomed.values() for draft in together}
    going_too: dict[Key, Sequence[Key]] = {}
    for table, together in doomed.items():
        ids = [draft.mutation.id for draft in together]
        uses = await rows.uses(connection, _users_of(BY_TABLE[table]), org_id, ids)
        for draft in together:
            users = uses.get(draft.mutation.id, ())
            others = [key for key in users if key not in gone]
            if others:
                draft.faults.append(in_use(others[0], await _called(connection, org_id, draft, others[0])))
            going_too[draft.mutation.key] = [key for key in users if key in gone]
    return going_too


async def _called(connection: Connection, org_id: str, draft: Draft, key: Key) -> str:
    """Name a record to the draft's author; one that the author cannot see stays nameless. Cost: a look-up; it is rare."""
    states = await log.read_states(connection, org_id, [key])
    labels = states[key].scopes if key in states else ()
    return f" ({key[1]})" if draft.origin.entitled.mask(BY_TABLE[key[0]], labels) else ""


def in_use(by: Key, called: str) -> Violation:
    """Say that a record cannot be deleted because of the one that names it, which is `called` so, or nameless."""
    return Violation(
        "in_use", f"It cannot be deleted: another record, a {BY_TABLE[by[0]].title.lower()}{called}, names it."
    )


def _users_of(entity: Entity) -> Sequence[tuple[Entity, str]]:
    return [
        (user, field.name)
        for user in BY_NAME.values()
        for field, target in user.references
        if target == entity.name and field.name != user.parent
    ]
