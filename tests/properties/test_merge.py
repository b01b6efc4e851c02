"""Laws of the three-way merge, for every policy (conflict/merge.py, conflict/policies.py; correctness.md, hole 24)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.merge import Authored, Resolution, merge
from conflict.policies import (
    ALL,
    OURS,
    THEIRS,
    UNKNOWN,
    Bag,
    Condition,
    Guarded,
    Highest,
    Locked,
    Lowest,
    Newest,
    Once,
    Policy,
    Prose,
    Reviewed,
    Sides,
    Stamp,
    Tally,
)

Record = Mapping[str, Any]

LIFE = Guarded(
    {"new": ("open", "off"), "open": ("held", "done", "off"), "held": ("open", "done"), "done": (), "off": ()}, ("off",)
)
WORDS = st.lists(st.sampled_from(["dry", "damp", "yard,", "  ", "\n"]), max_size=6).map(" ".join)
KINDS: Mapping[str, tuple[Policy, st.SearchStrategy[Any]]] = {
    "theirs": (THEIRS, st.sampled_from([None, "x", "y", "z"])),
    "ours": (OURS, st.integers(0, 3)),
    "newest": (Newest(), st.integers(0, 3)),
    "tally": (Tally(0, "most"), st.integers(0, 9)),
    "bag": (Bag(), st.sets(st.sampled_from("abcd")).map(lambda words: tuple(sorted(words)))),
    "highest": (Highest(), st.none() | st.integers(0, 3)),
    "lowest": (Lowest(), st.none() | st.integers(0, 3)),
    "prose": (Prose(), WORDS.map(lambda text: text or None)),
    "guarded": (LIFE, st.sampled_from(sorted(LIFE.moves))),
    "once": (Once(), st.none() | st.sampled_from("pq")),
    "locked": (Locked(Condition("guarded", ("new",), unless=True)), st.integers(0, 3)),
    "reviewed": (Reviewed(), st.integers(0, 3)),
    "most": (THEIRS, st.just(12)),
}
"""Column -> its policy and its values: one column of every policy."""

POLICIES = {column: policy for column, (policy, _) in KINDS.items()}
RECORDS = st.fixed_dictionaries({column: values for column, (_, values) in KINDS.items()})
CHANGED = st.sets(st.sampled_from(sorted(KINDS))).map(frozenset)
STAMPS = st.builds(Stamp, st.integers(0, 3), st.sampled_from("ab"))
AUTHORED = st.builds(Authored, STAMPS, st.fixed_dictionaries({"newest": STAMPS}))
FROZEN = {column for column, policy in POLICIES.items() if policy.frozen}


def test_every_policy_is_looked_at() -> None:
    assert {type(policy) for policy in POLICIES.values()} == set(ALL)


@given(st.none() | RECORDS, RECORDS, RECORDS, CHANGED, AUTHORED)
def test_column_that_the_replica_did_not_change_stays_ours(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], authored: Authored
) -> None:
    row = merge(base, ours, theirs, changed, POLICIES, authored).row

    assert row.keys() == ours.keys()
    assert all(row[column] == ours[column] for column in KINDS if column not in changed)


@given(RECORDS, RECORDS, CHANGED)
def test_change_of_the_replica_alone_wins_unless_something_forbids_it(
    base: Record, theirs: Record, changed: frozenset[str]
) -> None:
    resolution = merge(base, base, theirs, changed, POLICIES)

    assert all(resolution.row[column] == theirs[column] for column in changed - FROZEN)
    assert {outcome.column for outcome in resolution.outcomes} <= FROZEN


@given(RECORDS, RECORDS)
def test_change_of_the_server_alone_wins_without_an_outcome(base: Record, ours: Record) -> None:
    """The replica sends its whole row, as WatermelonDB does, and changed nothing."""
    assert merge(base, ours, base, frozenset(KINDS), POLICIES) == Resolution(ours, ())


@given(st.none() | RECORDS, RECORDS, CHANGED)
def test_equal_rows_agree(base: Record | None, ours: Record, changed: frozenset[str]) -> None:
    """But for counts: whoever wrote the same number added the same again."""
    agreeing = {column for column in changed if not POLICIES[column].adds}
    assert merge(base, ours, dict(ours), agreeing, POLICIES) == Resolution(ours, ())


@given(st.none() | RECORDS, RECORDS, RECORDS, CHANGED, AUTHORED)
def test_no_value_vanishes_without_an_outcome(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], authored: Authored
) -> None:
    resolution = merge(base, ours, theirs, changed, POLICIES, authored)

    told = {outcome.column: outcome for outcome in resolution.outcomes}
    for column in changed:
        seen = UNKNOWN if base is None else base[column]
        if theirs[column] not in (seen, ours[column]) and (ours[column] != seen or column in FROZEN):
            assert column in told or resolution.row[column] == theirs[column]
        if column in told:
            one = told[column]
            assert (one.base, one.ours, one.theirs) == (seen, ours[column], theirs[column])
            assert one.kept == resolution.row[column]


@given(st.none() | RECORDS, RECORDS, RECORDS, CHANGED, AUTHORED)
def test_what_is_parked_is_ours(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], authored: Authored
) -> None:
    resolution = merge(base, ours, theirs, changed, POLICIES, authored)

    assert all(resolution.row[outcome.column] == ours[outcome.column] for outcome in resolution.parked)
    assert resolution.row["ours"] == ours["ours"], "a column of the server's own never moves"


@given(st.none() | RECORDS, RECORDS, RECORDS, CHANGED, AUTHORED)
def test_same_inputs_give_the_same_and_stay_as_they_were(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], authored: Authored
) -> None:
    before = copy.deepcopy((base, ours, theirs))
    once = merge(base, ours, theirs, changed, POLICIES, authored)

    assert merge(base, ours, theirs, changed, POLICIES, authored) == once
    assert (base, ours, theirs) == before


@given(RECORDS, RECORDS, RECORDS, CHANGED, AUTHORED)
def test_merged_again_it_changes_nothing(
    base: Record, ours: Record, theirs: Record, changed: frozenset[str], authored: Authored
) -> None:
    """A push that comes twice: its replica's own write is by then its base."""
    row = merge(base, ours, theirs, changed, POLICIES, authored).row

    assert merge(theirs, row, theirs, changed, POLICIES, authored) == Resolution(row, ())


