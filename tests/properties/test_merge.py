"""Laws of the three-way merge (conflict/merge.py; correctness.md, hole 24)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conflict.merge import Policy, Resolution, merge

COLUMNS = ("a", "b", "c", "d")
VALUES = st.sampled_from([None, 0, 1, "", "x", "y", ("p",), ("p", "q")])
RECORDS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES))
BASES = st.none() | RECORDS
CHANGED = st.sets(st.sampled_from(COLUMNS)).map(frozenset)
POLICIES = st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(Policy))

Record = Mapping[str, Any]


def winner(policies: Mapping[str, Policy], column: str) -> Policy:
    return policies.get(column, Policy.THEIRS)


@given(BASES, RECORDS, RECORDS, CHANGED, POLICIES)
def test_every_value_comes_from_ours_or_theirs(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    row = merge(base, ours, theirs, changed, policies).row

    assert row.keys() == ours.keys()
    assert all(row[column] == ours[column] or row[column] == theirs[column] for column in COLUMNS)


@given(BASES, RECORDS, RECORDS, CHANGED, POLICIES)
def test_column_that_the_replica_did_not_change_stays_ours(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    row = merge(base, ours, theirs, changed, policies).row

    assert all(row[column] == ours[column] for column in COLUMNS if column not in changed)


@given(RECORDS, RECORDS, CHANGED, POLICIES)
def test_change_of_the_replica_alone_wins_without_an_outcome(
    base: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    resolution = merge(base, base, theirs, changed, policies)

    for column in changed:
        if winner(policies, column) is Policy.THEIRS:
            assert resolution.row[column] == theirs[column]
    assert all(outcome.policy is Policy.OURS for outcome in resolution.outcomes)


@given(RECORDS, RECORDS, POLICIES)
def test_change_of_the_server_alone_wins_without_an_outcome(
    base: Record, ours: Record, policies: Mapping[str, Policy]
) -> None:
    """The replica sends its whole row, as WatermelonDB does, and changed nothing."""
    assert merge(base, ours, base, frozenset(COLUMNS), policies) == Resolution(ours, ())


@given(BASES, RECORDS, CHANGED, POLICIES)
def test_equal_rows_agree(
    base: Record | None, ours: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    assert merge(base, ours, dict(ours), changed, policies) == Resolution(ours, ())


@given(BASES, RECORDS, RECORDS, CHANGED, POLICIES)
def test_no_value_vanishes_without_an_outcome(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    resolution = merge(base, ours, theirs, changed, policies)

    told = {outcome.column: outcome for outcome in resolution.outcomes}
    for column in changed:
        ours_is_news = base is None or ours[column] != base[column]
        theirs_is_news = base is None or theirs[column] != base[column]
        if ours_is_news and theirs_is_news and ours[column] != theirs[column]:
            outcome = told[column]
            assert {repr(outcome.kept), repr(outcome.lost)} == {repr(ours[column]), repr(theirs[column])}
        if theirs_is_news and resolution.row[column] != theirs[column]:
            assert told[column].lost == theirs[column]
    assert [outcome.column for outcome in resolution.outcomes] == sorted(told)


@given(BASES, RECORDS, RECORDS, CHANGED, POLICIES)
def test_outcome_says_what_was_kept(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    resolution = merge(base, ours, theirs, changed, policies)

    for outcome in resolution.outcomes:
        assert outcome.policy is winner(policies, outcome.column)
        assert (outcome.ours, outcome.theirs) == (ours[outcome.column], theirs[outcome.column])
        assert resolution.row[outcome.column] == outcome.kept


@given(BASES, RECORDS, RECORDS, CHANGED, POLICIES)
def test_merging_the_same_again_changes_nothing_more(
    base: Record | None, ours: Record, theirs: Record, changed: frozenset[str], policies: Mapping[str, Policy]
) -> None:
    once = merge(base, ours, theirs, changed, policies).row

    assert merge(base, once, theirs, changed, policies).row == once


@given(BASES, RECORDS, RECORDS, st.lists(st.sampled_from(COLUMNS), unique=True), POLICIES)
def test_same_inputs_give_the_same_resolution_in_any_order_and_stay_as_they_were(
    base: Record | None, ours: Record, theirs: Record, changed: list[str], policies: Mapping[str, Policy]
) -> None:
    inputs = copy.deepcopy((base, ours, theirs))

    assert merge(base, ours, theirs, changed, policies) == merge(base, ours, theirs, changed[::-1], policies)

    assert (base, ours, theirs) == inputs
