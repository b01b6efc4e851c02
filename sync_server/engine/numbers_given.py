"""Numbers given: the numbers of one batch of documents, and what follows from them once the batch is judged.

Owns: giving the server's numbers in one row, and telling a device of the number that its document has instead.
Must not know: SQL, which number may be had (numbering.py).
Invariant: of the numbers that the server gives, none is left out for a document that was refused
(tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from conflict.merge import Outcome
from conflict.mutation import Mutation, Operation
from conflict.policies import OURS
from erp_core.entities.document_series import DOCUMENT_SERIES, written
from erp_core.values import Row
from sync_server.engine.draft import Draft, Verdict
from sync_server.store.numbers import Series, Use


@dataclass(slots=True, eq=False)
class Wish:
    """A document that gets a number of the server's. `instead_of`: what its device had numbered it."""

    draft: Draft
    series: Series
    instead_of: str = ""


@dataclass(slots=True)
class Numbering:
    """The numbers of a batch. `kept`: the documents that keep the number with which they came; `free`: series -> the numbers
    that may be given, in order; `held`: series -> its row, locked."""

    kept: dict[tuple[str, int], Draft] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    free: dict[str, list[int]] = field(default_factory=dict)
    held: dict[str, Row] = field(default_factory=dict)

    def give(self) -> dict[str, list[tuple[int, Wish]]]:
        """Give numbers, in order and in one row, to those that still are to be written: series -> what was given."""
        given: dict[str, list[tuple[int, Wish]]] = defaultdict(list)
        for wish in self.wishes:
            id = wish.series.id
            if wish.draft.writes and len(given[id]) < len(self.free[id]):
                number = self.free[id][len(given[id])]
                given[id].append((number, wish))
                assert wish.draft.after is not None
                wish.draft.after = {**wish.draft.after, "number": written(self.held[id], number)}
        return given

    def settle(self, drafts: Sequence[Draft]) -> tuple[list[Use], list[Draft]]:
        """After the rules: give (the numbers that documents have by now, what becomes of the series)."""
        uses = [
            Use(series, number, *draft.mutation.key) for (series, number), draft in self.kept.items() if draft.writes
        ]
        consequences = []
        for id, given in self.give().items():
            for number, wish in given:
                uses.append(Use(id, number, *wish.draft.mutation.key, wish.instead_of))
                if wish.instead_of:
                    _tell(wish)
            if given:
                consequences.append(self._advanced(id, given[-1][0] + 1, given[0][1].draft))
        own = {draft.mutation.key: draft for draft in drafts if draft.entity is DOCUMENT_SERIES and draft.writes}
        return uses, [one for one in consequences if not _carried(one, own.get(one.mutation.key))]

    def _advanced(self, id: str, next_number: int, first: Draft) -> Draft:
        mutation = Mutation(DOCUMENT_SERIES.table, id, Operation.UPDATED, {})
        consequence = Draft(first.origin, mutation, DOCUMENT_SERIES, before=self.held[id])
        consequence.after = {**self.held[id], "next_number": next_number}
        return consequence


def _carried(consequence: Draft, own: Draft | None) -> bool:
    """Put what becomes of a series into the draft that edits it, if there is one."""
    if own is None or own.after is None or consequence.after is None:
        return False
    most = max(own.after["next_number"], consequence.after["next_number"])
    own.after = {**own.after, "next_number": most}
    return True


def _tell(wish: Wish) -> None:
    """Let the device hear that the document has another number than the one that it may have printed."""
    draft = wish.draft
    assert draft.after is not None
    fresh = draft.after["number"]
    draft.outcomes = (*draft.outcomes, Outcome("number", OURS.name, None, fresh, wish.instead_of, fresh))
    draft.verdict = Verdict.MERGED
