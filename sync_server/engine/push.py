"""Push: a replica's change set, applied once, wholly, and answered the way the stock client understands.

Owns: what a push request means around `apply`: repeated requests, clashes, refusals, corrections.
Must not know: HTTP, JSON, SQL.
Invariant: an acknowledged push is in the log exactly once; one that raises left no trace; a refusal is never silent
(tests/integration/test_push.py, tests/integration/test_crashes.py).

Reads like the protocol (DESIGN.md §5):
- a repeated push (same user, cursor and body) gets the answer of the first, without a second effect;
- a column that both sides changed differently is a conflict: nothing is applied, the phone resolves and pushes again;
- a refused record does not stop the others. A client that holds `sync_issues` is told there, and corrected by its next
  pull; any other keeps the record as unsent.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from conflict.mutation import Mutation
from sync_server.engine.apply import apply
from sync_server.engine.cursor import FromTheFuture
from sync_server.engine.devices import NotLetIn, out_of_order, turned_away
from sync_server.engine.draft import Draft
from sync_server.engine.gate import SYNC, NotEntitled, may_begin, synced
from sync_server.engine.inbox import file_issues
from sync_server.engine.quarantine import carefully, find_poison
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Submission
from sync_server.engine.telling import Told, as_receipt, read_receipt, tell, write_down
from sync_server.engine.verdicts import Clash, clash_of, corrections, must_resolve, refused
from sync_server.store import log, receipts
from sync_server.store.actor import Actor
from sync_server.store.clock import NEVER_TICKED, Rights, read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import Busy, unit_of_work


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A change set at a cursor. `digest` names cursor and body; `holds_issues`: the client has the table sync_issues.

    `counter`: the number that the installation gives its pushes, if it does; `arrived`: when it came (time.monotonic).
    """

    cursor: int | None
    mutations: Sequence[Mutation]
    digest: bytes
    holds_issues: bool
    counter: int | None = None
    arrived: float = field(default_factory=time.monotonic)
    settles: bool = False
    body: bytes = b""
    skew_ms: int = 0

    def submission(self, actor: Actor) -> Submission:
        said = (self.cursor or 0, self.digest, self.mutations, self.holds_issues)
        received = datetime.now(UTC) - timedelta(seconds=time.monotonic() - self.arrived)
        submission = Submission(actor, *said, counter=self.counter, arrived=self.arrived, received=received)
        return (
            replace(submission, settles=self.settles, body=self.body, skew_ms=self.skew_ms)
            if self.settles
            else submission
        )


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """`kept_back`: what was refused and stays with the client as unsent, table -> ids. `told`: per record, of an exchange."""

    kept_back: Mapping[str, Sequence[str]]
    told: Sequence[Told] = ()


class Conflict(Exception):
    """Nothing was applied, because both sides changed the same columns since the replica's cursor."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__(f"{len(clashes)} records clash")
        self.clashes = clashes


class PushIdReused(Exception):
    """The name of this push was another's on this device; nothing was applied."""


Answer: TypeAlias = PushAnswer | Conflict | PushIdReused | FromTheFuture | NotEntitled | NotLetIn | Busy
"""What becomes of a push that shares a transaction: its answer, or what its caller is to raise."""


async def push(database: Database, standings: Standings, actor: Actor, request: PushRequest) -> PushAnswer:
    """Apply a push in a transaction of its own.

    Raises `Conflict`, `cursor.FromTheFuture`, `unit_of_work.Busy`, and of devices.py `SessionEnded`, `DeviceWiping` and
    `DeviceForked` and `Overtaken`, and `gate.NotEntitled`; then nothing was applied.
    """
    return await push_alone(database, standings, request.submission(actor))


async def _nothing_first(_connection: Connection) -> None:
    pass


async def push_alone(
    database: Database,
    standings: Standings,
    submission: Submission,
    *,
    first: Callable[[Connection], Awaitable[None]] = _nothing_first,
) -> PushAnswer:
    """Apply a submission in a transaction of its own, after `first` in the same one; raises as `push`, and what that raises."""
    org_id = submission.actor.org_id

    async def work(connection: Connection, careful: bool) -> Answer:
        await first(connection)
        going = submission
        if careful:
            rights = (await read_clock(connection, org_id)).rights
            (entitled,) = await _entitled(connection, standings, [submission], rights)
            going = replace(submission, poison=await find_poison(connection, entitled, rights))
        return (await push_together(connection, standings, org_id, [going]))[0]

    answer = await carefully(lambda careful: unit_of_work(database, org_id, partial(work, careful=careful)))
    if isinstance(answer, Exception):
        raise answer
    return answer


