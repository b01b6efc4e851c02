"""Drafts: a mutation on its way through apply, and the verdict it ends with.

Owns: reading what was sent into the inside form, and the merge with what the server holds.
Must not know: SQL, JSON, other records (rules/judge.py sees those).
Invariant: a value that cannot be read is a fault of its draft, never an exception; a column that the server owns keeps the
server's value (tests/unit/test_draft.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from conflict import clocks
from conflict.merge import UNDATED, Authored, Outcome, merge
from conflict.mutation import Mutation, Operation
from conflict.policies import OURS, Stamp
from conflict.records import CHANGED_MEANWHILE, DELETED_MEANWHILE, Fate
from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity, Violation
from erp_core.values import Row, Unreadable, Value
from sync_server.engine.doubts import doubtful, parked
from sync_server.engine.entitlements import hidden_fields
from sync_server.engine.policy_map import NEWEST_FIELDS, policies_of
from sync_server.engine.sight import Sight, is_repeated, stamps_by_column, to_ms
from sync_server.engine.submission import Channel, Submission
from sync_server.store.log import Event

UNREADABLE: Final = object()
"""Stands for a value that could not be read; it equals nothing, so the replica that sent it is corrected."""

NO_STAMPS: Final[Mapping[str, Stamp]] = {}


class Verdict(Enum):
    """What became of a mutation."""

    ACCEPTED = "accepted"
    """Applied as sent."""
    MERGED = "merged"
    """Applied, together with what others changed."""
    DUPLICATE = "duplicate"
    """It already had its effect, or there is nothing left to do."""
    PARKED = "parked"
    """Not applied: both sides are right by themselves, and a person must decide."""
    REFUSED = "refused"
    """Not applied; the reasons say why."""
    WITHHELD = "withheld"
    """Not applied, because the replica must resolve a clash in this or another record of its submission first."""


@dataclass(slots=True)
class Draft:
    """One mutation being applied. `before` and `after` are None where the record does not exist, or not for its author.

    `labels`: those that the record carries before. `clashes`: the replica must resolve it before its submission is applied.
    `base`: the record as the replica last saw it, if known. `wanted`: what it would be with the edit as it is; set for what is
    parked. `amended`: fields that an approved amendment changes.
    """

    origin: Submission
    mutation: Mutation
    entity: Entity
    sent: dict[str, Value] = field(default_factory=dict)
    faults: list[Violation] = field(default_factory=list)
    before: Row | None = None
    after: Row | None = None
    labels: frozenset[str] = frozenset()
    outcomes: tuple[Outcome, ...] = ()
    base: Row | None = None
    wanted: Row | None = None
    clashes: bool = False
    amended: frozenset[str] = frozenset()
    verdict: Verdict = Verdict.ACCEPTED

    @classmethod
    def read(cls, origin: Submission, mutation: Mutation) -> Draft:
        """Read the values that were sent; what cannot be read becomes a fault."""
        draft = cls(origin, mutation, BY_TABLE[mutation.table])
        fields = draft.entity.by_name
        for name, plain in mutation.values.items():
            declared = fields[name]
            # WatermelonDB stores '' where a column is not optional; nothing in the trade means '' and not "empty".
            if plain is None or plain == "":
                draft.sent[name] = None
                continue
            try:
                draft.sent[name] = declared.type.read(plain)
            except Unreadable as unreadable:
                draft.sent[name] = UNREADABLE
                if not declared.derived:  # what the server owns is never taken, readable or not
                    draft.faults.append(Violation(unreadable.code, f"{name} {unreadable}.", (name,)))
        return draft

    @classmethod
    def poisoned(cls, origin: Submission, mutation: Mutation) -> Draft:
        """Make the draft of a record that breaks us: nothing of it is read, and it will be refused."""
        sentence = "The server could not process this record; the fault has been logged for the people who run it."
        return cls(origin, mutation, BY_TABLE[mutation.table], faults=[Violation("not_processable", sentence)])

    @property
    def deletes(self) -> bool:
        return self.mutation.operation is Operation.DELETED

    @property
    def writes(self) -> bool:
        """Whether applying the draft changes anything."""
        return self.verdict in (Verdict.ACCEPTED, Verdict.MERGED) and self.after != self.before

    def withhold(self) -> None:
        self.verdict = Verdict.WITHHELD
        self.after = self.before

    def refuse(self, *reasons: Violation) -> None:
        self.faults.extend(reasons)
        self.verdict = Verdict.REFUSED
        self.after = self.before

    def park(self, *reasons: Violation) -> None:
        """Let a person decide: the record stays as the server has it."""
        self.faults.extend(reasons)
        self.verdict = Verdict.PARKED
        self.after = self.before

    @property
    def waits(self) -> bool:
        """Whether it waits in the inbox, not applied."""
        return self.verdict in (Verdict.REFUSED, Verdict.PARKED)

    # --- What becomes of it (conflict/records.py) ---------------------------------------------------------------------

    def meet(
        self,
        fate: Fate,
        ours: Row | None,
        labels: Iterable[str] = (),
        history: Sequence[Event] = (),
        stamps: Mapping[str, Stamp] = NO_STAMPS,
    ) -> None:
        """Do what `fate` says with the record as the server has it. `history`: what happened to it since the replica's cursor.

        `stamps`: push -> when it was authored, for those of the history of which that is known.
        """
        match fate:
            case Fate.NOTHING:
                self.verdict = Verdict.DUPLICATE
            case Fate.DEAD:
                sentence = "This record was deleted meanwhile; an edit does not bring it back."
                self.refuse(Violation(DELETED_MEANWHILE, sentence))
            case Fate.MAKE:
                self.create()
            case Fate.MERGE:
                assert ours is not None
                self.conceal(labels)
                self.merge_into(ours, history, stamps)
            case Fate.DELETE | Fate.KEEP | Fate.WAIT:
                self.before, self.labels = ours, frozenset(labels)
                if fate is not Fate.DELETE:
                    self._leave(fate, history)

    def _leave(self, fate: Fate, history: Sequence[Event]) -> None:
        """Do not delete what others changed meanwhile."""
        self.base = Sight.of(history, self.origin).base
        sentence = "Others changed this record meanwhile, so it was not deleted."
        (self.park if fate is Fate.WAIT else self.refuse)(Violation(CHANGED_MEANWHILE, sentence))

    # --- Merge --------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Begin a record that the server does not have."""
        fields = self.entity.by_name
        given = {
            name: value
            for name, value in self.sent.items()
            if value is not None and value is not UNREADABLE and not fields[name].derived
        }
        self.after = {**self.entity.empty(), **given}

    def conceal(self, labels: Iterable[str]) -> None:
        """Take note of the labels of the record, and leave out what its author does not see of it.

        A phone holds nothing in a hidden field and sends just that: it says nothing about the field.
        """
        self.labels = frozenset(labels)
        hidden = hidden_fields(self.entity, self.origin.entitled.mask(self.entity, self.labels))
        for name in hidden & self.sent.keys():
            value = self.sent.pop(name)
            if value and not self.entity.by_name[name].derived:
                self.faults.append(Violation("not_allowed", f"Your role does not allow you to set {name}.", (name,)))

    def merge_into(self, ours: Row, history: Sequence[Event], stamps: Mapping[str, Stamp] = NO_STAMPS) -> None:
        """Merge into the record as the server has it; the rest as for `meet`."""
        self.before = ours
        sight = Sight.of(history, self.origin)
        theirs = {**ours, **{name: value for name, value in self.sent.items() if value is not UNREADABLE}}
        changed, policies, authored = self._changed(), policies_of(self.entity), UNDATED
        if history and not NEWEST_FIELDS[self.entity.name].isdisjoint(changed):
            authored = Authored(self.stamp(), stamps_by_column(history, self.origin, stamps))
        base = sight.base if history else ours
        if is_repeated(history, self.origin, theirs, changed):
            base = theirs
        resolution = merge(base, ours, theirs, changed, policies, authored)
        self.after, self.outcomes = resolution.row, resolution.outcomes
        self.base = base
        if self.after == self.before and not resolution.parked:
            self.verdict = Verdict.DUPLICATE
        elif history:
            self.verdict = Verdict.MERGED
        reasons = [*parked(self.entity, resolution), *self._doubtful(sight)]
        if reasons:
            self.wanted = {**self.after, **{o.column: o.theirs for o in self.outcomes if o.policy != OURS.name}}
            self.park(*reasons)

    def _doubtful(self, sight: Sight) -> Iterator[Violation]:
        """Say why an edit that could be merged is not, if a phone sent it."""
        touched = tuple(outcome.column for outcome in self.outcomes if outcome.policy != OURS.name)
        if self.origin.channel is Channel.PHONE and self.after != self.before:
            yield from doubtful(sight, touched, self.origin.received, self.entity.stale_days)

    def stamp(self) -> Stamp:
        """Give when the mutation was authored: WatermelonDB writes `updated_at` at each local change, by the device's clock."""
        received = to_ms(self.origin.received)
        claimed = self.mutation.values.get("updated_at")
        return clocks.authored(claimed, self.origin.skew_ms, received, self.origin.actor.device_id)

    def _changed(self) -> frozenset[str]:
        hint = self.mutation.changed
        own = {name for name in self.sent if not self.entity.by_name[name].derived}
        return frozenset(own if hint is None else own & hint)

    @property
    def differs(self) -> bool:
        """Whether the record will be other than the replica that sent it believes."""
        if self.waits:
            return True
        kept = self.after
        if kept is None or self.deletes:
            return not (kept is None and self.deletes)
        # A replica cannot tell an empty text from none: WatermelonDB stores '' where a column is not optional.
        return any((None if kept[name] == "" else kept[name]) != value for name, value in self.sent.items())


def drafts_of(submission: Submission) -> list[Draft]:
    """Make a draft of each mutation; what breaks us is not read."""
    return [
        Draft.poisoned(submission, m) if m.key in submission.poison else Draft.read(submission, m)
        for m in submission.mutations
    ]
