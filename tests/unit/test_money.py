"""Money: one rounding, half to even, and prices that agree whatever they are quoted by."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from erp_core.money import PAISA, lint_amount, percent_of, price_per, price_per_candy, to_paise
from erp_core.units import CANDY_KG, KG_OF

PRICES = st.decimals("0.01", 10**6, places=2)


@given(amount=st.decimals(-(10**9), 10**9, places=5))
def test_amount_has_two_places_and_is_moved_by_half_a_paisa_at_most(amount: Decimal) -> None:
    rounded = to_paise(amount)

    assert rounded.as_tuple().exponent == -2
    assert abs(rounded - amount) <= PAISA / 2


def test_halves_go_to_the_even_paisa_both_ways() -> None:
    assert [to_paise(Decimal(x)) for x in ("0.005", "0.015", "-0.005", "-0.015")] == [
        Decimal(x) for x in ("0.00", "0.02", "0.00", "-0.02")
    ]


@given(price=PRICES, unit=st.sampled_from(sorted(KG_OF)))
def test_price_there_and_back_differs_by_less_than_the_rounding(price: Decimal, unit: str) -> None:
    back = price_per_candy(price_per(unit, price), unit)

    assert abs(back - price) <= PAISA / 2 * (1 + CANDY_KG / KG_OF[unit])


@given(bales=st.integers(1, 10_000), price=PRICES)
def test_amount_is_rounded_once(bales: int, price: Decimal) -> None:
    exact = bales * 170 * price / CANDY_KG

    assert abs(lint_amount(bales, Decimal(170), price) - exact) <= PAISA / 2 + Decimal("1e-12")


def test_percentages_are_of_the_whole() -> None:
    assert percent_of(Decimal(200), Decimal(0)) == 0
    assert percent_of(Decimal(200), Decimal(100)) == 200
    assert percent_of(Decimal("0.10"), Decimal(5)) == Decimal("0.00")
