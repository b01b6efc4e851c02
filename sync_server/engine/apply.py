"""Apply: the one write path.

Theory of operation. A unit of mutations goes through seven steps, in this order:

1. read      what was sent, in the inside form (draft.py);
2. hold      lock the records that exist, in catalogue and id order, and look at them and at what happened to them since the
             replica's cursor (holding.py);
3. merge     each draft with what the server holds (draft.py);
4. surround  lock the rows whose siblings a rule adds up, and load what the rules may look at (world.py, holders.py);
5. judge     group by group, parents before children: a group lives or dies together, and the world shows a later group
             what an earlier accepted one did (judge.py);
6. follow    work out what other records derive from the accepted ones (follow.py);
7. write     deletes children first, inserts and updates parents first: one statement per table and operation (below).

The clock is taken by the capture triggers in step 7, so reads, merges and rules never hold it.

Owns: the order of the steps. Guard it: in every peer the file that aged badly was the orchestrator.
Must not know: the protocol, JSON, SQL, any one entity.
Invariant: a constant number of statements whatever the number of records (tests/integration/test_statement_counts.py);
all of a group or none of it (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from conflict.mutation import Key, Mutation
from erp_core.catalogue import BY_TABLE, ORDER
from erp_core.values import Row
from sync_server.engine.draft import Draft
from sync_server.engine.follow import follow
from sync_server.engine.holders import find_doubles, find_uses
from sync_server.engine.holding import hold, lock
from sync_server.engine.judge import judge_groups
from sync_server.engine.world import LoadedWorld, lock_targets
from sync_server.store import rows
from sync_server.store.actor import Actor
from sync_server.store.database import Connection

INDIA: Final = timezone(timedelta(hours=5, minutes=30), "IST")
"""The trading day ends at midnight in India, without daylight saving (IST, UTC+05:30)."""


async def apply(
    connection: Connection,
    actor: Actor,
    cursor: int | None,
    mutations: Sequence[Mutation],
    poison: frozenset[Key] = frozenset(),
) -> Sequence[Draft]:
    """Apply `mutations` inside the caller's transaction; give each one's draft with its verdict, in the same order.

    Nothing is raised for what is wrong with a record: it is refused, with its group, and the rest goes on. A draft with
    `outcomes` was applied as its policies say; a caller that may not decide so (the stock protocol) rolls back. Records in
    `poison` are refused unread (quarantine.py).
    Cost: a constant number of statements per table touched.
    """
    drafts = [Draft.poisoned(m) if m.key in poison else Draft.read(m) for m in mutations]
    await hold(connection, actor, cursor or 0, drafts)
    await lock(connection, actor.org_id, lock_targets(drafts))
    now = datetime.now(UTC)
    world = LoadedWorld(now.astimezone(INDIA).date())
    await world.load(connection, actor.org_id, drafts)
    await find_doubles(connection, actor.org_id, drafts)
    await find_uses(connection, actor.org_id, drafts)
    judge_groups(drafts, world)
    consequences = follow(drafts, world)
    await _write(connection, actor, now, [*drafts, *consequences])
    return drafts


async def _write(connection: Connection, actor: Actor, now: datetime, drafts: Iterable[Draft]) -> None:
    inserts: dict[str, dict[str, Row]] = defaultdict(dict)
    updates: dict[str, dict[str, Row]] = defaultdict(dict)
    deletes: dict[str, list[str]] = defaultdict(list)
    stamp = {"updated_at": now, "updated_by": actor.user_id}
    for draft in drafts:
        table, id = draft.mutation.key
        if not draft.writes:
            continue
        if draft.after is None:
            deletes[table].append(id)
        elif draft.before is None:
            inserts[table][id] = {**draft.after, **stamp, "created_at": now, "created_by": actor.user_id}
        else:
            updates[table][id] = {**draft.after, **stamp}
    for table in sorted(deletes, key=ORDER.__getitem__, reverse=True):
        await rows.delete(connection, BY_TABLE[table], actor.org_id, deletes[table])
    for table in sorted({*inserts, *updates}, key=ORDER.__getitem__):
        if table in inserts:
            await rows.insert(connection, BY_TABLE[table], actor.org_id, inserts[table])
        if table in updates:
            await rows.update(connection, BY_TABLE[table], actor.org_id, updates[table])
