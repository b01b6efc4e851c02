"""Laws of exact conversion: nothing is lost on the way, and the one rounding at the end is by half a step at most."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.money import price_per, price_per_candy
from erp_core.rates import exact_price, exact_weight, kilograms_of, rounded
from erp_core.units import KG_OF, convert

CODES = st.sampled_from(sorted(KG_OF))
PRICES = st.decimals(0, 10**7, places=2)
BALES = st.decimals(100, 300, places=2)


@given(price=PRICES, unit=CODES, into=CODES, bale=BALES)
def test_a_price_there_and_back_is_itself(price: Decimal, unit: str, into: str, bale: Decimal) -> None:
    there = exact_price(price, unit, into, bale_weight_kg=bale)

    assert exact_price(there, into, unit, bale_weight_kg=bale) == price


@given(price=PRICES, unit=CODES, over=CODES, into=CODES)
def test_the_way_taken_does_not_matter(price: Decimal, unit: str, over: str, into: str) -> None:
    assert exact_price(exact_price(price, unit, over), over, into) == exact_price(price, unit, into)


@given(price=PRICES, quantity=st.decimals(0, 10**6, places=3), unit=CODES, into=CODES)
def test_an_amount_is_the_same_in_every_unit(price: Decimal, quantity: Decimal, unit: str, into: str) -> None:
    amount = Fraction(price) * Fraction(quantity)

    assert exact_price(price, unit, into) * exact_weight(quantity, unit, into) == amount


@given(price=PRICES, unit=CODES, bale=BALES)
def test_one_rounding_agrees_with_the_figures_for_people(price: Decimal, unit: str, bale: Decimal) -> None:
    assert rounded(exact_price(price, "candy", unit, bale_weight_kg=bale)) == price_per(
        unit, price, bale_weight_kg=bale
    )
    assert rounded(exact_price(price, unit, "candy", bale_weight_kg=bale)) == price_per_candy(
        price, unit, bale_weight_kg=bale
    )


@given(quantity=st.decimals(0, 10**6, places=3), unit=CODES, into=CODES)
def test_weights_agree_with_the_rounded_conversion(quantity: Decimal, unit: str, into: str) -> None:
    assert rounded(exact_weight(quantity, unit, into), 3) == convert(quantity, unit, into)


@given(value=st.fractions(max_denominator=10**6), places=st.integers(0, 6))
def test_rounding_moves_by_half_a_step_at_most(value: Fraction, places: int) -> None:
    result = rounded(value, places)

    assert abs(Fraction(result) - value) <= Fraction(1, 2 * 10**places)
    assert result.as_tuple().exponent == -places


def test_a_bale_without_weight_and_an_unknown_unit_are_the_callers_mistakes() -> None:
    with pytest.raises(ValueError, match="a bale weighs"):
        kilograms_of("bale", Decimal(0))
    with pytest.raises(KeyError):
        kilograms_of("stone")
