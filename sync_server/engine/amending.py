"""Amending: an approved amendment changes the record that it amends, in the same unit.

Owns: the drafts of records that are changed so, and which of their LOCKED fields may change for it.
Must not know: trades, rules, SQL.
Invariant: the amendment and what it changes are judged as one group: both are written or neither is, and whoever sent the
approval sees the changed record as somebody else's doing (tests/integration/test_amending.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from conflict.mutation import Key, Mutation, Operation
from erp_core.catalogue import BY_NAME, BY_TABLE, ENTITIES
from erp_core.language import Amends, Entity, Kind, Violation
from erp_core.values import Row, Unreadable, Value
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.holding import lock
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Connection

AMENDING: Final = frozenset(entity.table for entity in ENTITIES if entity.amends is not None)
"""Tables whose records change others; a push that has one shares its transaction with no other."""


async def amend(connection: Connection, org_id: str, drafts: Sequence[Draft]) -> list[Draft]:
    """Let approved amendments among `drafts` change what they amend: in its own draft if it has one, else in a new one.

    Gives the new drafts; the records are locked. Cost: two statements if there are any, else none.
    """
    by_key = {draft.mutation.key: draft for draft in drafts}
    approved = [(draft, amends) for draft in drafts if (amends := _approves(draft)) is not None]
    missing = {_target(draft, amends) for draft, amends in approved} - by_key.keys()
    brought: dict[Key, Draft] = {}
    if missing:
        await lock(connection, org_id, missing)
        states = await log.read_states(connection, org_id, missing)
        for draft, amends in approved:
            key = _target(draft, amends)
            state = states.get(key)
            if key not in brought and state is not None and state.row is not None:
                mutation = Mutation(*key, Operation.UPDATED, {})
                own = Draft(draft.origin, mutation, BY_TABLE[key[0]], before=state.row, after=state.row)
                own.labels = frozenset(state.scopes)
                brought[key] = own
    for draft, amends in approved:
        amended = brought.get(_target(draft, amends)) or by_key.get(_target(draft, amends))
        if amended is not None:
            _write_into(amended, draft, amends)
    return list(brought.values())


def _approves(draft: Draft) -> Amends | None:
    amends = draft.entity.amends
    if amends is None or draft.after is None or draft.faults or not draft.writes:
        return None
    field = next(iter(draft.entity.machines))
    came = draft.after[field] == amends.state and (draft.before is None or draft.before[field] != amends.state)
    return amends if came and draft.after[amends.via] is not None else None


def _target(draft: Draft, amends: Amends) -> Key:
    assert draft.after is not None
    return (BY_NAME[amends.into].table, draft.after[amends.via])


def _write_into(amended: Draft, draft: Draft, amends: Amends) -> None:
    """Change the record; where it waits for a person, or goes, or is another's in this unit, the amendment does not hold."""
    assert draft.after is not None
    if amended.after is None or amended.waits or amended.faults or amended.origin is not draft.origin:
        title = amended.entity.title.lower()
        sentence = f"The {title} itself is not settled yet; approve the amendment again once it is."
        draft.refuse(Violation("amends_unsettled", sentence, (amends.via,)))
        return
    values = _readable(amended.entity, draft.after[amends.document])
    amended.after = {**amended.after, **values}
    amended.amended |= values.keys()
    if amended.verdict is Verdict.DUPLICATE:
        amended.verdict = Verdict.MERGED


def _readable(entity: Entity, document: Mapping[str, object] | None) -> Row:
    """Read the LOCKED fields of a document; what is no such field, or no value of it, a rule of the amendment refuses."""
    found: dict[str, Value] = {}
    for name, plain in (document or {}).items():
        field = entity.by_name.get(name)
        if field is None or field.change.kind is not Kind.LOCKED:
            continue
        if plain is None or plain == "":
            found[name] = None
        elif type(plain) in field.type.accepts:
            try:
                found[name] = field.type.read(plain)  # type: ignore[arg-type]  # `accepts` has
            except Unreadable:
                continue
    return found


def doer(draft: Draft) -> Actor:
    """Say who did what a draft does. What was brought along is nobody's session's: the device does not hold it yet."""
    actor = draft.origin.actor
    return replace(actor, session_id="", device_id="") if draft.amended and not draft.mutation.values else actor
