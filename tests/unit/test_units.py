"""Weights: what the trade's units are, and that converting loses less than a step."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.units import BALE_KG, CANDY_KG, KG_OF, bales_in_candies, convert

POUND_KG = Decimal("0.45359237")
CODES = st.sampled_from(sorted(KG_OF))


def test_candy_is_784_pounds_as_the_trade_rounds_them() -> None:
    assert abs(784 * POUND_KG - CANDY_KG) < Decimal("0.005")


def test_bales_of_a_contract_are_weighed_as_it_says() -> None:
    assert bales_in_candies(100, BALE_KG) == 17_000 / CANDY_KG
    assert bales_in_candies(100, Decimal(165)) < bales_in_candies(100, BALE_KG)


def test_unknown_unit_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError):
        convert(Decimal(1), "stone", "kg")


@given(quantity=st.decimals(0, 10**6, places=3), unit=CODES, into=CODES)
def test_conversion_there_and_back_differs_by_less_than_the_rounding(quantity: Decimal, unit: str, into: str) -> None:
    step = Decimal("0.000001")
    there = convert(quantity, unit, into, step=step)

    back = convert(there, into, unit, step=step)

    assert abs(back - quantity) <= step / 2 * (1 + KG_OF[into] / KG_OF[unit])
