"""The language in which the trade is declared: entity, field, how a field may change, states, rules.

Owns: the vocabulary of `erp_core/entities/*`; an entity is declared once, and from the declaration come its table, wire
model, WatermelonDB schema, merge policies and rules.
Must not know: who reads the declarations (store, wire, engine, mobile).
Invariant: a declaration is data; nothing here looks at a clock, a database or another row that it was not handed
(tests/unit/test_catalogue.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum
from typing import Final, Protocol, TypeAlias

from erp_core.access import Access
from erp_core.scopes import Follows, Label
from erp_core.values import Day, Instant, Reference, Row, Text, Value, ValueType

# --- How a field may change -------------------------------------------------------------------------------------------


class Kind(Enum):
    """How a field may change once two sides changed it (DESIGN.md §6); `engine/policy_map.py` turns it into a policy."""

    LATEST = "latest"
    ONCE = "once"
    NEWEST = "newest"
    TALLY = "tally"
    BAG = "bag"
    HIGHEST = "highest"
    LOWEST = "lowest"
    PROSE = "prose"
    GUARDED = "guarded"
    LOCKED = "locked"
    REVIEWED = "reviewed"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a row says of itself: `field` is one of `words`, or, with `unless`, none of them. Data, so that a phone knows it.

    >>> Fixed("state", ("draft",), unless=True).holds({"state": "confirmed"})
    True
    """

    field: str
    words: tuple[str, ...]
    unless: bool = False

    def holds(self, row: Row) -> bool:
        return (row[self.field] in self.words) != self.unless


@dataclass(frozen=True, slots=True)
class Change:
    """How one field may change: the kind and what the kind needs to decide.

    `when`: the field is fixed while this holds. `least`, `most`: bounds of a count; `most` may name the field that has it.
    """

    kind: Kind
    when: Fixed | None = None
    least: Value = None
    most: Value = None

    def most_in(self, row: Row) -> Value:
        """Give the upper bound that counts in `row`; None: there is none."""
        return row[self.most] if isinstance(self.most, str) else self.most


LATEST: Final = Change(Kind.LATEST)
ONCE: Final = Change(Kind.ONCE)
NEWEST: Final = Change(Kind.NEWEST)
BAG: Final = Change(Kind.BAG)
HIGHEST: Final = Change(Kind.HIGHEST)
LOWEST: Final = Change(Kind.LOWEST)
PROSE: Final = Change(Kind.PROSE)
GUARDED: Final = Change(Kind.GUARDED)
REVIEWED: Final = Change(Kind.REVIEWED)
DERIVED: Final = Change(Kind.DERIVED)


def tally(least: Value = 0, most: Value = None) -> Change:
    """A count that both sides add to; `most` is a number or names the field that has it (bales sold ≤ bales offered)."""
    return Change(Kind.TALLY, least=least, most=most)


def locked(field: str, *words: str, unless: bool = False) -> Change:
    """Fixed once the row as the server has it says so: the terms of a trade that is no draft any more."""
    return Change(Kind.LOCKED, when=Fixed(field, words, unless=unless))


# --- Fields -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entity: name, type, how it may change, whether it may be empty, what a new row starts with.

    `since`: the schema version that first has it on the phone. `unique`: no two rows of an organisation share a value
    (empty values are not compared). `read`, `write`: the permission codes of which a person needs one to see or to change
    the field, beside those that the record asks for; empty: those suffice. `personal`: the field that names the person of whom
    it tells, "id" if that is the record itself; empty: it tells of nobody. `help`: one line for the documents that are made
    from the catalogue.
    """

    name: str
    type: ValueType
    change: Change = LATEST
    required: bool = False
    default: Value = None
    unique: bool = False
    since: int = 1
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    personal: str = ""
    help: str = ""
    derived: bool = field(init=False, compare=False)
    """Whether the server alone writes it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "derived", self.change.kind is Kind.DERIVED)


SERVER_FIELDS: Final = (
    Field("created_at", Instant(), DERIVED, required=True, help="when the server first stored the row"),
    Field("updated_at", Instant(), DERIVED, required=True, help="when the server last stored the row"),
    Field("created_by", Text(64), DERIVED, help="the user who created the row; empty if SQL did"),
    Field("updated_by", Text(64), DERIVED, help="the user who last changed the row; empty if SQL did"),
)
"""Every entity ends with these; the server alone writes them."""


