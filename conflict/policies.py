"""The policies: who wins a column that two sides changed, one class each.

Theory of operation. A policy is asked once per column whose values differ from base to ours to theirs, and decides from these
three values and from what it is declared with. It gives the value to keep, or parks the change: then a person decides, with
all three values in hand. Policies are data: `as_json` is what the phone's resolver gets, and the phone decides the same.

`frozen` policies are asked even if the replica alone changed the column: there is something that may forbid it.

Values. Text, numbers, booleans, None; a bag is a tuple of words, sorted and without doubles; what a policy compares
(`Highest`, `Lowest`) is of one type. `UNKNOWN` stands for the base if nobody knows what the replica last saw.

Owns: the decision about one column.
Must not know: columns' names, entities, other records, clocks (stamps are handed in).
Invariant: the same values give the same decision; what is kept is ours or theirs or made of both as the policy says; and the
laws of DESIGN.md §6 hold (tests/properties/test_merge.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from conflict.laws import Law, laws
from conflict.prose import join

Record: TypeAlias = Mapping[str, Any]


class _Unknown:
    """The type of `UNKNOWN`, which equals nothing but itself."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The base of a replica of which nobody knows what it saw."""


class Stamp(NamedTuple):
    """When a value was authored, in milliseconds since 1970 by the server's clock, and on which device."""

    at: int
    device: str = ""


NEVER: Final = Stamp(0)


class Sides(NamedTuple):
    """What a policy may look at beside the three values: the server's row, and when each side wrote its value."""

    ours: Record
    our_stamp: Stamp = NEVER
    their_stamp: Stamp = NEVER


class Decision(NamedTuple):
    """The value to keep, and why a person must look at it (None: nobody must). What is parked keeps ours."""

    kept: Any
    parked: str | None = None


# The reasons for which a change is parked; explain.py has their sentences.
BASE_UNKNOWN: Final = "base_unknown"
OUT_OF_BOUNDS: Final = "out_of_bounds"
OVERLAPPING_EDITS: Final = "overlapping_edits"
NO_COMMON_STATE: Final = "no_common_state"
SET_ONCE: Final = "set_once"
LOCKED: Final = "locked"
NEEDS_REVIEW: Final = "needs_review"


@dataclass(frozen=True, slots=True)
class Policy:
    """What all policies have. `name` is the word of the exported JSON; `frozen`: asked about one-sided changes, too; `adds`:
    two equal changes are two, and not one; `LAWS`: what holds of it, and nothing else does."""

    name: ClassVar[str]
    frozen: ClassVar[bool] = False
    adds: ClassVar[bool] = False
    LAWS: ClassVar[frozenset[Law]] = frozenset()

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        """Decide a column of which `theirs` differs from `base`, and from `ours` unless the policy `adds`."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Give the policy as the phone's resolver gets it."""
        return {"policy": self.name}


@dataclass(frozen=True, slots=True)
class Theirs(Policy):
    """The replica's value, as WatermelonDB does.

    >>> Theirs().decide("dry", "damp", "wet", Sides({})).kept
    'wet'
    """

    name = "theirs"
    LAWS = laws("agrees, base free, invents nothing, never parks, one sided, repeats, row free, time free")

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(theirs)


@dataclass(frozen=True, slots=True)
class Ours(Policy):
    """The server's value: the column is the server's own, and the device is corrected.

    >>> Ours().decide(100, 120, 500, Sides({})).kept
    120
    """

    name = "ours"
    LAWS = laws("agrees, any order, base free, invents nothing, never back, never parks, repeats, row free, time free")
    frozen = True

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(ours)


@dataclass(frozen=True, slots=True)
class Newest(Policy):
    """The value that was authored later; at one moment, that of the device whose id sorts last.

    >>> Newest().decide("08:00", "08:10", "08:05", Sides({}, our_stamp=Stamp(1000), their_stamp=Stamp(2000))).kept
    '08:05'
    """

    name = "newest"
    LAWS = laws("agrees, any order, base free, commutes, invents nothing, never parks, one sided, repeats, row free")

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(ours if sides.our_stamp > sides.their_stamp else theirs)


