"""Each policy by itself: what it exports, and the corners of what it decides that the doctests leave out."""

from __future__ import annotations

from typing import Any

import pytest

from conflict.merge import Authored, Outcome, merge
from conflict.policies import (
    ALL,
    UNKNOWN,
    Bag,
    Condition,
    Decision,
    Guarded,
    Highest,
    Locked,
    Lowest,
    Newest,
    Once,
    Ours,
    Policy,
    Prose,
    Reviewed,
    Sides,
    Stamp,
    Tally,
    Theirs,
)

LIFE = Guarded({"draft": ("open", "off"), "open": ("done", "off"), "done": (), "off": ()}, ("off",))
NOT_DRAFT = Condition("state", ("draft",), unless=True)
EXPORTED: list[tuple[Policy, dict[str, Any]]] = [
    (Theirs(), {"policy": "theirs"}),
    (Ours(), {"policy": "ours"}),
    (Newest(), {"policy": "newest"}),
    (Bag(), {"policy": "bag"}),
    (Highest(), {"policy": "highest"}),
    (Lowest(), {"policy": "lowest"}),
    (Prose(), {"policy": "prose"}),
    (Once(), {"policy": "once"}),
    (Reviewed(), {"policy": "reviewed"}),
    (Tally(0, "bales"), {"policy": "tally", "least": 0, "most": "bales"}),
    (Tally(), {"policy": "tally", "least": None, "most": None}),
    (Locked(NOT_DRAFT), {"policy": "locked", "when": {"column": "state", "values": ["draft"], "unless": True}}),
    (
        LIFE,
        {
            "policy": "guarded",
            "moves": {"draft": ["open", "off"], "open": ["done", "off"], "done": [], "off": []},
            "order": ["draft", "open", "done", "off"],
            "breaks": ["off"],
        },
    ),
]


@pytest.mark.parametrize(("policy", "document"), EXPORTED)
def test_policy_is_exported_as_the_phone_reads_it(policy: Policy, document: dict[str, Any]) -> None:
    assert policy.as_json() == document


def test_every_policy_is_exported_here() -> None:
    assert {type(policy) for policy, _ in EXPORTED} == set(ALL)


def test_unknown_is_shown_as_what_it_is() -> None:
    assert repr(UNKNOWN) == "UNKNOWN"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "most", "decided"),
    [
        (None, 3, 4, None, Decision(7)),
        (3, None, 4, None, Decision(1)),
        (3, 4, None, None, Decision(1)),
        (5, 3, 2, None, Decision(0)),
        (5, 2, 2, None, Decision(2, "out_of_bounds")),
        (0, 6, 4, 10, Decision(10)),
        (0, 6, 5, 10, Decision(6, "out_of_bounds")),
        (UNKNOWN, 6, 5, 10, Decision(6, "base_unknown")),
    ],
)
def test_counts_are_added_up_within_their_bounds(
    base: Any, ours: Any, theirs: Any, most: Any, decided: Decision
) -> None:
    assert Tally(0, most).decide(base, ours, theirs, Sides({})) == decided
    assert Tally(0, "most").decide(base, ours, theirs, Sides({"most": most})) == decided


def test_count_without_bounds_goes_below_nothing() -> None:
    assert Tally().decide(5, 1, 1, Sides({})) == Decision(-3)


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (Stamp(2, "a"), Stamp(1, "b"), "ours"),
        (Stamp(1, "a"), Stamp(2, "a"), "theirs"),
        (Stamp(1, "b"), Stamp(1, "a"), "ours"),
        (Stamp(1, "a"), Stamp(1, "b"), "theirs"),
        (Stamp(1, "a"), Stamp(1, "a"), "theirs"),
    ],
)
def test_newest_goes_by_moment_then_device(ours: Stamp, theirs: Stamp, kept: str) -> None:
    assert Newest().decide("was", "ours", "theirs", Sides({}, ours, theirs)) == Decision(kept)


@pytest.mark.parametrize(
    ("ours", "theirs", "decided"),
    [
        ("open", "done", Decision("done")),
        ("done", "open", Decision("done")),
        ("off", "open", Decision("off", "no_common_state")),
        ("open", "off", Decision("open", "no_common_state")),
        ("done", "off", Decision("done", "no_common_state")),
        ("open", "nowhere", Decision("open", "no_common_state")),
        ("nowhere", "open", Decision("nowhere", "no_common_state")),
    ],
)
def test_states_meet_where_both_can_go_and_nothing_is_broken_off_unasked(
    ours: str, theirs: str, decided: Decision
) -> None:
    assert LIFE.decide("draft", ours, theirs, Sides({})) == decided


def test_of_two_states_in_a_circle_the_further_one_stays() -> None:
    papers = Guarded({"pending": ("verified",), "verified": ("lapsed",), "lapsed": ("verified",)})
    assert papers.decide("pending", "lapsed", "verified", Sides({})) == Decision("lapsed")
    assert papers.decide("pending", "verified", "lapsed", Sides({})) == Decision("lapsed")


def test_state_that_follows_stays_though_it_is_declared_before_the_other() -> None:
    unsorted = Guarded({"done": (), "open": ("done",), "draft": ("open",)})
    assert unsorted.decide("draft", "open", "done", Sides({})) == Decision("done")
    assert unsorted.decide("draft", "done", "open", Sides({})) == Decision("done")


def test_state_of_one_side_alone_is_taken_and_an_unknown_base_waits() -> None:
    assert LIFE.decide("draft", None, "open", Sides({})) == Decision("open")
    assert LIFE.decide("draft", "open", None, Sides({})) == Decision("open")
    assert LIFE.decide(UNKNOWN, "open", "done", Sides({})) == Decision("open", "base_unknown")


def test_prose_takes_none_for_an_empty_text() -> None:
    assert Prose().decide(None, None, "wet", Sides({})) == Decision("wet")
    assert Prose().decide("dry", "dry", None, Sides({})) == Decision(None)
    assert Prose().decide("dry", None, "dry yard", Sides({})) == Decision(None, "overlapping_edits")
    assert Prose().decide(UNKNOWN, "dry", "wet", Sides({})) == Decision("dry", "base_unknown")


def test_state_is_reached_by_itself_and_by_steps() -> None:
    assert LIFE.reaches("draft", "draft")
    assert LIFE.reaches("draft", "done")
    assert not LIFE.reaches("done", "draft")
    assert not LIFE.reaches("nowhere", "done")


def test_first_value_stays() -> None:
    assert Once().decide(None, None, "T-18", Sides({})) == Decision("T-18")
    assert Once().decide(None, "T-17", "T-18", Sides({})) == Decision("T-17", "set_once")
    assert Once().decide("T-17", "T-17", None, Sides({})) == Decision("T-17", "set_once")


# --- What merge hands to them -----------------------------------------------------------------------------------------


def test_outcomes_are_in_column_order_and_name_their_policy() -> None:
    base, ours, theirs = {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}, {"a": 3, "b": 3, "c": 1}
    outcomes = merge(base, ours, theirs, ("c", "b", "a"), {"a": Highest()}).outcomes

    assert outcomes == (Outcome("a", "highest", 1, 2, 3, 3), Outcome("b", "theirs", 1, 2, 3, 3))


def test_value_of_which_nobody_knows_when_it_was_written_is_older_than_any() -> None:
    dated = Authored(Stamp(1, "phone"), {"b": Stamp(2, "desk")})
    row = merge({"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 2}, "ab", {"a": Newest(), "b": Newest()}, dated).row

    assert row == {"a": 2, "b": 1}
