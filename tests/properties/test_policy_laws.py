"""Every law that a policy lists holds of it, and every law that it does not list can be broken (conflict/laws.py)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflict.laws import Law
from conflict.merge import Authored, Resolution, merge
from conflict.policies import ALL, UNKNOWN, Decision, Guarded, Lowest, Policy, Sides, Stamp
from tests.harness.policy_kinds import BESIDE, KINDS, Kind

STAMPS: Final = (Stamp(1, "a"), Stamp(2, "b"), Stamp(2, "c"))


@dataclass(frozen=True)
class Clash:
    """A base, three edits of it and when each was written, what nobody knows, and the rest of the row."""

    policy: Policy
    base: Any
    edits: tuple[Any, Any, Any]
    stamps: tuple[Stamp, Stamp, Stamp]
    row: Mapping[str, Any]
    other_row: Mapping[str, Any]
    other_base: Any

    @property
    def is_one(self) -> bool:
        ours, theirs, _ = self.edits
        return bool(ours != theirs and self.base not in (ours, theirs))

    def decide(self) -> Decision:
        return self.ask(self.base, *self.edits[:2])

    def ask(self, base: Any, ours: Any, theirs: Any, *, swap: bool = False, row: Any = None) -> Decision:
        first, second = self.stamps[1::-1] if swap else self.stamps[:2]
        return self.policy.decide(base, ours, theirs, Sides(row or self.row, first, second))

    def arrive(self, base: Any, ours: Any, theirs: Any, stamps: tuple[Stamp, Stamp] = STAMPS[:2]) -> Resolution:
        """Merge a row of which `c` is the column."""
        was, here, mine = ({**self.row, "c": value} for value in (base, ours, theirs))
        return merge(was, here, mine, {"c"}, {"c": self.policy}, Authored(stamps[1], {"c": stamps[0]}))


def is_behind(policy: Policy, later: Any, earlier: Any) -> bool:
    """Say whether `later` is behind `earlier` in the order of the policy, which is that of the values where it has none."""
    if later == earlier:
        return False
    if isinstance(policy, Guarded):
        return not policy.reaches(earlier, later)
    if later is None or earlier is None:
        return later is None
    return bool(later > earlier if isinstance(policy, Lowest) else later < earlier)


def one_sided(clash: Clash) -> bool:
    theirs = clash.edits[1]
    found = clash.arrive(clash.base, clash.base, theirs)
    return theirs == clash.base or (found.row["c"] == theirs and not found.outcomes)


def agrees(clash: Clash) -> bool:
    edit = clash.edits[0]
    return bool(clash.arrive(clash.base, edit, edit).row["c"] == edit)


def commutes(clash: Clash) -> bool:
    here, there = clash.decide(), clash.ask(clash.base, *clash.edits[1::-1], swap=True)
    return (here.parked is None) == (there.parked is None) and (here.parked is not None or here.kept == there.kept)


def in_any_order(clash: Clash) -> bool:
    """A row carries the stamp of whoever wrote the value that it has."""
    if len({clash.base, *clash.edits}) < 4 and not clash.policy.adds:
        return True
    ends = []
    for order in itertools.permutations(zip(clash.edits, clash.stamps, strict=True)):
        here, stamp = clash.base, Stamp(0)
        for edit, written in order:
            found = clash.arrive(clash.base, here, edit, (stamp, written))
            if found.parked:
                return True
            if found.row["c"] != here:
                here, stamp = found.row["c"], written
        ends.append(here)
    return all(end == ends[0] for end in ends)


def repeats(clash: Clash) -> bool:
    ours, theirs, _ = clash.edits
    first = clash.arrive(clash.base, ours, theirs, clash.stamps[:2]).row["c"]
    stamp = clash.stamps[1] if first != ours else clash.stamps[0]
    return bool(clash.arrive(clash.base, first, theirs, (stamp, clash.stamps[1])).row["c"] == first)


def without_the_base(clash: Clash) -> bool:
    return clash.decide() == clash.ask(UNKNOWN, *clash.edits[:2]) == clash.ask(clash.other_base, *clash.edits[:2])


CHECKS: Final[Mapping[Law, Callable[[Clash], bool]]] = {
    Law.PARKED_IS_OURS: lambda clash: clash.decide().parked is None or clash.decide().kept == clash.edits[0],
    Law.ONE_SIDED: one_sided,
    Law.AGREES: agrees,
    Law.COMMUTES: commutes,
    Law.ANY_ORDER: in_any_order,
    Law.REPEATS: repeats,
    Law.INVENTS_NOTHING: lambda clash: clash.decide().kept in clash.edits[:2],
    Law.NEVER_PARKS: lambda clash: clash.decide().parked is None,
    Law.NEVER_BACK: lambda clash: not is_behind(clash.policy, clash.decide().kept, clash.edits[0]),
    Law.BASE_FREE: without_the_base,
    Law.ROW_FREE: lambda clash: clash.decide() == clash.ask(clash.base, *clash.edits[:2], row=clash.other_row),
    Law.TIME_FREE: lambda clash: clash.decide() == clash.ask(clash.base, *clash.edits[:2], swap=True),
}

CLAIMED: Final = [(name, law) for name, kind in KINDS.items() for law in Law if law in kind.policy.LAWS]
OTHERS: Final = [(name, law) for name, kind in KINDS.items() for law in Law if law not in kind.policy.LAWS]


def titles(pairs: list[tuple[str, Law]]) -> list[str]:
    return [f"{name}: {law}" for name, law in pairs]


def small(kind: Kind) -> Iterator[Clash]:
    """Give every clash of the few values."""
    known = kind.policy.LAWS
    stamped = [STAMPS] if Law.TIME_FREE in known else list(itertools.permutations(STAMPS))
    beside = BESIDE[:1] if Law.ROW_FREE in known else BESIDE
    for base, *edits in itertools.product(kind.few, repeat=4):
        for stamps, row in itertools.product(stamped, beside):
            first, second, third = edits
            yield Clash(kind.policy, base, (first, second, third), stamps, row, BESIDE[row is BESIDE[0]], kind.few[0])


@st.composite
def clashes(draw: st.DrawFn, kind: Kind) -> Clash:
    base, first, second, third, other_base = (draw(kind.many) for _ in range(5))
    first_stamp, second_stamp, third_stamp = draw(
        st.permutations([Stamp(at, device) for at in (1, 2, 3) for device in "ab"])
    )[:3]
    row, other = draw(st.permutations(list(BESIDE)))
    stamps = (first_stamp, second_stamp, third_stamp)
    return Clash(kind.policy, base, (first, second, third), stamps, row, other, other_base)


def test_every_policy_and_every_law_is_looked_at() -> None:
    assert [type(kind.policy) for kind in KINDS.values()] == list(ALL)
    assert CHECKS.keys() == set(Law)


@pytest.mark.parametrize(("name", "law"), CLAIMED, ids=titles(CLAIMED))
@settings(max_examples=60)
@given(data=st.data())
def test_law_that_a_policy_lists_holds(name: str, law: Law, data: st.DataObject) -> None:
    clash = data.draw(clashes(KINDS[name]))

    assert not clash.is_one or CHECKS[law](clash), clash


@pytest.mark.parametrize(("name", "law"), CLAIMED, ids=titles(CLAIMED))
def test_law_that_a_policy_lists_holds_of_all_small_clashes(name: str, law: Law) -> None:
    broken = next((clash for clash in small(KINDS[name]) if clash.is_one and not CHECKS[law](clash)), None)

    assert broken is None


@pytest.mark.parametrize(("name", "law"), OTHERS, ids=titles(OTHERS))
def test_law_that_a_policy_does_not_list_can_be_broken(name: str, law: Law) -> None:
    assert any(clash.is_one and not CHECKS[law](clash) for clash in small(KINDS[name])), "it holds: list it"