# --- States -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class States:
    """A state machine as a table: state -> the states that may follow it. The first one is where a row begins.

    `also_begins`: further states in which a row may be created (a lorry already loaded when first written down).
    `needs`: state -> the permission codes of which a person needs one to bring a row there (approve a partner).
    `breaks`: states that end a life before its time; where one side broke off and the other went on, a person decides.
    `settled`: states in which nothing is left to do, though something may follow (a completed trade may be disputed).
    """

    field: str
    moves: Mapping[str, tuple[str, ...]]
    also_begins: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    _asked: dict[tuple[str | None, str], tuple[tuple[str, ...], ...]] = dataclasses.field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """What `asks` found out already: every pushed record asks."""

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.moves)

    @property
    def at_work(self) -> tuple[str, ...]:
        """The states of a row on which somebody has still to work."""
        return tuple(w for w, after in self.moves.items() if after and w not in (*self.breaks, *self.settled))

    @property
    def begins(self) -> tuple[str, ...]:
        return (self.words[0], *self.also_begins)

    def reaches(self, start: str, goal: str) -> bool:
        """Say whether `goal` can be reached from `start` in any number of moves; a state reaches itself.

        A phone that was away for days sends only the last of several moves, so every path counts.
        """
        return goal in self._reached(start)

    def asks(self, start: str | None, goal: str) -> tuple[tuple[str, ...], ...]:
        """Give the sets of codes of which a person needs one each to bring a row from `start` to `goal`.

        Those of the goal, and those of every state that cannot be gone round on the way: who sends only the last of several
        moves needs what each of them needed. `start` None: a new row, which may begin in the goal itself.
        """
        known = self._asked.get((start, goal))
        if known is None:
            known = self._asked[start, goal] = self._asks(start, goal)
        return known

    def _asks(self, start: str | None, goal: str) -> tuple[tuple[str, ...], ...]:
        if start == goal:
            return ()
        starts = self.begins if start is None else (start,)
        on_the_way = (
            state
            for state in self.needs
            if state == goal or not any(goal in self._reached(first, without=state) for first in starts)
        )
        return tuple(self.needs[state] for state in on_the_way if state != start)

    def _reached(self, start: str, without: str | None = None) -> frozenset[str]:
        if start == without:
            return frozenset()
        seen, open_ends = {start}, [start]
        while open_ends:
            for following in self.moves[open_ends.pop()]:
                if following not in seen and following != without:
                    seen.add(following)
                    open_ends.append(following)
        return frozenset(seen)


# --- Rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a row may not be as it is: a stable code, the fields at fault, and a sentence that says what to do.

    A sentence that tells of something not everybody may see names in `needs` the codes of which one admits to it; whoever has
    none is told `instead`.
    """

    code: str
    sentence: str
    fields: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    instead: str = ""


class World(Protocol):
    """What a rule may look at besides its own row; everything is as it will be once the unit commits."""

    @property
    def today(self) -> date:
        """The day of the unit of work, in the organisation's time zone."""

    def get(self, entity: str, id: str | None) -> Row | None:
        """Give the row that a `Reference` field of the changed row names; None if the field is empty."""

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        """Give all rows of `entity` whose `field` is `id`, the changed ones included; the entity declares it in `gathers`."""


Rule: TypeAlias = Callable[[Row, Row | None, World], Iterator[Violation]]
"""(after, before, world) -> what is wrong with it. `before` is None for a new row."""

DeleteRule: TypeAlias = Callable[[Row, World], Iterator[Violation]]
"""(row, world) -> why it may not be deleted."""

Derivation: TypeAlias = Callable[[Row, World], Mapping[str, Value]]
"""(after, world) -> the values of the entity's own DERIVED fields."""


@dataclass(frozen=True, slots=True)
class Gather:
    """A rule of this entity looks at every row of `entity` whose `field` names the same row as this row's `field`.

    The engine loads them and holds the named row's lock, so that two phones cannot both book the last bales.
    `via` is this entity's field; for the named row's own rules (`via="id"`) it is the row itself, and they find it under "id".
    """

    entity: str
    field: str
    via: str


