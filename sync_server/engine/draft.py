"""Drafts: a mutation on its way through apply, and the verdict it ends with.

Owns: reading what was sent into the inside form, and the merge with what the server holds.
Must not know: SQL, JSON, other records (rules/judge.py sees those).
Invariant: a value that cannot be read is a fault of its draft, never an exception; a column that the server owns keeps the
server's value (tests/unit/test_draft.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from conflict.merge import Outcome, merge
from conflict.mutation import Key, Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity, Violation
from erp_core.values import Row, Unreadable, Value
from sync_server.engine.entitlements import Entitlements, hidden_fields
from sync_server.engine.policy_map import policies_of
from sync_server.store.actor import Actor
from sync_server.store.log import Event

_UNREADABLE: Final = object()
"""Stands for a value that could not be read; it equals nothing, so the replica that sent it is corrected."""


class Channel(Enum):
    """Which way mutations came: a phone changes only what is synced both ways."""

    PHONE = "phone"
    OFFICE = "office"


class Verdict(Enum):
    """What became of a mutation."""

    ACCEPTED = "accepted"
    """Applied as sent."""
    MERGED = "merged"
    """Applied, together with what others changed."""
    DUPLICATE = "duplicate"
    """It already had its effect, or there is nothing left to do."""
    REFUSED = "refused"
    """Not applied; the reasons say why."""
    WITHHELD = "withheld"
    """Not applied, because the replica must resolve a clash in this or another record of its submission first."""


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """Mutations that one replica sends together: who, from which cursor, under which name (a digest), and what.

    `holds_issues`: the replica can be told of refusals in its table sync_issues. `poison`: records that are refused
    unread, because they break us (quarantine.py). `entitled`: what the actor may do, read inside the unit of work.
    `counter`: the number that the installation gives its pushes, `arrived` (time.monotonic) when it came: devices.py.
    `settles`: there is nobody to resolve a clash, so the merge policies decide.
    """

    actor: Actor
    cursor: int
    digest: bytes
    mutations: Sequence[Mutation]
    holds_issues: bool = True
    poison: frozenset[Key] = frozenset()
    entitled: Entitlements = field(default_factory=lambda: Entitlements({}))
    channel: Channel = Channel.PHONE
    counter: int | None = None
    arrived: float = field(default_factory=time.monotonic)
    settles: bool = False

    def drafts(self) -> list[Draft]:
        return [Draft.poisoned(self, m) if m.key in self.poison else Draft.read(self, m) for m in self.mutations]


@dataclass(slots=True)
class Draft:
    """One mutation being applied. `before` and `after` are None where the record does not exist, or not for its author.

    `labels`: those that the record carries before. `clashes`: the replica must resolve it before anything of its submission
    is applied.
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
    clashes: bool = False
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
                draft.sent[name] = _UNREADABLE
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

    # --- Merge --------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Begin a record that the server does not have."""
        fields = self.entity.by_name
        given = {
            name: value
            for name, value in self.sent.items()
            if value is not None and value is not _UNREADABLE and not fields[name].derived
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

    def merge_into(self, ours: Row, history: Sequence[Event]) -> None:
        """Merge into the record as the server has it; `history` is what happened since the replica's cursor."""
        self.before = ours
        actor = self.origin.actor
        if self.origin.channel is Channel.OFFICE:
            actor = replace(actor, session_id="")  # two pages of one session do not see each other's changes
        base = replica_base(history, self.origin.cursor, actor) if history else ours
        theirs = {**ours, **{name: value for name, value in self.sent.items() if value is not _UNREADABLE}}
        resolution = merge(base, ours, theirs, self._changed(), policies_of(self.entity))
        self.after = resolution.row
        self.outcomes = resolution.outcomes
        if self.after == self.before:
            self.verdict = Verdict.DUPLICATE
        elif history:
            self.verdict = Verdict.MERGED

    def _changed(self) -> frozenset[str]:
        hint = self.mutation.changed
        own = {name for name in self.sent if not self.entity.by_name[name].derived}
        return frozenset(own if hint is None else own & hint)

    @property
    def differs(self) -> bool:
        """Whether the record will be other than the replica that sent it believes."""
        if self.verdict is Verdict.REFUSED:
            return True
        kept = self.after
        if kept is None or self.deletes:
            return not (kept is None and self.deletes)
        # A replica cannot tell an empty text from none: WatermelonDB stores '' where a column is not optional.
        return any((None if kept[name] == "" else kept[name]) != value for name, value in self.sent.items())


def replica_base(history: Sequence[Event], cursor: int, actor: Actor) -> Mapping[str, Any] | None:
    """Work out the record as the replica last saw it: at its cursor, plus its own later writes whose answers were lost.

    `history`: events of one record, oldest first, back to the one that the cursor stands on if the log still has it.
    None: it never saw the record. A replica's own writes are no conflict with it, so only what others did since counts.
    Whom a session belonged to counts for the creation, too: whoever sends a record as new made it, logged in anew or not.
    """
    base: dict[str, Any] | None = None
    previous: Row | None = None
    for number, event in enumerate(history):
        own = event.session == actor.session_id
        if event.position <= cursor or (number == 0 and (own or event.creator == actor.user_id)):
            base = None if event.row is None else dict(event.row)
        elif own and event.row is not None:
            moved = {name for name, value in event.row.items() if previous is None or previous[name] != value}
            base = {**(base or event.row), **{name: event.row[name] for name in moved}}
        previous = event.row
    return base
