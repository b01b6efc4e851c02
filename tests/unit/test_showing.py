"""What a replica hears of one record, case by case: seen then or not, seen now or not, moved or not, its own or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erp_core.catalogue import BY_NAME
from sync_server.engine.entitlements import View, full_mask, hidden_fields
from sync_server.engine.showing import Gaze, Moved, decide, turned
from sync_server.store.feed import Candidate

TRADE = BY_NAME["trade"]
FULL = full_mask(TRADE)
CURSOR = 100
HERE, THERE = "branch:here", "branch:there"
OLD = Candidate("trades", "t", "{}", ("branch", HERE), (), 50, 50, "somebody", None, 110)
"""A record of `here` that was there at the cursor and changed since."""


def gaze(now: dict[str, int], then: dict[str, int] | None = None) -> Gaze:
    return Gaze(View(TRADE, now), View(TRADE, now if then is None else then))


def told(candidate: Candidate, seen: Gaze, *carried: str) -> str:
    moved = decide(seen, candidate, "me", CURSOR, carried)
    if moved is None:
        return "nothing"
    return "deleted" if moved.payload is None else "created" if moved.new else "updated"


def test_record_of_ones_scope_that_changed_is_updated() -> None:
    assert told(OLD, gaze({HERE: FULL})) == "updated"


def test_record_of_another_scope_is_not_told_of() -> None:
    assert told(OLD, gaze({THERE: FULL})) == "nothing"


def test_record_made_since_the_cursor_is_created() -> None:
    assert told(replace(OLD, created_position=105, relabelled=105), gaze({HERE: FULL})) == "created"


def test_ones_own_record_made_since_the_cursor_is_updated_and_deleted_if_it_is_no_longer_ones_own() -> None:
    own = replace(OLD, created_position=105, relabelled=105, author="me")

    assert told(own, gaze({HERE: FULL})) == "updated"
    assert told(replace(own, scopes=("branch", THERE), past=(HERE,)), gaze({HERE: FULL})) == "deleted"


def test_record_that_came_from_elsewhere_is_created() -> None:
    arrived = replace(OLD, past=(THERE,), relabelled=110)

    assert told(arrived, gaze({HERE: FULL}), THERE) == "created"


def test_record_that_went_elsewhere_is_deleted() -> None:
    left = replace(OLD, scopes=("branch", THERE), past=(HERE,), relabelled=110)

    assert told(left, gaze({HERE: FULL}), HERE) == "deleted"


def test_record_that_came_and_went_between_two_pulls_is_not_told_of() -> None:
    passed = replace(OLD, scopes=("branch", THERE), past=(HERE,), relabelled=110)

    assert told(passed, gaze({HERE: FULL}), THERE) == "nothing"


def test_deleted_record_is_told_to_who_saw_it_and_to_nobody_else() -> None:
    gone = replace(OLD, payload=None, scopes=(), past=("branch", HERE), relabelled=110)

    assert told(gone, gaze({HERE: FULL}), HERE) == "deleted"
    assert told(gone, gaze({THERE: FULL}), HERE) == "nothing"
    assert told(gone, gaze({"branch": FULL}), HERE) == "deleted"


def test_record_that_was_made_and_deleted_since_the_cursor_is_not_told_of() -> None:
    gone = replace(OLD, payload=None, scopes=(), past=("branch", HERE), created_position=105, relabelled=110)

    assert told(gone, gaze({HERE: FULL})) == "nothing"
    assert told(gone, gaze({"branch": FULL, HERE: FULL})) == "nothing"


def test_record_of_a_scope_that_was_given_is_created_though_it_did_not_move() -> None:
    assert told(replace(OLD, position=60), gaze({HERE: FULL}, {})) == "created"


def test_record_of_a_scope_that_was_taken_is_deleted_unless_another_one_shows_it() -> None:
    still = replace(OLD, position=60)

    assert told(still, gaze({}, {HERE: FULL})) == "deleted"
    assert told(still, gaze({"branch": FULL}, {HERE: FULL, "branch": FULL})) == "nothing"


@pytest.mark.parametrize(("now", "then"), [(1, FULL), (FULL, 1)])
def test_fields_that_come_or_go_update_the_record(now: int, then: int) -> None:
    still = replace(OLD, position=60)

    assert told(still, gaze({HERE: now}, {HERE: then})) == "updated"
    assert decide(gaze({HERE: now}, {HERE: then}), still, "me", CURSOR, ()) == Moved(
        "trades", "t", "{}", new=False, blanks=hidden_fields(TRADE, now)
    )


@pytest.mark.parametrize(("revive", "told_as"), [(True, "created"), (False, "updated")])
def test_record_to_be_sent_again_comes_as_it_is_or_is_deleted_if_it_is_not_ones_own(revive: bool, told_as: str) -> None:
    again = replace(OLD, revive=revive)

    assert told(again, gaze({HERE: FULL})) == told_as
    assert told(again, gaze({THERE: FULL})) == "deleted"
    assert told(replace(again, payload=None), gaze({HERE: FULL})) == "deleted"


def test_labels_at_the_cursor_are_asked_for_only_where_they_may_have_been_others() -> None:
    assert not turned(OLD, CURSOR)
    assert not turned(replace(OLD, created_position=105, relabelled=105), CURSOR), "it is new: it carried none"
    assert turned(replace(OLD, relabelled=105), CURSOR)
    assert turned(replace(OLD, created_position=105, relabelled=105, past=(HERE,)), CURSOR), "made anew"
