"""Laws of brokerage: shares add up, more never earns less, the minimum holds, slabs join without a step."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.brokerage import Basis, Slab, Structure, brokerage, tax_on

RATES = st.decimals(0, 5, places=2)
VALUES = st.decimals(0, 10**9, places=2)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    above = sorted(draw(st.sets(st.integers(1, 10**8), max_size=4)))
    slabs = tuple(Slab(Decimal(start), draw(RATES)) for start in (0, *above))
    shares = draw(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any))
    return Structure(draw(st.sampled_from(Basis)), slabs, draw(st.decimals(0, 10**4, places=2)), *shares)


@given(structure=structures(), value=VALUES, bales=st.integers(0, 10**5))
def test_both_sides_owe_the_whole_and_the_minimum_holds(structure: Structure, value: Decimal, bales: int) -> None:
    earned = brokerage(structure, value=value, bales=bales, candies=Fraction(bales, 2))

    assert earned.buyer + earned.seller == earned.total
    assert earned.total >= structure.minimum or not earned.lines
    assert earned.buyer == 0 or structure.buyer_share
    assert earned.seller == 0 or structure.seller_share


@given(structure=structures(), values=st.tuples(VALUES, VALUES))
def test_more_never_earns_less(structure: Structure, values: tuple[Decimal, Decimal]) -> None:
    less, more = (
        brokerage(structure, value=value, bales=int(value), candies=Fraction(value)).total for value in sorted(values)
    )

    assert less <= more


@given(structure=structures(), value=VALUES)
def test_the_lines_cover_the_whole_quantity(structure: Structure, value: Decimal) -> None:
    earned = brokerage(structure, value=value, bales=int(value), candies=Fraction(value))
    quantity = int(value) if structure.basis is Basis.RUPEES_PER_BALE else Fraction(value)

    assert sum(line.quantity for line in earned.lines) == quantity


def test_a_small_trade_earns_the_minimum_and_no_trade_nothing() -> None:
    structure = Structure(Basis.RUPEES_PER_BALE, (Slab(Decimal(0), Decimal(20)),), Decimal(500), 0, 1)

    small = brokerage(structure, value=Decimal(1), bales=10, candies=Fraction(5))
    none = brokerage(structure, value=Decimal(0), bales=0, candies=Fraction(0))

    assert (small.total, small.seller, small.raised) == (Decimal("500.00"), Decimal("500.00"), True)
    assert (none.total, none.raised) == (Decimal("0.00"), False)


def test_tax_on_brokerage_follows_who_pays() -> None:
    assert tax_on(Decimal(1000), broker="24", payer="24").cgst == Decimal("90.00")
    assert tax_on(Decimal(1000), broker="24", payer="27").igst == Decimal("180.00")


@pytest.mark.parametrize(
    ("slabs", "minimum", "shares", "fault"),
    [
        ((), 0, (1, 1), "begins at 0"),
        (((1, 1),), 0, (1, 1), "begins at 0"),
        (((0, 1), (0, 2)), 0, (1, 1), "ascend"),
        (((0, -1),), 0, (1, 1), "0 or more"),
        (((0, 1),), -1, (1, 1), "0 or more"),
        (((0, 1),), 0, (0, 0), "somebody"),
        (((0, 1),), 0, (-1, 2), "somebody"),
    ],
)
def test_an_impossible_structure_is_refused(
    slabs: tuple[tuple[int, int], ...], minimum: int, shares: tuple[int, int], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        Structure(
            Basis.PERCENT_OF_VALUE, tuple(Slab(Decimal(a), Decimal(r)) for a, r in slabs), Decimal(minimum), *shares
        )
