"""How a replica goes on from its cursor, case by case (engine/cursor.py); laws in tests/properties/test_cursor.py."""

from __future__ import annotations

import pytest

from sync_server.engine.cursor import Course, FromTheFuture, Position, course
from sync_server.store.clock import NEVER_TICKED, Clock


def at(epoch: int, seq: int) -> int:
    return (epoch << 40) + seq


@pytest.mark.parametrize("cursor", [None, 0])
def test_replica_without_a_cursor_begins(cursor: int | None) -> None:
    assert course(cursor, Clock(2, 100, 0), []) is Course.FIRST


@pytest.mark.parametrize("seq", [0, 1, 100])
def test_cursor_of_this_epoch_goes_on(seq: int) -> None:
    assert course(at(2, seq), Clock(2, 100, 0), []) is Course.INCREMENTAL


@pytest.mark.parametrize("cursor", [at(2, 101), at(3, 0), 2**53 - 1])
def test_cursor_above_the_clock_is_refused(cursor: int) -> None:
    with pytest.raises(FromTheFuture):
        course(cursor, Clock(2, 100, 0), [])


def test_cursor_below_the_floor_is_replaced_and_one_at_it_goes_on() -> None:
    clock = Clock(2, 100, at(2, 50))

    assert course(at(2, 49), clock, []) is Course.REPLACEMENT
    assert course(at(2, 50), clock, []) is Course.INCREMENTAL


@pytest.mark.parametrize("milliseconds", [1_400_000_000_000, 1_795_400_000_000, 2_100_000_000_000])
def test_timestamp_of_another_backend_is_unknown_history(milliseconds: int) -> None:
    """Milliseconds from 2004 to 2039 decode as epoch 1, which never was."""
    assert Position.of(milliseconds).epoch == 1
    assert course(milliseconds, Clock(2, 100, 0), []) is Course.REPLACEMENT


def test_cursor_of_an_older_epoch_goes_on_only_up_to_the_fork() -> None:
    clock, forks = Clock(3, 5, 0), [(3, at(2, 80))]

    assert course(at(2, 80), clock, forks) is Course.INCREMENTAL
    assert course(at(2, 81), clock, forks) is Course.REPLACEMENT


def test_of_several_forks_the_deepest_cut_since_the_cursor_decides() -> None:
    clock, forks = Clock(4, 5, 0), [(3, at(2, 80)), (4, at(2, 30))]

    assert course(at(2, 30), clock, forks) is Course.INCREMENTAL
    assert course(at(2, 31), clock, forks) is Course.REPLACEMENT
    assert course(at(3, 1), clock, forks) is Course.REPLACEMENT


def test_epoch_whose_beginning_nobody_noted_is_unknown_history() -> None:
    assert course(at(2, 1), Clock(4, 5, 0), [(4, at(3, 9))]) is Course.REPLACEMENT


def test_organisation_without_a_change_has_a_usable_cursor() -> None:
    assert course(NEVER_TICKED.position, NEVER_TICKED, []) is Course.INCREMENTAL
    assert NEVER_TICKED.position > 0
