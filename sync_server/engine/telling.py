"""Telling: what an exchange answers about each pushed record, and what is kept of it.

Owns: a record's verdict as its author gets it: what the server has otherwise, why it waits, what both sides changed.
Must not know: SQL, JSON, HTTP.
Invariant: a repeated exchange is told the same; nothing is told of a field that the author does not see
(tests/integration/test_exchange.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from conflict.mutation import Key
from erp_core.values import Plain
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import hidden_fields
from sync_server.engine.inbox import issue_id, outcomes_of, plain_outcome
from sync_server.engine.policy_map import NEWEST_FIELDS
from sync_server.engine.wording import languages_of, why
from sync_server.store import log, resolutions
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one record. `position`: where its newest change is, if the push wrote it; `set`: the columns that the
    server has otherwise than they were sent, of a record that was taken; the rest says why it waits."""

    table: str
    id: str
    verdict: str
    position: int | None = None
    set: Mapping[str, Plain] = field(default_factory=dict)
    issue: str | None = None
    code: str | None = None
    sentence: str | None = None
    fields: Sequence[str] = ()
    outcomes: Sequence[Mapping[str, Any]] = ()


async def tell(connection: Connection, org_id: str, drafts: Sequence[Draft]) -> Mapping[Key, Told]:
    """Say of each draft what became of it; after the write. Cost: two statements, none for none."""
    languages = await languages_of(connection, org_id, [draft for draft in drafts if draft.waits])
    taken = [draft.mutation.key for draft in drafts if not draft.waits and (draft.writes or not draft.deletes)]
    states = await log.read_states(connection, org_id, taken)
    return {draft.mutation.key: _told(draft, states.get(draft.mutation.key), languages) for draft in drafts}


def _told(draft: Draft, state: log.State | None, languages: Mapping[str, str]) -> Told:
    table, id = draft.mutation.key
    outcomes = outcomes_of(draft)
    if draft.waits:
        first = draft.faults[0]
        named = tuple(dict.fromkeys(name for fault in draft.faults for name in fault.fields))
        said = (issue_id(draft), first.code, why(draft, languages), named)
        return Told(table, id, draft.verdict.value, None, {}, *said, outcomes)
    position = None if state is None or not draft.writes else state.position
    set_ = {} if state is None else _otherwise(draft, state)
    # An edit that lost to others' in every field was merged, too: it was heard, and changed nothing.
    lost = draft.verdict is Verdict.DUPLICATE and bool(outcomes)
    verdict = Verdict.MERGED if lost else draft.verdict
    return Told(table, id, verdict.value, position, set_, outcomes=outcomes)


def _otherwise(draft: Draft, state: log.State) -> dict[str, Plain]:
    """Name what the server has otherwise than it was sent, as a pull would bring it to the author."""
    hidden = hidden_fields(draft.entity, draft.origin.entitled.mask(draft.entity, state.scopes))
    plain = {name: value for name, value in state.plain().items() if name != "id" and name not in hidden}
    sent = draft.mutation.values
    # WatermelonDB stores '' where a column is not optional; nothing in the trade means '' and not "empty".
    return {n: value for n, value in plain.items() if n not in sent or (sent[n] != value and (value or sent[n] != ""))}


# --- What is kept -----------------------------------------------------------------------------------------------------


def as_receipt(body: bytes, told: Sequence[Told]) -> Mapping[str, Any]:
    """Give what a repetition will be answered from."""
    return {"body": body.hex(), "told": [asdict(one) for one in told]}


def read_receipt(kept: Mapping[str, Any]) -> tuple[bytes, Sequence[Told]]:
    """Undo `as_receipt`."""
    return bytes.fromhex(kept["body"]), [Told(**one) for one in kept["told"]]


async def write_down(connection: Connection, org_id: str, drafts: Sequence[Draft]) -> None:
    """Keep what became of drafts, where there is more to tell than the event that was written. Cost: one statement."""
    await resolutions.write_down(connection, org_id, [_kept(draft) for draft in drafts if _worth_keeping(draft)])


def _worth_keeping(draft: Draft) -> bool:
    if draft.verdict is Verdict.WITHHELD:
        return False
    dated = draft.writes and not NEWEST_FIELDS[draft.entity.name].isdisjoint(draft.sent)
    return draft.waits or bool(draft.outcomes) or dated


def _kept(draft: Draft) -> resolutions.Told:
    actor = draft.origin.actor
    authored = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draft.stamp().at)
    who = (draft.origin.digest.hex(), actor.user_id, actor.device_id)
    outcomes = [plain_outcome(draft, o) for o in draft.outcomes]
    return resolutions.Told(*draft.mutation.key, *who, draft.verdict.value, authored, outcomes)
