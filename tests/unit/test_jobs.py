"""Kinds of jobs: when one that failed is tried again, and when a schedule comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sync_server.engine.jobs import Kind, plain
from sync_server.store.job_queue import Job


async def _nothing(_: Job) -> None:
    """Do nothing."""


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delays_grow_to_a_longest_and_are_spread_over_their_latter_half(failures: int, chance: float) -> None:
    kind = Kind("k", _nothing)
    delay = kind.delay(failures, chance)

    whole = min(timedelta(seconds=5) * 2 ** min(failures - 1, 20), timedelta(hours=1))
    assert whole / 2 <= delay <= whole


def test_a_job_is_lost_only_if_it_was_taken_more_often_than_its_tries_explain() -> None:
    kind = Kind("k", _nothing)

    assert not kind.is_lost(failures=0, taken=3)
    assert kind.is_lost(failures=0, taken=4)
    assert not kind.is_lost(failures=5, taken=8)


def test_a_schedule_comes_next_at_its_next_moment() -> None:
    hourly = Kind("k", _nothing, cron="17 * * * *")

    assert hourly.until_next(datetime(2026, 11, 24, 10, 16, 30, tzinfo=UTC)) == timedelta(seconds=30)
    assert hourly.until_next(datetime(2026, 11, 24, 10, 17, tzinfo=UTC)) == timedelta(hours=1)


def test_what_is_kept_of_a_failure_is_its_first_line() -> None:
    assert plain(ValueError("wrong\nDETAIL: Failing row contains (x)")) == "ValueError: wrong"
