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

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conflict.merge import Outcome, Policy
from conflict.mutation import Key, Mutation, Operation
from erp_core.values import Plain
from sync_server.engine.apply import apply
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.holding import DELETED_MEANWHILE
from sync_server.engine.inbox import file_issues
from sync_server.engine.quarantine import POISON, find_poison
from sync_server.store import log
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import unit_of_work


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A change set at a cursor. `digest` names cursor and body; `holds_issues`: the client has the table sync_issues."""

    cursor: int | None
    mutations: Sequence[Mutation]
    digest: bytes
    holds_issues: bool


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What was refused and stays with the client as unsent: table -> ids."""

    kept_back: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Clash:
    """A record that both sides changed: per column base, ours and theirs in plain form; no columns if ours deleted it."""

    table: str
    id: str
    columns: Mapping[str, Mapping[str, Plain]]


class Conflict(Exception):
    """Nothing was applied, because both sides changed the same columns since the replica's cursor."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__(f"{len(clashes)} records clash")
        self.clashes = clashes


async def push(database: Database, actor: Actor, request: PushRequest) -> PushAnswer:
    """Apply a push. Raises `Conflict`, `unit_of_work.Busy`; then nothing was applied."""

    async def work(connection: Connection) -> PushAnswer:
        return await push_within(connection, actor, request)

    async def careful_work(connection: Connection) -> PushAnswer:
        poison = await find_poison(connection, actor, request.cursor, request.mutations)
        return await push_within(connection, actor, request, poison)

    try:
        return await unit_of_work(database, actor, work, push=request.digest.hex())
    except POISON:
        return await unit_of_work(database, actor, careful_work, push=request.digest.hex())


async def push_within(
    connection: Connection, actor: Actor, request: PushRequest, poison: frozenset[Key] = frozenset()
) -> PushAnswer:
    """Apply a push inside the caller's transaction, refusing the records in `poison`."""
    earlier = await log.claim_receipt(connection, actor.org_id, actor.user_id, request.digest)
    if earlier is not None:
        return PushAnswer(earlier)
    drafts = await apply(connection, actor, request.cursor, request.mutations, poison)
    clashes = [clash for draft in drafts if (clash := _clash(draft, request)) is not None]
    if clashes:
        raise Conflict(clashes)
    refused = [draft for draft in drafts if draft.verdict is Verdict.REFUSED]
    kept_back: dict[str, list[str]] = defaultdict(list)
    if request.holds_issues:
        await file_issues(connection, actor, datetime.now(UTC), refused)
    else:
        for draft in refused:
            kept_back[draft.mutation.table].append(draft.mutation.id)
    await log.correct(connection, actor.org_id, actor.user_id, _corrections(drafts, request))
    await log.keep_receipt(connection, actor.org_id, actor.user_id, request.digest, kept_back)
    return PushAnswer(kept_back)


def _clash(draft: Draft, request: PushRequest) -> Clash | None:
    """Tell what the phone must resolve in a draft. A created record is never a clash (push rule 2)."""
    mutation = draft.mutation
    if mutation.operation is not Operation.UPDATED:
        return None
    if draft.verdict is Verdict.REFUSED:
        told = request.holds_issues or draft.faults[0].code != DELETED_MEANWHILE
        return None if told else Clash(mutation.table, mutation.id, {})
    both = [outcome for outcome in draft.outcomes if outcome.policy is not Policy.OURS]
    if not both:
        return None
    return Clash(mutation.table, mutation.id, {outcome.column: _sides(draft, outcome) for outcome in both})


def _sides(draft: Draft, outcome: Outcome) -> Mapping[str, Plain]:
    def plain(value: Any) -> Plain:
        return None if value is None else draft.entity.by_name[outcome.column].type.plain(value)

    return {"base": plain(outcome.base), "ours": plain(outcome.ours), "theirs": plain(outcome.theirs)}


def _corrections(drafts: Sequence[Draft], request: PushRequest) -> Mapping[tuple[str, str], bool]:
    """Name the records that the phone now holds otherwise than the server and that did not move.

    A record that was written moved and comes with the next pull anyway. One that is kept back stays unsent on the phone.
    """
    return {
        draft.mutation.key: draft.deletes
        for draft in drafts
        if not draft.writes and draft.differs and (draft.verdict is not Verdict.REFUSED or request.holds_issues)
    }
