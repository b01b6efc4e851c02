"""Holders: which other records hold a value that must be unique, or name a record that is to be deleted.

Owns: the checks that the database would answer with an error for the whole unit, made beforehand for each record.
Must not know: the rules of the trade, SQL.
Invariant: a unit that passes these checks meets a constraint only by losing a race, and is then tried again
(tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from conflict.mutation import Key
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity, Violation
from erp_core.values import Value
from sync_server.engine.draft import Draft
from sync_server.store import log, rows
from sync_server.store.database import Connection

OF_OTHERS: Final = ("duplicate", "in_use")
"""Codes of faults that tell of other records."""


async def find_doubles(connection: Connection, org_id: str, drafts: Iterable[Draft]) -> None:
    """Fault the drafts that would hold a unique value a second time. Cost: one statement per unique key touched."""
    candidates: dict[tuple[str, tuple[str, ...]], list[tuple[Draft, tuple[Value, ...]]]] = defaultdict(list)
    for draft in drafts:
        for names in draft.entity.unique_keys:
            value = _value(draft, names)
            if value is not None and draft.writes:
                candidates[draft.entity.table, names].append((draft, value))
    for (table, names), together in candidates.items():
        held = await rows.holders(connection, BY_TABLE[table], names, org_id, {value for _, value in together})
        for draft, value in together:
            if held.setdefault(value, draft.mutation.id) != draft.mutation.id:
                who = await _called(connection, org_id, draft, (table, held[value]))
                sentence = f"Another {draft.entity.title.lower()}{who} already has this {' and '.join(names)}."
                draft.faults.append(Violation("duplicate", sentence, names))


async def _called(connection: Connection, org_id: str, draft: Draft, key: Key) -> str:
    """Name a record to the draft's author; one that the author cannot see stays nameless. Cost: a look-up; it is rare."""
    states = await log.read_states(connection, org_id, [key])
    labels = states[key].scopes if key in states else ()
    return f" ({key[1]})" if draft.origin.entitled.mask(BY_TABLE[key[0]], labels) else ""


def _value(draft: Draft, names: Sequence[str]) -> tuple[Value, ...] | None:
    """Give what the draft would hold under a unique key; None if a part of it is empty, which never clashes."""
    if draft.after is None:
        return None
    value = tuple(draft.after[name] for name in names)
    return None if None in value else value


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