async def push_together(
    connection: Connection, standings: Standings, org_id: str, submissions: Sequence[Submission]
) -> Sequence[Answer]:
    """Apply pushes of one organisation inside the caller's transaction; answer each, in their order.

    No record may be in two of them. Of a push that is answered with an exception nothing is applied.
    Cost: as `apply`, and four statements; one more for each push that keeps something back.
    """
    away = await turned_away(connection, org_id, submissions)
    admitted = [one for one in submissions if one not in away]
    answered = await _push_admitted(connection, standings, org_id, admitted) if admitted else []
    answers: dict[Submission, Answer] = {**away, **dict(zip(admitted, answered, strict=True))}
    return [answers[one] for one in submissions]


async def _push_admitted(
    connection: Connection, standings: Standings, org_id: str, submissions: Sequence[Submission]
) -> Sequence[Answer]:
    claims = await receipts.claim_receipts(connection, org_id, [_receipt(one) for one in submissions])
    clock = NEVER_TICKED.position if claims.position is None else claims.position
    submissions = await _entitled(connection, standings, submissions, claims.rights)
    answers: dict[Submission, Answer] = {}
    fresh = []
    for one in submissions:
        if not one.cursor and not may_begin(one.entitled):
            answers[one] = NotEntitled((SYNC,))
        elif _receipt(one) in claims.earlier:
            answers[one] = _again(one, claims.earlier[_receipt(one)])
        elif one.cursor > clock:
            answers[one] = FromTheFuture()  # believed, it would hide every clash
        else:
            fresh.append(one)
    answers |= await out_of_order(connection, org_id, fresh)
    fresh = [one for one in fresh if one not in answers]
    drafts = dict(zip(fresh, await _apply(connection, org_id, fresh, claims.rights), strict=True))
    answers |= {one: _answer(one, drafts[one]) for one in fresh}
    answers |= await _settle(connection, org_id, drafts, answers)
    return [answers[one] for one in submissions]


async def _apply(
    connection: Connection, org_id: str, fresh: Sequence[Submission], rights: Rights
) -> Sequence[Sequence[Draft]]:
    return await apply(connection, org_id, fresh, rights=rights, must_resolve=must_resolve)


async def _entitled(
    connection: Connection, standings: Standings, submissions: Sequence[Submission], rights: Rights
) -> Sequence[Submission]:
    """Give the submissions with what their actors may do now. Cost: nothing for those whose standing is remembered."""
    standing = {one.actor: await standings.read(connection, one.actor, rights) for one in submissions}
    return [replace(one, entitled=synced(standing[one.actor].entitled)) for one in submissions]


def _receipt(submission: Submission) -> receipts.Receipt:
    return (submission.actor.user_id, submission.digest)


def _answer(submission: Submission, drafts: Sequence[Draft]) -> PushAnswer | Conflict:
    clashes = [clash_of(draft) for draft in drafts if draft.clashes]
    if clashes:
        return Conflict(clashes)
    kept_back: dict[str, list[str]] = defaultdict(list)
    if not submission.holds_issues:
        for draft in drafts:
            if refused(draft):
                kept_back[draft.mutation.table].append(draft.mutation.id)
    return PushAnswer(kept_back)


async def _settle(
    connection: Connection,
    org_id: str,
    drafts: Mapping[Submission, Sequence[Draft]],
    answers: Mapping[Submission, Answer],
) -> Mapping[Submission, Answer]:
    """Write down what follows from the verdicts: corrections, answers to repetitions, issues; give the answers of exchanges."""
    told = [draft for one in drafts.values() for draft in one if draft.origin.holds_issues]
    others = [draft for one in drafts.values() for draft in one if not draft.origin.holds_issues]
    await log.correct(connection, org_id, corrections([*told, *(d for d in others if not refused(d))]))
    await receipts.drop_receipts(
        connection, org_id, [_receipt(one) for one, a in answers.items() if isinstance(a, Exception)]
    )
    for one, answer in answers.items():
        if one in drafts and isinstance(answer, PushAnswer) and answer.kept_back:
            await receipts.keep_receipt(connection, org_id, _receipt(one), answer.kept_back)
    exchanged = await tell(connection, org_id, [draft for one in drafts if one.settles for draft in drafts[one]])
    await write_down(connection, org_id, [draft for one in drafts.values() for draft in one])
    answered: dict[Submission, Answer] = {}
    for one in drafts:
        if one.settles and isinstance(answers[one], PushAnswer):
            told_here = [exchanged[draft.mutation.key] for draft in drafts[one]]
            answered[one] = PushAnswer({}, told_here)
            await receipts.keep_receipt(connection, org_id, _receipt(one), as_receipt(one.body, told_here))
    await file_issues(connection, org_id, datetime.now(UTC), [draft for draft in told if refused(draft)])
    return answered


def _again(one: Submission, earlier: Mapping[str, Any]) -> PushAnswer | PushIdReused:
    """Answer a repetition as the first attempt was answered."""
    if not one.settles:
        return PushAnswer(earlier)
    body, told = read_receipt(earlier)
    return PushAnswer({}, told) if body == one.body else PushIdReused()