@dataclass(frozen=True, slots=True)
class Tally(Policy):
    """A count that both sides add to: what each added counts. `most`: a number, or the column of the row that has it.

    A sum out of bounds is parked: both cannot have what they took. An empty count is 0.

    Two who each took 10 from the same count left the same number, and took 20.

    >>> Tally(0, 100).decide(40, 70, 60, Sides({})).kept
    90
    >>> Tally(0, 100).decide(40, 50, 50, Sides({})).kept
    60
    >>> Tally(0, "bales_offered").decide(40, 70, 60, Sides({"bales_offered": 80}))
    Decision(kept=70, parked='out_of_bounds')
    """

    name = "tally"
    LAWS = laws("any order, commutes, one sided, time free")
    adds = True
    least: Any = None
    most: Any = None

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        if base is UNKNOWN:
            return Decision(ours, BASE_UNKNOWN)
        total = (ours or 0) + (theirs or 0) - (base or 0)
        most = sides.ours.get(self.most) if isinstance(self.most, str) else self.most
        if (self.least is not None and total < self.least) or (most is not None and total > most):
            return Decision(ours, OUT_OF_BOUNDS)
        return Decision(total)

    def as_json(self) -> dict[str, Any]:
        return {"policy": self.name, "least": self.least, "most": self.most}


@dataclass(frozen=True, slots=True)
class Bag(Policy):
    """A set of words: what either side put in is in it, what either side took out is out (add wins, as both saw the base).

    >>> Bag().decide(("buyer",), ("buyer", "ginner"), ("broker",), Sides({})).kept
    ('broker', 'ginner')
    """

    name = "bag"
    LAWS = laws("agrees, any order, commutes, never parks, one sided, repeats, row free, time free")

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        was = frozenset() if base is UNKNOWN else frozenset(base or ())
        left, right = frozenset(ours or ()), frozenset(theirs or ())
        return Decision(tuple(sorted((was & left & right) | (left - was) | (right - was))))


@dataclass(frozen=True, slots=True)
class Highest(Policy):
    """The larger value; any is larger than none.

    >>> Highest().decide(3, 5, 4, Sides({})).kept
    5
    """

    name = "highest"
    LAWS = frozenset(Law)

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        if ours is None or theirs is None:
            return Decision(theirs if ours is None else ours)
        return Decision(max(ours, theirs))


@dataclass(frozen=True, slots=True)
class Lowest(Policy):
    """The smaller value; any is smaller than none.

    >>> Lowest().decide(3, 5, 4, Sides({})).kept
    4
    """

    name = "lowest"
    LAWS = frozenset(Law)

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        if ours is None or theirs is None:
            return Decision(theirs if ours is None else ours)
        return Decision(min(ours, theirs))


@dataclass(frozen=True, slots=True)
class Prose(Policy):
    """A text in which both wrote: merged by words; parked where they wrote in the same place. An empty text is none.

    >>> Prose().decide("20 bales, dry", "20 bales, dry", "20 bales, very dry", Sides({})).kept
    '20 bales, very dry'
    >>> Prose().decide("dry", "damp", "wet", Sides({}))
    Decision(kept='damp', parked='overlapping_edits')
    """

    name = "prose"
    LAWS = laws("agrees, commutes, one sided, row free, time free")

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        if base is UNKNOWN:
            return Decision(ours, BASE_UNKNOWN)
        merged = join(base or "", ours or "", theirs or "")
        return Decision(ours, OVERLAPPING_EDITS) if merged is None else Decision(merged or None)


