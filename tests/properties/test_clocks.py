"""When a change was authored (conflict/clocks.py; correctness.md, holes 26 and 27): corrected, and bounded."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.clocks import EARLIEST_MS, authored, skew_ms

DAY_MS = 86_400_000
NOW = 1_800_000_000_000
MOMENTS = st.integers(NOW - 300 * DAY_MS, NOW)
SKEWS = st.integers(-20 * 365 * DAY_MS, 20 * 365 * DAY_MS)


@given(MOMENTS, SKEWS)
def test_clock_that_is_off_by_any_amount_is_corrected_exactly(truly: int, behind: int) -> None:
    claimed, sent_at = truly - behind, NOW - behind
    if not 0 < claimed < 2**53:
        return

    assert authored(claimed, skew_ms(sent_at, NOW), NOW, "phone").at == truly


@given(st.integers() | st.floats() | st.text() | st.none() | st.booleans() | st.lists(st.integers()), SKEWS)
def test_whatever_is_claimed_it_is_dated_between_the_first_app_and_its_receipt(claimed: Any, skew: int) -> None:
    stamp = authored(claimed, skew, NOW, "phone")

    assert EARLIEST_MS <= stamp.at <= NOW
    assert (type(stamp.at), stamp.device) == (int, "phone")


@given(MOMENTS, MOMENTS, SKEWS)
def test_two_claims_of_one_device_keep_their_order_unless_the_bounds_make_them_equal(
    one: int, other: int, skew: int
) -> None:
    first, second = sorted((one, other))
    stamps = authored(first, skew, NOW, "phone").at, authored(second, skew, NOW, "phone").at

    assert stamps[0] <= stamps[1] or first + skew < EARLIEST_MS


@pytest.mark.parametrize(
    "claimed",
    [0, -1, 1, 86_400_000, EARLIEST_MS - 1, 2**53, math.nan, math.inf, True, "1700000000000", None, [NOW], {}],
)
def test_claim_that_is_no_moment_of_the_apps_life_says_nothing(claimed: Any) -> None:
    assert authored(claimed, 0, NOW, "phone").at == NOW


def test_first_and_last_moment_that_count() -> None:
    assert authored(EARLIEST_MS, 0, NOW, "phone").at == EARLIEST_MS
    assert authored(float(EARLIEST_MS) + 0.75, 0, NOW, "phone").at == EARLIEST_MS
    assert authored(2**53 - 1, NOW - 2**53, NOW, "phone").at == NOW - 1
    assert authored(1, EARLIEST_MS, NOW, "phone").at == EARLIEST_MS + 1
    assert authored(0, EARLIEST_MS, NOW, "phone").at == NOW
    assert authored(2**53, EARLIEST_MS - 2**53, NOW, "phone").at == NOW


def test_device_that_does_not_say_what_its_clock_shows_is_not_corrected() -> None:
    assert skew_ms(None, NOW) == 0
    assert skew_ms(NOW + 5, NOW) == -5
