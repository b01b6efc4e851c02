"""Verdicts as the stock protocol means them: what the phone must resolve, what it must be sent again, what it is shown.

Owns: what follows for the phone from what became of each of its drafts.
Must not know: HTTP, JSON, SQL.
Invariant: whatever a phone now holds otherwise than the server comes with its next pull
(tests/integration/test_corrections.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conflict.merge import Outcome
from conflict.mutation import Operation
from conflict.policies import THEIRS, UNKNOWN
from conflict.records import DELETED_MEANWHILE
from erp_core.values import Plain
from sync_server.engine.draft import Draft, Verdict
from sync_server.store import log


@dataclass(frozen=True, slots=True)
class Clash:
    """A record that both sides changed: per column base, ours and theirs in plain form; no columns if ours deleted it."""

    table: str
    id: str
    columns: Mapping[str, Mapping[str, Plain]]


def refused(draft: Draft) -> bool:
    """Say whether a draft was not applied and waits in the inbox, or with the phone if that has none."""
    return draft.waits


def corrections(drafts: Iterable[Draft]) -> list[log.Correction]:
    """Name the records that a phone now holds otherwise than the server and that did not move.

    A record that was written moved and comes with the next pull anyway. One that is kept back stays unsent on the phone.
    """
    return [
        log.Correction(draft.origin.actor.user_id, *draft.mutation.key, revive=draft.deletes)
        for draft in drafts
        if not draft.writes and draft.differs and draft.verdict is not Verdict.WITHHELD
    ]


def must_resolve(draft: Draft) -> bool:
    """Say whether the phone must resolve a draft that was merged, not judged. A created record never is one (push rule 2)."""
    if draft.mutation.operation is not Operation.UPDATED or draft.origin.settles:
        return False
    if draft.verdict is Verdict.REFUSED:  # the record was deleted (push rule 3)
        return not draft.origin.holds_issues and draft.faults[0].code == DELETED_MEANWHILE
    return any(map(contested, draft.outcomes))


def contested(outcome: Outcome) -> bool:
    """Say whether both sides changed the column and nothing but their order, or a person, decides."""
    return outcome.base != outcome.ours and (outcome.policy == THEIRS.name or outcome.parked is not None)


def clash_of(draft: Draft) -> Clash:
    both = {o.column: _sides(draft, o) for o in draft.outcomes if contested(o)}
    return Clash(draft.mutation.table, draft.mutation.id, both)


def _sides(draft: Draft, outcome: Outcome) -> Mapping[str, Plain]:
    def plain(value: Any) -> Plain:
        return None if value is None or value is UNKNOWN else draft.entity.by_name[outcome.column].type.plain(value)

    return {"base": plain(outcome.base), "ours": plain(outcome.ours), "theirs": plain(outcome.theirs)}
