"""The budgets of codes, whatever the order of requests: no window has more than it may, and a wait is the truth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync_server.identity.code_rules import (
    DAY,
    HOUR,
    PER_DAY,
    PER_HOUR,
    TRIES,
    TRIES_PER_HOUR,
    WITHIN,
    wait_for_number,
    wait_for_tries,
)
from sync_server.store.codes import Asked, Earlier

PAUSES = st.lists(st.one_of(st.floats(0.001, 60), st.floats(60, 40_000)), max_size=120)


def earlier(sent: list[float], now: float) -> list[Earlier]:
    """What the store gives: those of the last day, newest first."""
    return [Earlier("", "", "", now - at, 0.0) for at in reversed(sent) if now - at < DAY][:PER_DAY]


def most_in_any(window: float, moments: list[float]) -> int:
    return max((sum(start <= each < start + window for each in moments) for start in moments), default=0)


@given(PAUSES)
def test_no_hour_and_no_day_has_more_codes_than_a_number_may_get(pauses: list[float]) -> None:
    now, sent = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if wait_for_number(earlier(sent, now)) == 0:
            sent.append(now)

    assert most_in_any(HOUR - 0.001, sent) <= PER_HOUR
    assert most_in_any(DAY - 0.001, sent) <= PER_DAY


@given(PAUSES)
def test_who_waits_as_told_gets_a_code(pauses: list[float]) -> None:
    now, sent = 0.0, list[float]()
    for pause in pauses:
        now += pause
        wait = wait_for_number(earlier(sent, now))
        if wait > 0:
            assert wait <= DAY
            now += wait + 0.001
            assert wait_for_number(earlier(sent, now)) == 0
        sent.append(now)


def test_a_number_takes_so_few_guesses_a_day_that_none_is_likely_to_be_right() -> None:
    assert PER_DAY * TRIES / 10**6 < 1e-4


@given(st.lists(st.tuples(st.floats(0, WITHIN.total_seconds()), st.integers(0, TRIES)), max_size=PER_DAY))
def test_codes_are_tried_until_the_hour_is_full(requests: list[tuple[float, int]]) -> None:
    asked = [Asked("", "", "", b"", "", "", "", tries, True, ago) for ago, tries in requests]
    wait = wait_for_tries(asked)

    assert (wait == 0) or (sum(tries for _, tries in requests) >= TRIES_PER_HOUR)
    assert 0 <= wait <= WITHIN.total_seconds()
