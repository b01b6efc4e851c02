"""Laws of settling: no rupee is lost or counted twice, the oldest debt is paid first."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from erp_core.allocation import Due, Paid, allocate
from erp_core.brokerage import Basis, Slab, Structure, brokerage
from erp_core.gst import PaidBy
from erp_core.settlement import OpenTrade, Parties, Supplied, credit_exposure, settle

RUPEES = st.decimals(0, 10**7, places=2)
ROWS = st.lists(st.tuples(st.integers(0, 9), RUPEES), max_size=8)
START = date(2026, 4, 1)
SIDES = Parties("33", "24")


def _supplied(what: str, rupees: Decimal) -> Supplied:
    return Supplied(what, rupees, Decimal(5), "33")


GOODS = _supplied("goods", Decimal("2963837.80"))


@given(dues=ROWS, pays=ROWS)
def test_every_rupee_is_somewhere_and_the_oldest_debt_goes_first(
    dues: list[tuple[int, Decimal]], pays: list[tuple[int, Decimal]]
) -> None:
    invoices = [Due(f"i{n}", START + timedelta(days), rupees) for n, (days, rupees) in enumerate(dues)]
    payments = [Paid(f"p{n}", START + timedelta(days), rupees) for n, (days, rupees) in enumerate(pays)]

    found = allocate(invoices, payments)

    by_invoice = {i.id: sum(a.rupees for a in found.allocations if a.invoice == i.id) for i in invoices}
    by_payment = {p.id: sum(a.rupees for a in found.allocations if a.payment == p.id) for p in payments}
    assert all(by_invoice[i.id] + found.open.get(i.id, 0) == i.rupees for i in invoices)
    assert all(by_payment[p.id] + found.on_account.get(p.id, 0) == p.rupees for p in payments)
    assert not (found.open and found.on_account)
    assert all(a.rupees > 0 for a in found.allocations)
    touched = [i for i in sorted(invoices, key=lambda i: (i.due, i.id)) if i.rupees]
    assert not any(found.open.get(a.id) and by_invoice[b.id] for a, b in pairwise(touched))
    assert allocate(invoices[::-1], payments[::-1]) == found


@given(quality=st.decimals(-1000, 1000, places=2), weight=st.decimals(-1000, 1000, places=2), paid=st.lists(RUPEES))
def test_what_is_owed_moves_by_what_is_taken_off_and_its_tax(
    quality: Decimal, weight: Decimal, paid: list[Decimal]
) -> None:
    moves = [_supplied("quality", quality), _supplied("weight", weight)]

    (account,) = settle(SIDES, [GOODS, *moves], paid=paid)
    (full,) = settle(SIDES, [GOODS])

    moved = full.balance - account.balance - sum(paid)
    assert abs(moved + (quality + weight) * Decimal("1.05")) <= Decimal("0.01")
    assert sum(line.rupees for line in account.lines) == account.balance


def test_reverse_charge_and_the_broker_have_their_own_lines() -> None:
    earned = brokerage(
        Structure(Basis.RUPEES_PER_BALE, (Slab(Decimal(0), Decimal(20)),)),
        value=Decimal(0),
        bales=100,
        candies=Fraction(0),
    )

    sides = Parties("33", "24", "24")
    goods, buyer, seller = settle(sides, [GOODS], paid_by=PaidBy.RECIPIENT, earned=earned)

    assert [line.what for line in goods.lines] == ["goods"]
    assert (buyer.debtor, buyer.balance) == ("buyer", Decimal("1180.00"))
    assert (seller.debtor, seller.balance) == ("seller", Decimal("1180.00"))


@given(value=RUPEES, share=st.integers(0, 100))
def test_an_invoiced_trade_counts_once(value: Decimal, share: int) -> None:
    invoiced = value * share / 100

    assert credit_exposure([OpenTrade(value, invoiced)], [invoiced]).total == value
    assert credit_exposure([OpenTrade(value, value)], [], [value]).total == 0


def test_broker_who_is_not_registered_charges_no_tax() -> None:
    structure = Structure(Basis.RUPEES_PER_BALE, (Slab(Decimal(0), Decimal(20)),), seller_share=0)
    earned = brokerage(structure, value=Decimal(0), bales=100, candies=Fraction(0))

    _, buyer = settle(Parties("33", "24", None), [GOODS], earned=earned)

    assert [(line.what, line.rupees) for line in buyer.lines] == [("brokerage", Decimal("2000.00"))]
