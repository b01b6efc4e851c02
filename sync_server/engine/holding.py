"""Holding: lock the records that drafts are about, see what they are now, and merge the drafts into them.

Owns: steps 2 and 3 of apply: locks in one order, states after locks, histories since the cursor.
Must not know: rules, protocol.
Invariant: what a draft is merged with cannot change before the unit commits (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from conflict.mutation import Key, Operation
from erp_core.catalogue import BY_TABLE, ORDER
from erp_core.language import Violation
from sync_server.engine.draft import Draft, Verdict
from sync_server.store import log, rows
from sync_server.store.actor import Actor
from sync_server.store.database import Connection


async def lock(connection: Connection, org_id: str, keys: Iterable[Key]) -> None:
    """Lock the records of `keys` that exist: tables in catalogue order, ids in order, so that two units rarely deadlock."""
    ids: dict[str, set[str]] = defaultdict(set)
    for table, id in keys:
        ids[table].add(id)
    for table in sorted(ids, key=ORDER.__getitem__):
        await rows.lock(connection, BY_TABLE[table], org_id, ids[table])


async def hold(connection: Connection, actor: Actor, cursor: int, drafts: Sequence[Draft]) -> None:
    """Lock and read each draft's record, and merge the draft into it. Cost: two statements, and one per table."""
    keys = [draft.mutation.key for draft in drafts]
    await lock(connection, actor.org_id, keys)
    states = await log.read_states(connection, actor.org_id, keys)
    moved = [state.position for state in states.values() if state.position > cursor and state.row is not None]
    histories = await log.read_histories(connection, actor.org_id, moved, cursor)
    for draft in drafts:
        state = states.get(draft.mutation.key)
        if state is None or state.row is None:
            _without_record(draft, actor, state)
        elif draft.deletes:
            draft.before = state.row
        else:
            draft.merge_into(state.row, histories.get(draft.mutation.key, ()), actor.session_id)


def _without_record(draft: Draft, actor: Actor, state: log.State | None) -> None:
    """Decide about a mutation of a record that is not there: it never was (`state` None), or it was deleted."""
    if draft.deletes:
        draft.verdict = Verdict.DUPLICATE
    elif state is None:
        draft.create()
    elif draft.mutation.operation is Operation.CREATED and state.author == actor.user_id:
        draft.verdict = Verdict.DUPLICATE  # its answer was lost, and somebody deleted the record meanwhile
    else:
        draft.refuse(Violation(DELETED_MEANWHILE, "This record was deleted meanwhile; an edit does not bring it back."))


DELETED_MEANWHILE = "deleted_meanwhile"
"""The reason code of an update to a record that was deleted: WatermelonDB's push rule 3 treats it apart."""