@pytest.mark.parametrize("column", ["newest", "tally", "bag", "highest", "lowest", "prose", "guarded"])
@given(data=st.data())
def test_order_of_the_sides_does_not_matter(column: str, data: st.DataObject) -> None:
    policy, values = KINDS[column]
    base, one, other = (data.draw(values) for _ in range(3))
    first, second = Stamp(1, "a"), Stamp(2, "b")
    row = {"most": 12}
    here = policy.decide(base, one, other, Sides(row, first, second))
    there = policy.decide(base, other, one, Sides(row, second, first))

    if one != other and base not in (one, other):
        assert here.parked == there.parked
        assert here.parked is not None or here.kept == there.kept


@given(st.integers(0, 9), st.integers(-3, 3))
def test_two_equal_changes_of_a_count_are_two(base: int, added: int) -> None:
    """Two agents who each sell ten bales of the same hundred leave the same ninety, and have sold twenty."""
    moved = {"bales": base + added}
    resolution = merge({"bales": base}, moved, moved, {"bales"}, {"bales": Tally()})

    assert resolution.row["bales"] == base + 2 * added


@given(*(st.integers(0, 9) for _ in range(3)))
def test_tally_stays_within_its_bounds(base: int, ours: int, theirs: int) -> None:
    decision = Tally(0, 12).decide(base, ours, theirs, Sides({}))

    assert decision.parked or 0 <= decision.kept <= 12


@given(*(st.sampled_from(sorted(LIFE.moves)) for _ in range(3)))
def test_state_that_is_kept_can_be_reached_from_both(base: str, ours: str, theirs: str) -> None:
    decision = LIFE.decide(base, ours, theirs, Sides({}))

    if decision.parked is None:
        assert LIFE.reaches(ours, decision.kept)
        assert LIFE.reaches(theirs, decision.kept)


@given(st.permutations([("a",), ("b", "c"), ("c", "d")]), st.sets(st.sampled_from("abcd")))
def test_bags_of_three_replicas_come_out_the_same_in_every_order(order: list[tuple[str, ...]], base: set[str]) -> None:
    was = tuple(sorted(base))
    row = was
    for theirs in order:
        row = merge({"b": was}, {"b": row}, {"b": theirs}, {"b"}, {"b": Bag()}).row["b"]
    removed = base - frozenset.intersection(*map(frozenset, order))

    assert set(row) == (base - removed) | (set().union(*order) - base)
