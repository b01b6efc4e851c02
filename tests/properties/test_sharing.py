"""Laws of shares: they add up, whatever is divided, and none is off by a paisa."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.sharing import share

AMOUNTS = st.decimals(-(10**11), 10**11, places=2)
WEIGHTS = st.lists(st.decimals(0, 100, places=2), min_size=1, max_size=8).filter(any)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_shares_add_up_to_the_whole(amount: Decimal, weights: list[Decimal]) -> None:
    assert sum(share(amount, weights)) == amount


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_no_share_is_off_by_a_paisa(amount: Decimal, weights: list[Decimal]) -> None:
    total = Fraction(sum(weights))

    for part, weight in zip(share(amount, weights), weights, strict=True):
        assert abs(Fraction(part) - Fraction(amount) * Fraction(weight) / total) < Fraction(1, 100)


@pytest.mark.parametrize("weights", [(), (0, 0), (2, -1)])
def test_weights_that_divide_nothing_are_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        share(Decimal(1), weights)