@dataclass(frozen=True, slots=True)
class Guarded(Policy):
    """The state of a life: the one of the two that can be reached from the other; of two in a circle, the further one.

    `moves`: state -> the states that may follow it, in the order of a life. `breaks`: states that end a life before its
    time; one against a state that the other side moved on to is parked, because the other could not know.

    >>> life = Guarded({"planned": ("loaded", "called_off"), "loaded": ("delivered",), "delivered": (), "called_off": ()},
    ...                breaks=("called_off",))
    >>> life.decide("planned", "loaded", "delivered", Sides({})).kept
    'delivered'
    >>> life.decide("planned", "called_off", "loaded", Sides({}))
    Decision(kept='called_off', parked='no_common_state')
    """

    name = "guarded"
    LAWS = laws("agrees, any order, commutes, invents nothing, never back, one sided, repeats, row free, time free")
    moves: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    breaks: tuple[str, ...] = ()

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        if base is UNKNOWN:
            return Decision(ours, BASE_UNKNOWN)
        if ours is None or theirs is None:
            return Decision(theirs if ours is None else ours)
        if (ours in self.breaks) != (theirs in self.breaks):
            return Decision(ours, NO_COMMON_STATE)
        onwards, back = self.reaches(ours, theirs), self.reaches(theirs, ours)
        if onwards and back:
            order = list(self.moves)
            return Decision(max(ours, theirs, key=order.index))
        if onwards or back:
            return Decision(theirs if onwards else ours)
        return Decision(ours, NO_COMMON_STATE)

    def reaches(self, start: str, goal: str) -> bool:
        """Say whether `goal` can be reached from `start` in any number of moves; a state that is not declared reaches none."""
        seen, open_ends = {start}, [start]
        while open_ends:
            for following in self.moves.get(open_ends.pop(), ()):
                if following not in seen:
                    seen.add(following)
                    open_ends.append(following)
        return goal in seen and start in self.moves and goal in self.moves

    def as_json(self) -> dict[str, Any]:
        moves = {state: list(following) for state, following in self.moves.items()}
        return {"policy": self.name, "moves": moves, "order": list(moves), "breaks": list(self.breaks)}


@dataclass(frozen=True, slots=True)
class Once(Policy):
    """Set once: the first value stays; another one is parked.

    >>> Once().decide(None, "T-17", "T-18", Sides({}))
    Decision(kept='T-17', parked='set_once')
    """

    name = "once"
    LAWS = laws("agrees, any order, base free, invents nothing, never back, repeats, row free, time free")
    frozen = True

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(theirs) if ours is None else Decision(ours, SET_ONCE)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row says in one column: `column` is one of `values`, or, with `unless`, is none of them.

    >>> Condition("state", ("draft",), unless=True).holds({"state": "confirmed"})
    True
    """

    column: str
    values: tuple[str, ...]
    unless: bool = False

    def holds(self, row: Record) -> bool:
        return (row[self.column] in self.values) != self.unless

    def as_json(self) -> dict[str, Any]:
        return {"column": self.column, "values": list(self.values), "unless": self.unless}


@dataclass(frozen=True, slots=True)
class Locked(Policy):
    """Fixed once `when` holds for the server's row: an edit is parked, as the draft of an amendment. Before: the replica's.

    >>> terms = Locked(Condition("state", ("draft",), unless=True))
    >>> terms.decide(61000, 61000, 60500, Sides({"state": "confirmed"}))
    Decision(kept=61000, parked='locked')
    >>> terms.decide(61000, 61500, 60500, Sides({"state": "draft"})).kept
    60500
    """

    name = "locked"
    LAWS = laws("agrees, base free, invents nothing, repeats, time free")
    frozen = True
    when: Condition = Condition("", ())

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(ours, LOCKED) if self.when.holds(sides.ours) else Decision(theirs)

    def as_json(self) -> dict[str, Any]:
        return {"policy": self.name, "when": self.when.as_json()}


@dataclass(frozen=True, slots=True)
class Reviewed(Policy):
    """Always for a person to decide.

    >>> Reviewed().decide(10, 10, 12, Sides({}))
    Decision(kept=10, parked='needs_review')
    """

    name = "reviewed"
    LAWS = laws("agrees, any order, base free, commutes, invents nothing, never back, repeats, row free, time free")
    frozen = True

    def decide(self, base: Any, ours: Any, theirs: Any, sides: Sides) -> Decision:
        return Decision(ours, NEEDS_REVIEW)


THEIRS: Final = Theirs()
OURS: Final = Ours()

ALL: Final[tuple[type[Policy], ...]] = (
    Theirs,
    Ours,
    Newest,
    Tally,
    Bag,
    Highest,
    Lowest,
    Prose,
    Guarded,
    Once,
    Locked,
    Reviewed,
)
"""Every policy, in the order of docs/MERGE.md."""
