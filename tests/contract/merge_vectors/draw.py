"""What vectors are drawn from: policies with their parameters, the values they are asked about, and whole records.

Owns: the strategies.
Must not know: how a vector is written, or what a phone does with it.
Invariant: every policy of `conflict.policies.ALL` is drawn, with each of its parameters
(tests/acceptance/test_merge_vectors.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hypothesis import strategies as st

from conflict import policies as p
from conflict.prose import EDITS_MAX, words_of
from erp_core.catalogue import ENTITIES
from erp_core.language import Entity
from tests.properties.test_rules import rows_of

NASTY: Final = [
    "a",
    "b",
    "é",
    "\u0301",
    "\uff21",
    "\U0001f33e",
    "\U00020000",
    "\ue000",
    "\ud7ff",
    '"',
    "\\",
    "\n",
    "\x01",
]
"""Characters that two languages order, escape or count differently."""
TEXT: Final = st.text(st.sampled_from([*NASTY, "\u2028", "\x7f", "\u0a95", "\xa0", "1", " "]), max_size=6)
HIGH: Final = st.text(st.sampled_from(["\uff21", "\ue000", "\U0001f33e", "\U00020000"]), min_size=1, max_size=2)
"""Texts of which the order by UTF-16 unit is not that by code point."""
NUMBER: Final = st.integers(-(10**9), 10**9) | st.decimals(-(10**6), 10**6, places=3)
SMALL: Final = st.integers(-3, 12) | st.decimals(-3, 12, places=2)
DAY: Final = st.dates(date(2020, 1, 1))
SCALARS: Final = (TEXT, HIGH, NUMBER, st.booleans(), DAY, st.integers(0, 2**53 - 1))
STATES: Final = ("draft", "sent", "agreed", "ended", "called_off", "1", "10", "constructor", "__proto__")
STAMP: Final = st.builds(p.Stamp, st.integers(0, 2), st.sampled_from(["", "d", "\uff21", "\U0001f33e"]))


@dataclass(frozen=True, slots=True)
class Case:
    """One policy, values it may be asked about (no two equal), and what else stands in the row."""

    policy: p.Policy
    values: Sequence[Any]
    beside: Mapping[str, Any]


def _of_one_type() -> st.SearchStrategy[list[Any]]:
    return st.one_of(*(st.lists(st.none() | kind, min_size=3, max_size=4, unique=True) for kind in SCALARS))


@st.composite
def _texts(draw: st.DrawFn) -> list[Any]:
    """A text and others made from it by taking out and putting in; some longer than the bound on edits."""
    word = st.text(st.sampled_from([*NASTY, "c", "d", "\xa0"]), min_size=1, max_size=3)
    blank = st.sampled_from([" ", "  ", "\n", "\r\n", "\t", "\r\n\r\n", " "])
    longest = draw(st.sampled_from([4, 12, 12, 40]))
    words = draw(st.lists(st.tuples(word, blank), max_size=longest))
    first = "".join(w + b for w, b in words) * draw(st.sampled_from([1, 1, 1, 1, 1, 30]))
    texts: list[Any] = [first or None]
    for _ in range(3):
        pieces = words_of(draw(st.sampled_from(texts)) or "")
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(pieces)))
            end = min(len(pieces), start + draw(st.sampled_from([0, 0, 1, 1, 2, 5, EDITS_MAX + 1])))
            pieces[start:end] = draw(st.lists(word | blank, max_size=3))
        texts.append("".join(pieces) or None)
    return list(dict.fromkeys(texts))


@st.composite
def _bags(draw: st.DrawFn) -> list[Any]:
    word = st.text(st.sampled_from(NASTY), min_size=1, max_size=2)
    words = draw(st.lists(word, min_size=1, max_size=7, unique=True))
    bags = st.lists(st.sampled_from(words), unique=True).map(lambda bag: tuple(sorted(bag)))
    return draw(st.lists(st.none() | bags, min_size=3, max_size=4, unique=True))


@st.composite
def _guarded(draw: st.DrawFn) -> Case:
    states = draw(st.lists(st.sampled_from(STATES), min_size=2, max_size=6, unique=True))
    following = st.lists(st.sampled_from(states), max_size=3, unique=True).map(tuple)
    moves = {state: draw(following) for state in states}
    breaks = tuple(draw(st.lists(st.sampled_from(states), max_size=2, unique=True)))
    values = draw(st.lists(st.none() | st.sampled_from([*states, "nowhere"]), min_size=3, max_size=4, unique=True))
    return Case(p.Guarded(moves, breaks), values, {})


@st.composite
def _tally(draw: st.DrawFn) -> Case:
    least, most = draw(st.none() | st.integers(-5, 5)), draw(st.none() | st.integers(0, 15) | st.just("bound"))
    number = draw(st.sampled_from([NUMBER, SMALL, SMALL, st.integers(0, 9)]))
    values = draw(st.lists(st.none() | number, min_size=3, max_size=4, unique=True))
    return Case(p.Tally(least, most), values, {"bound": draw(st.none() | SMALL)})


@st.composite
def _locked(draw: st.DrawFn) -> Case:
    words = tuple(draw(st.lists(st.sampled_from(STATES), max_size=2, unique=True)))
    policy = p.Locked(p.Condition("state", words, draw(st.booleans())))
    return Case(policy, draw(_of_one_type()), {"state": draw(st.none() | st.sampled_from(STATES))})


def _plainly(policy: p.Policy, values: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[Case]:
    return values.map(lambda drawn: Case(policy, drawn, {}))


CASES: Final[Mapping[type[p.Policy], st.SearchStrategy[Case]]] = {
    p.Theirs: _plainly(p.Theirs(), _of_one_type()),
    p.Ours: _plainly(p.Ours(), _of_one_type()),
    p.Newest: _plainly(p.Newest(), _of_one_type()),
    p.Tally: _tally(),
    p.Bag: _plainly(p.Bag(), _bags()),
    p.Highest: _plainly(p.Highest(), _of_one_type()),
    p.Lowest: _plainly(p.Lowest(), _of_one_type()),
    p.Prose: _plainly(p.Prose(), _texts()),
    p.Guarded: _guarded(),
    p.Once: _plainly(p.Once(), _of_one_type()),
    p.Locked: _locked(),
    p.Reviewed: _plainly(p.Reviewed(), _of_one_type()),
}
assert set(CASES) == set(p.ALL), "a policy that is not drawn is not compared"


@st.composite
def records(draw: st.DrawFn) -> tuple[Entity, list[dict[str, Any]]]:
    """Draw an entity and three rows of it: what base, ours and theirs of its vectors are mixed from."""
    entity = draw(st.sampled_from(ENTITIES))
    return entity, [draw(rows_of(entity)) for _ in range(3)]
