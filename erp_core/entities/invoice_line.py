"""The line of an invoice: so much of something, at a rate, with its tax.

Owns: its declaration and its rules.
Must not know: payments.
Invariant: a line changes only while its invoice is a draft (tests/unit/test_invoice_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from erp_core.access import Access
from erp_core.entities.invoice import BOOKS, billed
from erp_core.language import DERIVED, ONCE, Entity, Field, Gather, Phone, Rollup, Urgency, Violation, World
from erp_core.rates import rounded
from erp_core.rules import when_touched
from erp_core.scopes import Follows
from erp_core.values import Integer, Number, Reference, Row, Text, Value
from erp_core.vocabulary import PERCENT, RUPEES

OWED_OR_OFF = Number(14, 2, "INR", -RUPEES.ceiling)
"""Rupees that are owed, or, below 0, taken off: an allowance for quality, a weight that fell short."""


def _exact(row: Row) -> Decimal:
    return rounded(Fraction(row["quantity"]) * Fraction(row["rate_amount"]) / Fraction(row["rate_quantity"]))


def _amount(row: Row, _: World) -> Mapping[str, Value]:
    """Beyond what a field holds it is the most that it holds; `_sum_fits` keeps lines from coming near it."""
    return {"amount": max(min(_exact(row), OWED_OR_OFF.ceiling), OWED_OR_OFF.least)}


@when_touched("quantity", "rate_amount", "rate_quantity")
def _sum_fits(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if abs(_exact(after)) > RUPEES.ceiling / 1000:
        sentence = f"The line would come to {_exact(after)} rupees; look at quantity and rate again."
        yield Violation("too_large", sentence, ("quantity", "rate_amount"))


def _of_a_draft(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    invoice = world.get("invoice", after["invoice_id"])
    if invoice is not None and invoice["state"] != "draft" and after != before:
        sentence = f"The invoice is {invoice['state']}; its lines stay as they are. Correct it by a further invoice."
        yield Violation("invoice_issued", sentence, ("invoice_id",))


@when_touched("dispatch_id", "invoice_id")
def _lorry_once(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """A lorry is of the trade that is billed, and on one invoice that holds."""
    lorry, invoice = world.get("dispatch", after["dispatch_id"]), world.get("invoice", after["invoice_id"])
    if lorry is None or invoice is None:
        return
    if lorry["trade_id"] != invoice["trade_id"]:
        yield Violation("other_trade", "The lorry is of another trade than the invoice.", ("dispatch_id",))
    for line in world.siblings("invoice_line", "dispatch_id", after["dispatch_id"]):
        other = world.get("invoice", line["invoice_id"])
        if line["invoice_id"] != after["invoice_id"] and other is not None and other["state"] != "cancelled":
            sentence = "This lorry is on another invoice; a lorry is billed once."
            yield Violation("billed_already", sentence, ("dispatch_id",))
            return


def _kept_with_its_invoice(row: Row, world: World) -> Iterator[Violation]:
    invoice = world.get("invoice", row["invoice_id"])
    if invoice is not None and invoice["state"] != "draft":
        yield Violation("not_deletable", f"The invoice is {invoice['state']}; its lines stay.", ("invoice_id",))


INVOICE_LINE = Entity(
    name="invoice_line",
    table="invoice_lines",
    title="Invoice line",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=("desk.read", "external.document"), create=BOOKS, update=BOOKS, delete=BOOKS),
    urgency=Urgency.WORK,
    labels=(Follows("invoice_id", "invoice"),),
    parent="invoice_id",
    rules=(_of_a_draft, _sum_fits, _lorry_once),
    delete_rules=(_kept_with_its_invoice,),
    derive=_amount,
    gathers=(Gather("invoice_line", "dispatch_id", "dispatch_id"),),
    rollups=(Rollup("invoice", "invoice_id", billed),),
    fields=(
        Field("invoice_id", Reference("invoice"), ONCE, required=True),
        Field("position", Integer(1, 1000), required=True),
        Field("description", Text(200), required=True),
        Field("hsn", Text(8, re.compile("[0-9]{4,8}"), "5201")),
        Field("quantity", Number(12, 3), required=True),
        Field("unit_id", Reference("unit")),
        Field(
            "rate_amount", OWED_OR_OFF, required=True, help="rupees for so many of the unit; below 0 they are taken off"
        ),
        Field(
            "rate_quantity",
            Number(12, 3, least=Decimal("0.001")),
            required=True,
            default=Decimal("1.000"),
            since=5,
            help="for how many of the unit the rate is: 1, or the 355.620 kg of a candy",
        ),
        Field("tax_pct", PERCENT, required=True, default=Decimal("0.00")),
        Field("amount", OWED_OR_OFF, DERIVED, help="quantity at the rate, without tax"),
        Field("dispatch_id", Reference("dispatch"), ONCE, since=5, help="the lorry that it is for"),
    ),
)
