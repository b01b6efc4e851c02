"""The invoice: what a buyer owes a seller for goods, with its tax.

Owns: its declaration, its rules, and what its lines and payments come to.
Must not know: trades' terms; whoever makes it copies them.
Invariant: an issued invoice never changes but for what is paid of it; its lines add up, its tax follows the place of supply
(tests/unit/test_invoice_rules.py, tests/integration/test_invoices.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from erp_core.access import Access
from erp_core.gst import PaidBy, Tax, gst
from erp_core.identifiers import state_of
from erp_core.india import GST_STATES
from erp_core.language import DERIVED, GUARDED, ONCE, Entity, Field, Phone, States, Urgency, Violation, World, locked
from erp_core.rules import BUYERS, SELLERS, deletable_while, enters, in_order, partner_is, two_parties, when_touched
from erp_core.scopes import DRAFT, By
from erp_core.values import Choice, Day, Flag, Reference, Row, Text, Value
from erp_core.vocabulary import RUPEES, STATE

STATES = States(
    "state",
    {"draft": ("issued", "cancelled"), "issued": (), "cancelled": ()},
    breaks=("cancelled",),
    needs={"issued": ("series.manage", "trade.approve")},
)
BOOKS = ("series.manage", "trade.approve")
"""Who keeps the books: whoever gives out numbers, or may bind the house."""
WHILE_DRAFT = locked("state", "draft", unless=True)
NUMBER: Final = Text(16, re.compile("[A-Za-z0-9/-]{1,16}"), "RJK/26-27/00042")
"""Central GST Rules 2017, rule 46(b): at most 16 letters, digits, '-' and '/', once in a financial year."""
NOTHING: Final = Decimal("0.00")
CODE_OF: Final[Mapping[str, str]] = {name: code for code, name in GST_STATES.items()}
"""Name of a state -> its code; of two codes, the one in force (the later)."""


# --- What follows from lines and payments -----------------------------------------------------------------------------


def tax_of_line(invoice: Row, amount: Decimal, percent: Decimal) -> Tax:
    """Work out the tax on one line, by where the invoice's goods come from and go to."""
    paid_by = PaidBy.RECIPIENT if invoice["reverse_charge"] else PaidBy.SUPPLIER
    supplier, place = CODE_OF[invoice["supplier_state"]], CODE_OF[invoice["place_of_supply"]]
    return gst(amount, percent, supplier=supplier, place=place, paid_by=paid_by)


def billed(invoice: Row, lines: Sequence[Row]) -> Mapping[str, Value]:
    """Add up the lines: amount, the parts of the tax, what the buyer is to pay, and what of it is outstanding.

    Where more is taken off than is owed, it comes to nothing, and `_complete` does not let it be issued.
    """
    known = [line for line in lines if line["amount"] is not None]
    taxes = [tax_of_line(invoice, line["amount"], line["tax_pct"]) for line in known]
    amount = _fitting(line["amount"] for line in known)
    parts = {
        "cgst_amount": _fitting(tax.cgst for tax in taxes),
        "sgst_amount": _fitting(tax.sgst for tax in taxes),
        "utgst_amount": _fitting(tax.utgst for tax in taxes),
        "igst_amount": _fitting(tax.igst for tax in taxes),
    }
    total = _fitting((amount, *(() if invoice["reverse_charge"] else parts.values())))
    outstanding = max(total - invoice["paid_amount"], NOTHING)
    return {"amount": amount, **parts, "total_amount": total, "outstanding_amount": outstanding}


def _fitting(rupees: Iterable[Decimal]) -> Decimal:
    """Add up, to what a field holds."""
    return max(min(sum(rupees, NOTHING), RUPEES.ceiling), NOTHING)


def settled(invoice: Row, allocations: Sequence[Row]) -> Mapping[str, Value]:
    """Say how much is paid, by what payments were allocated to it, and how much is not."""
    paid = min(sum((allocation["amount"] for allocation in allocations), NOTHING), RUPEES.ceiling)
    return {"paid_amount": paid, "outstanding_amount": max(invoice["total_amount"] - paid, NOTHING)}