@dataclass(frozen=True, slots=True)
class Rollup:
    """Fields of another row that follow from this entity: DERIVED ones, such as a partner's exposure from its open trades, or a
    state that is reached with it (a negotiation of which an offer is accepted).

    When a row changes, the row of `into` that its field `via` names (before and after) gets `compute(row, all rows of this
    entity whose via names it)`.
    """

    into: str
    via: str
    compute: Callable[[Row, Sequence[Row]], Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Amends:
    """What a row of this entity does to another one when it comes into `state`: LOCKED fields get new values.

    `document` is this entity's field with those, by name in plain form; the row changed is the one of `into` that `via` names.
    Both are written in one unit, if the changed row breaks none of its rules, or neither is.
    """

    into: str
    via: str
    document: str
    state: str


# --- Entities ---------------------------------------------------------------------------------------------------------


class Phone(Enum):
    """Whether an entity is synced to phones, and whether they may change it."""

    NONE = "none"
    DOWN = "down"
    BOTH = "both"


class Deletion(Enum):
    """What becomes of a deletion of a record that others changed meanwhile; of an edit of one that they deleted."""

    WINS = "delete_wins"
    LOSES = "update_wins"
    WAITS = "park"


class Urgency(IntEnum):
    """When a phone is sent the records of an entity, if it cannot be sent all at once; the first comes first."""

    INBOX = 0
    """What waits for its user."""
    WORK = 1
    """What is done in the field: offers, trades, inspections, lorries."""
    PARTNERS = 2
    """With whom it is done, and where."""
    REFERENCE = 3
    """What seldom changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Entity:
    """One thing of the trade, declared once.

    `access` says which permission codes admit an operation on a record, `labels` in which scopes a record is. `fields`
    exclude `id`, `org_id` and the server's fields. `parent` is the Reference field whose row this one lives and dies with
    (the database cascades). `assignee` is the field with the agent who sees, besides the record, every document of it.
    `deletion` says what becomes of a deletion of what others changed meanwhile; `stale_days`, how long others' changes may go
    unseen before an edit is no longer merged but waits for a person (None: for ever).
    `urgency` says when a phone gets its records; first of all those on which its user has still to work: who created one has,
    and whom one of the fields `whose` names. Of these come first those that are for today: whose day `due` is not after it.
    `states` is the machine of its life, `further_states` are those of single fields (the papers of a partner); every GUARDED
    field has one.
    """

    name: str
    table: str
    title: str
    fields: tuple[Field, ...]
    access: Access
    labels: tuple[Label, ...]
    phone: Phone = Phone.BOTH
    parent: str | None = None
    assignee: str | None = None
    states: States | None = None
    further_states: tuple[States, ...] = ()
    rules: tuple[Rule, ...] = ()
    delete_rules: tuple[DeleteRule, ...] = ()
    derive: Derivation | None = None
    gathers: tuple[Gather, ...] = ()
    rollups: tuple[Rollup, ...] = ()
    amends: Amends | None = None
    uniques: tuple[tuple[str, ...], ...] = ()
    since: int = 1
    deletion: Deletion = Deletion.WINS
    stale_days: int | None = 30
    urgency: Urgency = Urgency.REFERENCE
    whose: tuple[str, ...] = ()
    due: str | None = None

    all_fields: tuple[Field, ...] = field(init=False)
    blank: Mapping[str, Value] = field(init=False)
    """What `empty` makes a row of."""
    by_name: Mapping[str, Field] = field(init=False)
    references: tuple[tuple[Field, str], ...] = field(init=False)
    machines: Mapping[str, States] = field(init=False)
    """Field -> the states that it moves through; every GUARDED field is here."""
    read_groups: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = field(init=False)
    """(codes, fields that need one of them to be seen), for the fields that not every reader of a record sees."""
    unique_keys: tuple[tuple[str, ...], ...] = field(init=False)
    """The sets of fields of which no two rows of an organisation may share the values; empty ones never clash."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "all_fields", (*self.fields, *SERVER_FIELDS))
        object.__setattr__(self, "by_name", {f.name: f for f in self.all_fields})
        references = tuple((f, f.type.entity) for f in self.fields if isinstance(f.type, Reference))
        object.__setattr__(self, "references", references)
        keys = (*((f.name,) for f in self.fields if f.unique), *self.uniques)
        object.__setattr__(self, "unique_keys", keys)
        machines = (() if self.states is None else (self.states,)) + self.further_states
        object.__setattr__(self, "machines", {machine.field: machine for machine in machines})
        object.__setattr__(self, "read_groups", _read_groups(self.fields))
        begins = {name: machine.words[0] for name, machine in self.machines.items() if name in self.by_name}
        blank = {f.name: begins.get(f.name) if f.default is None else f.default for f in self.all_fields}
        object.__setattr__(self, "blank", blank)
        if not self.access.read or not self.labels:
            raise ValueError(f"{self.name}: nobody may read it; declare its access and its labels")
        if any(isinstance(label, Follows) and label.field not in self.by_name for label in self.labels):
            raise ValueError(f"{self.name}: it follows a record that none of its fields names")
        if not {f.name for f in self.fields if f.change.kind is Kind.GUARDED} <= self.machines.keys():
            raise ValueError(f"{self.name}: a GUARDED field has no state machine")
        if not set(self.whose) <= self.by_name.keys():
            raise ValueError(f"{self.name}: whose it is, none of its fields says")
        if self.due is not None and not isinstance(self.by_name[self.due].type, Day):
            raise ValueError(f"{self.name}: it is due on a day; {self.due} is none")
        if not {f.personal for f in self.fields} <= {"", "id", *self.by_name}:
            raise ValueError(f"{self.name}: of whom a field tells, none of its fields says")
        if len(self.by_name) != len(self.all_fields):
            raise ValueError(f"{self.name}: a field is declared twice")
        if self.parent is not None and self.parent not in {f.name for f, _ in references}:
            raise ValueError(f"{self.name}: the parent {self.parent!r} is not one of its Reference fields")

    @property
    def parent_entity(self) -> tuple[str, str] | None:
        """The parent field and the entity it refers to."""
        return next(((f.name, target) for f, target in self.references if f.name == self.parent), None)

    def empty(self) -> dict[str, Value]:
        """Make the row that a new one starts from: every field at its default, the state at its beginning."""
        return dict(self.blank)


def _read_groups(fields: tuple[Field, ...]) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    grouped: dict[tuple[str, ...], tuple[str, ...]] = {}
    for f in fields:
        if f.read:
            grouped[f.read] = (*grouped.get(f.read, ()), f.name)
    return tuple(grouped.items())
