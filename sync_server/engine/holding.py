"""Holding: lock the records that drafts are about, see what they are now, and merge the drafts into them.

Owns: steps 2 and 3 of apply: locks in one order, states after locks, histories since the cursor.
Must not know: rules, protocol.
Invariant: what a draft is merged with cannot change before the unit commits (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conflict.mutation import Key, Operation
from conflict.policies import Stamp
from conflict.records import Standing, fate
from erp_core.catalogue import BY_TABLE, ORDER
from erp_core.consents import LOCATION, WHERE
from erp_core.numbering import NUMBERED
from erp_core.values import Row
from sync_server.engine.access import not_theirs
from sync_server.engine.draft import NO_STAMPS, Draft, Verdict
from sync_server.engine.policy_map import NEWEST_FIELDS
from sync_server.engine.sight import is_own, to_ms
from sync_server.store import consents, log, resolutions, rows
from sync_server.store.database import Connection
from sync_server.store.resolutions import read_authored


async def lock(connection: Connection, org_id: str, keys: Iterable[Key]) -> None:
    """Lock the records of `keys` that exist: tables in catalogue order, ids in order, so that two units rarely deadlock."""
    ids: dict[str, set[str]] = defaultdict(set)
    for table, id in keys:
        ids[table].add(id)
    for table in sorted(ids, key=ORDER.__getitem__):
        await rows.lock(connection, BY_TABLE[table], org_id, ids[table])


async def hold(connection: Connection, org_id: str, drafts: Sequence[Draft]) -> None:
    """Lock and read each draft's record, and merge the draft into it. Cost: three statements at most, and one per table."""
    keys = [draft.mutation.key for draft in drafts]
    await lock(connection, org_id, keys)
    states = await log.read_states(connection, org_id, keys)
    histories = await _histories(connection, org_id, drafts, states)
    stamps = await _stamps(connection, org_id, drafts, histories)
    unnoted = await _unnoted(connection, org_id, drafts)
    for draft in drafts:
        key = draft.mutation.key
        state = states.get(key)
        if state is not None and state.row is not None and not draft.origin.entitled.mask(draft.entity, state.scopes):
            _not_theirs(draft)
            continue
        history = histories.get(key, ()) if state is not None and state.position > draft.origin.cursor else ()
        decided = fate(draft.mutation.operation, _standing(draft, state, history), draft.entity.deletion.value)
        ours, labels = (None, ()) if state is None else (state.row, state.scopes)
        sent = dict(draft.sent)
        _keep_number(draft, ours)
        if state is not None and state.erased:
            _leave_out(draft, state.erased, ours)
        if draft.origin.actor.user_id in unnoted:
            _leave_out(draft, WHERE.get(draft.entity.name, ()), ours)
        draft.meet(decided, ours, labels, history, stamps.get(key, NO_STAMPS))
        # So that the device hears of the number that it does not have, and lets go of what it should not have.
        draft.sent.update({name: value for name, value in sent.items() if name in draft.sent})


def _keep_number(draft: Draft, ours: Row | None) -> None:
    """Let a document that is sent as new once more keep the number that the server gave it: the answer was lost, no more."""
    is_repeated = draft.mutation.operation is Operation.CREATED and draft.entity.name in NUMBERED
    if is_repeated and ours is not None and ours["number"] is not None and "number" in draft.sent:
        draft.sent["number"] = ours["number"]


async def _unnoted(connection: Connection, org_id: str, drafts: Iterable[Draft]) -> Collection[str]:
    """Name the authors who do not want it noted where they are. Cost: one statement, none if nobody says where they are."""
    asked = {
        draft.origin.actor.user_id
        for draft in drafts
        if any(draft.sent.get(name) is not None for name in WHERE.get(draft.entity.name, ()))
    }
    return await consents.read_objecting(connection, org_id, asked, LOCATION.name)


def _leave_out(draft: Draft, names: Collection[str], ours: Row | None) -> None:
    """Leave fields as they are that tell of who was forgotten, or objects; of what was sent in them nothing is kept."""
    values = {name: value for name, value in draft.mutation.values.items() if name not in names}
    draft.mutation = replace(draft.mutation, values=values)
    draft.faults = [fault for fault in draft.faults if not fault.fields or not set(fault.fields) <= set(names)]
    draft.sent.update({name: None if ours is None else ours[name] for name in names if name in draft.sent})


def _standing(draft: Draft, state: log.State | None, history: Sequence[log.Event]) -> Standing:
    """Say what the server has of the record that a draft is about; `history`: what happened to it since the cursor."""
    origin = draft.origin
    if state is None:
        return Standing.NEVER
    if state.row is None:
        return Standing.GONE_OWN if state.author == origin.actor.user_id else Standing.GONE
    moved = any(event.position > origin.cursor and not is_own(event, origin) for event in history)
    return Standing.MOVED if moved else Standing.SEEN


async def _histories(
    connection: Connection, org_id: str, drafts: Iterable[Draft], states: Mapping[Key, log.State]
) -> Mapping[Key, Sequence[log.Event]]:
    """Read what happened to the drafts' records after their replicas' cursors."""
    moved = [
        (state.position, draft.origin.cursor)
        for draft in drafts
        if (state := states.get(draft.mutation.key)) is not None
        and state.row is not None
        and state.position > draft.origin.cursor
    ]
    if not moved:
        return {}
    found = await log.read_histories(connection, org_id, [new for new, _ in moved], min(since for _, since in moved))
    return await _with_sent(connection, org_id, drafts, found)


async def _with_sent(
    connection: Connection, org_id: str, drafts: Iterable[Draft], histories: Mapping[Key, Sequence[log.Event]]
) -> Mapping[Key, Sequence[log.Event]]:
    """Add to the replicas' own events what was sent otherwise than it was stored.

    A replica that asks from before its own write never heard the answer: it holds what it sent. Cost: one statement where there
    are such events, else none.
    """
    own = {
        (*draft.mutation.key, event.push)
        for draft in drafts
        for event in histories.get(draft.mutation.key, ())
        if event.push is not None and event.position > draft.origin.cursor and is_own(event, draft.origin)
    }
    decided = await resolutions.read_outcomes(connection, org_id, own)
    if not decided:
        return histories
    return {
        (table, id): [_as_sent(table, event, decided.get((table, id, event.push or ""), ())) for event in events]
        for (table, id), events in histories.items()
    }


def _as_sent(table: str, event: log.Event, outcomes: Sequence[Mapping[str, Any]]) -> log.Event:
    fields = BY_TABLE[table].by_name
    sent = {
        one["column"]: None if one["theirs"] is None else fields[one["column"]].type.restore(one["theirs"])
        for one in outcomes
    }
    return replace(event, sent=sent) if sent else event


async def _stamps(
    connection: Connection, org_id: str, drafts: Iterable[Draft], histories: Mapping[Key, Sequence[log.Event]]
) -> Mapping[Key, Mapping[str, Stamp]]:
    """Read when others authored what they changed, of the records for which that decides. Cost: one statement, or none."""
    asked = {d.mutation.key for d in drafts if NEWEST_FIELDS[d.entity.name] and d.mutation.key in histories}
    found: dict[Key, dict[str, Stamp]] = defaultdict(dict)
    for (table, id, push), (moment, device) in (await read_authored(connection, org_id, asked)).items():
        found[table, id][push] = Stamp(to_ms(moment), device)
    return found


def _not_theirs(draft: Draft) -> None:
    """Treat a record that its author cannot see as one that is not there; nothing of it is shown."""
    if draft.deletes:
        draft.verdict = Verdict.DUPLICATE
    else:
        draft.refuse(not_theirs(draft))
