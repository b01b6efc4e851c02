"""Laws of the tax split: parts add up, inside a state it is two halves, between states it is one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.gst import (
    ONE_STATE,
    WITHOUT_LEGISLATURE,
    PaidBy,
    gst,
    payer_for_raw_cotton,
    place_of_goods,
    state_code,
)
from erp_core.india import GST_STATES
from erp_core.money import percent_of

AMOUNTS = st.decimals(0, 10**10, places=2)
RATES = st.decimals(0, 40, places=2)
CODES = st.sampled_from(sorted(GST_STATES))


@given(amount=AMOUNTS, rate=RATES, supplier=CODES, place=CODES)
def test_the_parts_are_the_whole(amount: Decimal, rate: Decimal, supplier: str, place: str) -> None:
    tax = gst(amount, rate, supplier=supplier, place=place)

    assert tax.cgst + tax.sgst + tax.utgst + tax.igst == tax.total == percent_of(amount, rate)
    assert not tax.sgst or not tax.utgst


@given(amount=AMOUNTS, rate=RATES, supplier=CODES, place=CODES)
def test_a_state_shares_with_the_centre_and_between_states_the_tax_is_one(
    amount: Decimal, rate: Decimal, supplier: str, place: str
) -> None:
    tax = gst(amount, rate, supplier=supplier, place=place)

    if ONE_STATE.get(supplier, supplier) == ONE_STATE.get(place, place):
        assert not tax.igst
        assert 0 <= tax.cgst - tax.sgst - tax.utgst <= Decimal("0.01")
    else:
        assert tax.igst == tax.total


@pytest.mark.parametrize("code", sorted(WITHOUT_LEGISLATURE))
def test_a_union_territory_without_a_legislature_takes_utgst(code: str) -> None:
    tax = gst(Decimal(100), Decimal(5), supplier=code, place=code)

    assert (tax.cgst, tax.sgst, tax.utgst) == (Decimal("2.50"), Decimal("0.00"), Decimal("2.50"))


@pytest.mark.parametrize("code", ["01", "07", "34"])
def test_a_union_territory_with_a_legislature_takes_sgst(code: str) -> None:
    assert gst(Decimal(100), Decimal(5), supplier=code, place=code).sgst == Decimal("2.50")


def test_reverse_charge_leaves_the_tax_off_the_invoice() -> None:
    payer = payer_for_raw_cotton(from_agriculturist=True, to_registered=True)
    tax = gst(Decimal(100), Decimal(5), supplier="24", place="24", paid_by=payer)

    assert (tax.total, tax.charged) == (Decimal("5.00"), Decimal("0.00"))
    assert gst(Decimal(100), Decimal(5), supplier="24", place="24").charged == Decimal("5.00")
    assert payer_for_raw_cotton(from_agriculturist=False, to_registered=True) is PaidBy.SUPPLIER
    assert payer_for_raw_cotton(from_agriculturist=True, to_registered=False) is PaidBy.SUPPLIER


def test_goods_are_supplied_where_they_arrive_unless_another_is_billed() -> None:
    assert place_of_goods("33") == "33"
    assert place_of_goods("33", billed_to="27AAPFU0939F1ZV") == "27"
    with pytest.raises(ValueError, match="no state code"):
        state_code("99AAPFU0939F1ZV")
