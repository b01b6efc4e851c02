"""Apply: the one write path.

Theory of operation. Submissions, each the mutations of one replica, go through seven steps, in this order:

1. read      what was sent, in the inside form (draft.py);
2. hold      lock the records that exist, in catalogue and id order, and look at them and at what happened to them since the
             replica's cursor (holding.py);
3. merge     each draft with what the server holds (draft.py); withhold a submission whose replica must resolve a clash;
4. surround  bring along what approved amendments change (amending.py), lock the rows whose siblings a rule adds up, load
             what the rules may look at (world.py, doubles.py), and number what is to have a number (numbering.py);
5. judge     group by group, parents before children: may its author do it (access.py), is it right (judge.py)? A group
             lives or dies together, and the world shows a later group what an earlier accepted one did. What came with the
             change of a record that waits stays open (resubmitting.py);
6. follow    work out what other records derive from the accepted ones (follow.py);
7. write     if nobody's rights changed since they were read: deletes children first, inserts and updates parents first;
             one statement per table and operation (below).

The clock is taken by the capture triggers in step 7, so reads, merges and rules never hold it.

Owns: the order of the steps. Guard it: in every peer the file that aged badly was the orchestrator.
Must not know: the protocol, JSON, SQL, any one entity.
Invariant: a constant number of statements whatever the number of records (tests/integration/test_statement_counts.py);
all of a group or none of it (tests/integration/test_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from erp_core.catalogue import BY_TABLE, ORDER
from erp_core.india import day_of
from erp_core.values import Row
from sync_server.engine.amending import amend, doer
from sync_server.engine.doubles import find_doubles
from sync_server.engine.draft import Draft, drafts_of
from sync_server.engine.entitlements import agents_in
from sync_server.engine.follow import follow
from sync_server.engine.holding import hold, lock
from sync_server.engine.judge import judge_groups
from sync_server.engine.meters import count_verdicts
from sync_server.engine.numbering import number, write_down
from sync_server.engine.resubmitting import hold_back, keep_open
from sync_server.engine.submission import Submission
from sync_server.engine.uses import find_uses
from sync_server.engine.world import LoadedWorld, lock_targets
from sync_server.store import rows
from sync_server.store.clock import Rights
from sync_server.store.database import Connection
from sync_server.store.holds import hold_rights, lost_since
from sync_server.store.unit_of_work import Outdated, attribute


async def apply(
    connection: Connection,
    org_id: str,
    submissions: Sequence[Submission],
    *,
    rights: Rights,
    must_resolve: Callable[[Draft], bool] = lambda _: False,
) -> Sequence[Sequence[Draft]]:
    """Apply submissions inside the caller's transaction; give each one's drafts with their verdicts, in its order.

    Nothing is raised for what is wrong with a record: it is refused, with its group, and the rest goes on. A submission
    with a draft that its replica `must_resolve` first is withheld as a whole. No record may be in two submissions.
    `rights`: the clock's, under which the submissions were entitled. Raises `Outdated` if they changed before the write.
    Cost: a constant number of statements per table touched, whatever the number of submissions.
    """
    together = [drafts_of(submission) for submission in submissions]
    await hold(connection, org_id, [draft for drafts in together for draft in drafts])
    hold_back([draft for drafts in together for draft in drafts])
    drafts = [draft for going in together if not _withheld(going, must_resolve) for draft in going]
    drafts += await amend(connection, org_id, drafts)
    await lock(connection, org_id, lock_targets(drafts))
    now = datetime.now(UTC)
    world = LoadedWorld(day_of(now))
    await world.load(connection, org_id, drafts)
    numbering = await number(connection, org_id, drafts, world.today)
    doubles = await find_doubles(connection, org_id, drafts)
    going_too = await find_uses(connection, org_id, drafts)
    judge_groups(drafts, world, going_too, doubles)
    keep_open(drafts)
    uses, advanced = numbering.settle(drafts)
    consequences = [*follow(drafts, world), *advanced]
    writing = [draft for draft in (*drafts, *consequences) if draft.writes]
    if writing and await _rights_changed(connection, org_id, submissions, rights):
        raise Outdated
    async with rows.uniques_at_the_end(connection, doubles.freed(writing)):
        await _write(connection, org_id, now, writing)
    await write_down(connection, org_id, now, uses)
    count_verdicts(draft for one in together for draft in one)
    return together


async def _rights_changed(
    connection: Connection, org_id: str, submissions: Sequence[Submission], rights: Rights
) -> bool:
    """Say whether what the submissions were entitled to under `rights` may be less now; then hold the clock."""
    now = await hold_rights(connection, org_id)
    if now.given != rights.given:
        return True
    agents = {agent for one in submissions for agent in agents_in(one.entitled.holds)}
    return (
        now.assigned != rights.assigned
        and bool(agents)
        and await lost_since(connection, org_id, agents, rights.assigned)
    )


def _withheld(drafts: Sequence[Draft], must_resolve: Callable[[Draft], bool]) -> bool:
    for draft in drafts:
        draft.clashes = must_resolve(draft)
    if not any(draft.clashes for draft in drafts):
        return False
    for draft in drafts:
        draft.withhold()
    return True


async def _write(connection: Connection, org_id: str, now: datetime, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    inserts: dict[str, dict[str, Row]] = defaultdict(dict)
    updates: dict[str, dict[str, Row]] = defaultdict(dict)
    deletes: dict[str, list[str]] = defaultdict(list)
    for draft in drafts:
        table, id = draft.mutation.key
        stamp = {"updated_at": now, "updated_by": draft.origin.actor.user_id}
        if draft.after is None:
            deletes[table].append(id)
        elif draft.before is None:
            inserts[table][id] = {**draft.after, **stamp, "created_at": now, "created_by": stamp["updated_by"]}
        else:
            updates[table][id] = {**draft.after, **stamp}
    await attribute(connection, {draft.mutation.key: (doer(draft), draft.origin.digest.hex()) for draft in drafts})
    for table in sorted(deletes, key=ORDER.__getitem__, reverse=True):
        await rows.delete(connection, BY_TABLE[table], org_id, deletes[table])
    for table in sorted({*inserts, *updates}, key=ORDER.__getitem__):
        if table in inserts:
            await rows.insert(connection, BY_TABLE[table], org_id, inserts[table])
        if table in updates:
            await rows.update(connection, BY_TABLE[table], org_id, updates[table])
