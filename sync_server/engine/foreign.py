"""Foreign edits: what one user left unsent on a phone that is now another's.

The phone sends it in the session of whoever is logged in, and names its author. Nobody but the author knows what became of the
work meanwhile, and nobody has proved that it is the author's: so nothing of it is applied. It waits in the author's inbox, as
any change that a person must decide, and can be done again there.

Owns: who may hand in whose changes, and filing them.
Must not know: HTTP, JSON, SQL.
Invariant: nothing is applied and nothing of the author is told; the same again files nothing more; whoever was never logged in
on this installation is answered as somebody who is not there (tests/integration/test_foreign.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from conflict.mutation import Mutation
from erp_core.catalogue import BY_NAME
from erp_core.language import Violation
from sync_server.engine.cursor import FromTheFuture
from sync_server.engine.devices import SessionEnded, turned_away
from sync_server.engine.draft import Draft, Verdict, drafts_of
from sync_server.engine.gate import require_sync, synced
from sync_server.engine.holding import hold
from sync_server.engine.inbox import file_issues
from sync_server.engine.push import PushIdReused, PushRequest
from sync_server.engine.quarantine import POISON
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Submission
from sync_server.engine.telling import Told, as_receipt, read_receipt
from sync_server.engine.wording import FOREIGN_AUTHOR
from sync_server.store import receipts, registry, security, sessions
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

ISSUES: Final = BY_NAME["sync_issue"].table
PUSH_HANDED_IN: Final = "push_handed_in"

WAITS: Final = Violation(
    FOREIGN_AUTHOR, "Another user than you sent this from a phone that was yours; it is for you to decide."
)


class NeverHere(Exception):
    """The author was not logged in on this installation when the cursor was given, or is nobody; nothing was filed."""


async def hand_in(
    database: Database, standings: Standings, actor: Actor, author: str, request: PushRequest
) -> Sequence[Told]:
    """File the changes of `author`, a user, that `actor` sends from the author's former installation; say just that they wait.

    Raises `NeverHere`, `PushIdReused`, `gate.NotEntitled`, `cursor.FromTheFuture`, `devices.SessionEnded` and
    `unit_of_work.Busy`; then nothing was filed. A device that is being wiped may: it gets nothing for it.
    Cost: as the first half of a push, and twelve statements.
    """
    told = [Told(*mutation.key, Verdict.PARKED.value) for mutation in request.mutations]

    async def work(connection: Connection, *, looks: bool = True) -> None:
        clock = await read_clock(connection, actor.org_id)
        require_sync((await standings.read(connection, actor, clock.rights)).entitled)
        await _check(connection, actor, author, request)
        if request.cursor is not None and request.cursor > clock.position:
            raise FromTheFuture
        if await _is_new(connection, actor.org_id, author, request, told):
            await _file(connection, standings, actor, author, request, clock, looks=looks)

    async def blind_work(connection: Connection) -> None:
        await work(connection, looks=False)

    try:
        await unit_of_work(database, actor.org_id, work)
    except POISON:  # a record that breaks us is filed as it came
        await unit_of_work(database, actor.org_id, blind_work)
    return told


async def _check(connection: Connection, actor: Actor, author: str, request: PushRequest) -> None:
    """Raise `SessionEnded` or `NeverHere`."""
    away = await turned_away(connection, actor.org_id, [Submission(actor, 0, b"", [])])
    for reason in away.values():
        if isinstance(reason, SessionEnded):
            raise reason
    if not await registry.was_held_by(connection, actor.org_id, actor.device_id, author, request.cursor):
        raise NeverHere


async def _is_new(connection: Connection, org_id: str, author: str, request: PushRequest, told: Sequence[Told]) -> bool:
    """Claim the push in the author's name, whoever hands it in; False: it came before. Raises `PushIdReused`."""
    receipt = (author, request.digest)
    earlier = (await receipts.claim_receipts(connection, org_id, [receipt])).earlier.get(receipt)
    if earlier is None:
        await receipts.keep_receipt(connection, org_id, receipt, as_receipt(request.body, told))
        return True
    if read_receipt(earlier)[0] != request.body:
        raise PushIdReused
    return False


async def _file(
    connection: Connection,
    standings: Standings,
    actor: Actor,
    author: str,
    request: PushRequest,
    clock: Clock,
    *,
    looks: bool,
) -> None:
    session = await sessions.last_session_on(connection, actor.org_id, actor.device_id, author)
    # Without the device: what whoever has the phone now did on it is not the author's own.
    theirs = Actor(actor.org_id, author, session or "")
    submission = replace(request.submission(theirs), mutations=_records(request.mutations), counter=None)
    standing = await standings.read(connection, theirs, clock.rights)
    submission = replace(submission, entitled=synced(standing.entitled))
    if looks:
        drafts = drafts_of(submission)
        await hold(connection, actor.org_id, drafts)
    else:
        drafts = [Draft.poisoned(submission, mutation) for mutation in submission.mutations]
    waiting = [_parked(draft, actor.device_id) for draft in drafts if draft.verdict is not Verdict.DUPLICATE]
    await security.write_down(
        connection,
        Happening(
            *(actor.org_id, PUSH_HANDED_IN, actor.user_id, actor.session_id, actor.device_id),
            detail=f"{len(waiting)} records of {author}",
        ),
    )
    await file_issues(connection, actor.org_id, datetime.now(UTC), waiting)


def _records(mutations: Sequence[Mutation]) -> Sequence[Mutation]:
    """Leave out what the author decided about issues: the issues are still there to decide about."""
    return [mutation for mutation in mutations if mutation.table != ISSUES]


def _parked(draft: Draft, device_id: str) -> Draft:
    """Let its author decide about a draft, whatever else would have become of it."""
    draft.faults.clear()
    draft.wanted = None
    draft.park(WAITS)
    draft.origin = replace(draft.origin, actor=replace(draft.origin.actor, device_id=device_id))
    return draft