# --- Rules ------------------------------------------------------------------------------------------------------------


@when_touched("seller_id", "supplier_state")
def _supplied_from(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """The tax follows from where the seller is registered, so the two may not differ."""
    seller = world.get("business_partner", after["seller_id"])
    if seller is None or seller["gstin"] is None or after["supplier_state"] is None:
        return
    registered = state_of(seller["gstin"])
    if registered != after["supplier_state"]:
        sentence = f"The seller is registered in {registered}, not in {after['supplier_state']}."
        yield Violation("supplier_elsewhere", sentence, ("supplier_state", "seller_id"))


@when_touched("trade_id", "buyer_id", "seller_id")
def _of_the_trade(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    trade = world.get("trade", after["trade_id"])
    if trade is None:
        return
    if trade["state"] == "draft":
        yield Violation("not_agreed", "The trade is not confirmed yet; invoice it afterwards.", ("trade_id",))
    for name in ("buyer_id", "seller_id"):
        if after[name] != trade[name]:
            yield Violation("not_of_the_trade", f"{name} is not that of the trade.", (name, "trade_id"))


def _complete(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if not enters(after, before, frozenset({"issued"})):
        return
    for name, what in (
        ("number", "a number of its series"),
        ("invoice_date", "its date"),
        ("due_date", "its due date"),
    ):
        if after[name] is None:
            yield Violation("incomplete", f"An invoice is issued with {what}.", (name,))
    if after["amount"] <= 0:
        yield Violation(
            "no_lines",
            "An invoice is issued with lines that come to more than nothing; write down what was sold.",
            ("amount",),
        )


INVOICE = Entity(
    name="invoice",
    table="invoices",
    title="Invoice",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=("desk.read", "external.document"), create=BOOKS, update=BOOKS, delete=BOOKS),
    urgency=Urgency.WORK,
    due="due_date",
    labels=(
        By("branch", "branch_id"),
        By("partner", "buyer_id"),
        By("partner", "seller_id"),
        By("side", "buyer_id", DRAFT),
        By("side", "seller_id", DRAFT),
    ),
    states=STATES,
    rules=(
        two_parties("buyer_id", "seller_id", "Buyer and seller are the same partner; an invoice needs two."),
        partner_is("buyer_id", *BUYERS),
        partner_is("seller_id", *SELLERS),
        _supplied_from,
        _of_the_trade,
        in_order("invoice_date", "due_date"),
        _complete,
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), ONCE, required=True),
        Field("trade_id", Reference("trade"), ONCE),
        Field("number", NUMBER, ONCE, unique=True),
        Field("buyer_id", Reference("business_partner"), WHILE_DRAFT, required=True),
        Field("seller_id", Reference("business_partner"), WHILE_DRAFT, required=True),
        Field("supplier_state", STATE, ONCE, required=True, help="where the seller is registered"),
        Field("place_of_supply", STATE, ONCE, required=True, help="where the goods are delivered (erp_core/gst.py)"),
        Field("reverse_charge", Flag(), ONCE, required=True, default=False, help="the buyer pays the tax to the state"),
        Field("invoice_date", Day(), WHILE_DRAFT),
        Field("due_date", Day(), WHILE_DRAFT),
        Field("amount", RUPEES, DERIVED, required=True, default=NOTHING, help="of its lines, without tax"),
        Field("cgst_amount", RUPEES, DERIVED, required=True, default=NOTHING),
        Field("sgst_amount", RUPEES, DERIVED, required=True, default=NOTHING),
        Field("utgst_amount", RUPEES, DERIVED, required=True, default=NOTHING),
        Field("igst_amount", RUPEES, DERIVED, required=True, default=NOTHING),
        Field("total_amount", RUPEES, DERIVED, required=True, default=NOTHING, help="what the buyer is to pay"),
        Field(
            "paid_amount", RUPEES, DERIVED, required=True, default=NOTHING, help="what payments were allocated to it"
        ),
        Field("outstanding_amount", RUPEES, DERIVED, required=True, default=NOTHING),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
