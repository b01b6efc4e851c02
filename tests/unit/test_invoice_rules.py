"""What an invoice, a payment and its allocation may not do: change once issued, go beyond what is due or was paid."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.invoice import CODE_OF, INVOICE, billed, settled
from erp_core.entities.payment import allotted
from erp_core.language import Kind
from erp_core.values import Unreadable
from tests.harness.rule_world import House

LINES = [{"amount": Decimal("100.10"), "tax_pct": Decimal(5)}, {"amount": Decimal("50.25"), "tax_pct": Decimal(18)}]


@pytest.fixture
def house() -> House:
    return House()


# --- Invoices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "issued", "number": None}, "incomplete"),
        ({"state": "issued", "invoice_date": None}, "incomplete"),
        ({"state": "issued", "due_date": None}, "incomplete"),
        ({"state": "issued", "amount": Decimal(0)}, "no_lines"),
        ({"due_date": date(2026, 11, 1)}, "out_of_order"),
        ({"seller_id": "broker", "trade_id": None}, "wrong_kind_of_partner"),
        ({"trade_id": "deal", "buyer_id": "other_mill"}, "not_of_the_trade"),
    ],
)
def test_invoice_with_one_thing_wrong_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    house.put("business_partner", "other_mill", **house.rows["business_partner"]["mill"])

    assert house.codes("invoice", "bill", **changes) == [code]


def test_invoice_between_one_partner_is_refused(house: House) -> None:
    house.put("business_partner", "mill", kind=("buyer", "seller"))

    assert house.codes("invoice", "bill", trade_id=None, seller_id="mill") == ["one_party"]


def test_draft_trade_is_not_invoiced(house: House) -> None:
    house.put("trade", "deal", state="draft")

    assert house.judge_new("invoice", "bill", number="2") == ["not_agreed"]


def test_invoice_comes_from_where_its_seller_is_registered(house: House) -> None:
    house.put("business_partner", "ginner", gstin="27AAPFU0939F1ZV")

    assert house.judge_new("invoice", "bill", number="2") == ["supplier_elsewhere"]
    assert house.judge_new("invoice", "bill", number="2", supplier_state="Maharashtra") == []


def test_issued_invoice_and_its_lines_never_change(house: House) -> None:
    free = {f.name for f in INVOICE.fields if f.change.kind not in (Kind.ONCE, Kind.LOCKED, Kind.DERIVED)}
    assert free == {"state"}
    assert INVOICE.states is not None
    assert INVOICE.states.moves["issued"] == ()
    house.put("invoice", "bill", state="issued")

    assert house.codes("invoice_line", "goods", description="Other bales") == ["invoice_issued"]
    assert house.judge_new("invoice_line", "goods", position=2) == ["invoice_issued"]
    assert house.deletion("invoice_line", "goods") == ["not_deletable"]


@pytest.mark.parametrize("number", ["RJK/26-27/0000042", "RJK 1", "RJK_1"])
def test_number_is_one_that_the_law_allows(number: str) -> None:
    with pytest.raises(Unreadable):
        INVOICE.by_name["number"].type.read(number)


def test_line_that_comes_to_too_much_is_refused(house: House) -> None:
    assert house.codes("invoice_line", "goods", quantity=Decimal("900000000.000")) == ["too_large"]


def test_lorry_is_of_the_trade_that_is_billed_and_on_one_invoice_that_holds(house: House) -> None:
    bill = house.put("invoice", "bill", state="draft")
    other_trade = {"invoice_id": "elsewhere", "dispatch_id": "lorry"}
    house.put("invoice", "elsewhere", **{**bill, "trade_id": None})
    assert house.codes("invoice_line", "goods", dispatch_id="lorry") == []
    assert house.judge_new("invoice_line", "goods", **other_trade) == ["billed_already", "other_trade"]

    house.put("invoice", "second", **bill)
    assert house.judge_new("invoice_line", "goods", invoice_id="second", dispatch_id="lorry") == ["billed_already"]
    house.put("invoice", "bill", state="cancelled")
    assert house.codes("invoice_line", "new", position=2) == []


def test_more_that_is_taken_off_than_owed_comes_to_nothing(house: House) -> None:
    off = [{"amount": Decimal("-200.00"), "tax_pct": Decimal(5)}, *LINES]

    found = billed({**house.rows["invoice"]["sent_bill"], "paid_amount": Decimal(0)}, off)

    assert (found["amount"], found["total_amount"]) == (Decimal(0), found["cgst_amount"] * 2)


@pytest.mark.parametrize(
    ("place", "parts"),
    [
        ("Gujarat", {"cgst_amount": "7.02", "sgst_amount": "7.02", "utgst_amount": "0.00", "igst_amount": "0.00"}),
        ("Tamil Nadu", {"cgst_amount": "0.00", "sgst_amount": "0.00", "utgst_amount": "0.00", "igst_amount": "14.04"}),
    ],
)
def test_lines_add_up_and_tax_follows_the_place_of_supply(house: House, place: str, parts: dict[str, str]) -> None:
    found = billed({**house.rows["invoice"]["sent_bill"], "place_of_supply": place, "paid_amount": Decimal(4)}, LINES)

    assert {name: str(found[name]) for name in parts} == parts
    assert (found["amount"], found["total_amount"]) == (Decimal("150.35"), Decimal("164.39"))
    assert found["outstanding_amount"] == Decimal("160.39")


def test_tax_that_the_buyer_owes_the_state_is_not_on_the_bill(house: House) -> None:
    found = billed({**house.rows["invoice"]["sent_bill"], "reverse_charge": True}, LINES)

    assert found["total_amount"] == found["amount"] == Decimal("150.35")
    assert found["cgst_amount"] + found["sgst_amount"] == Decimal("14.04")


def test_states_have_the_codes_that_are_in_force() -> None:
    assert (CODE_OF["Andhra Pradesh"], CODE_OF["Dadra and Nagar Haveli and Daman and Diu"]) == ("37", "26")


# --- Payments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payee_id": "mill"}, "one_party"),
        ({"reference": None}, "incomplete"),
        ({"paid_on": date(2026, 11, 24)}, "in_the_future"),
    ],
)
def test_payment_with_one_thing_wrong_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("payment", "transfer", **changes) == [code]
    assert house.judge_new("payment", "transfer", mode="cash", reference=None) == []


def test_payment_that_settles_invoices_is_kept(house: House) -> None:
    assert house.deletion("payment", "transfer") == ["not_deletable"]
    house.put("payment", "transfer", allocated_amount=Decimal(0))
    assert house.deletion("payment", "transfer") == []


@pytest.mark.parametrize(
    ("amount", "codes"),
    [("400.00", []), ("400.01", ["more_than_due"]), ("900.01", ["more_than_due", "more_than_paid"])],
)
def test_no_more_is_allocated_than_is_due_or_was_paid(house: House, amount: str, codes: list[str]) -> None:
    assert house.judge_new("payment_allocation", "part", amount=Decimal(amount)) == codes


def test_no_more_is_allocated_than_was_paid(house: House) -> None:
    house.put("invoice", "sent_bill", total_amount=Decimal(9000))

    assert house.judge_new("payment_allocation", "part", amount=Decimal("900.01")) == ["more_than_paid"]


def test_draft_is_not_paid(house: House) -> None:
    assert house.judge_new("payment_allocation", "part", invoice_id="bill", amount=Decimal(1)) == ["invoice_not_issued"]


def test_payment_settles_what_its_payer_owes_its_payee(house: House) -> None:
    house.put("payment", "transfer", payer_id="ginner", payee_id="mill")

    assert house.judge_new("payment_allocation", "part", amount=Decimal(1)) == ["other_parties"]


def test_sums_of_allocations_are_written_on_both_sides(house: House) -> None:
    parts = [{"amount": Decimal("600.00")}, {"amount": Decimal("0.50")}]

    on_invoice = settled(house.rows["invoice"]["sent_bill"], parts)
    on_payment = allotted(house.rows["payment"]["transfer"], parts)

    assert on_invoice == {"paid_amount": Decimal("600.50"), "outstanding_amount": Decimal("399.50")}
    assert on_payment == {"allocated_amount": Decimal("600.50"), "unallocated_amount": Decimal("899.50")}
