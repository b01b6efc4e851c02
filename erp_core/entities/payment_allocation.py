"""The allocation of a payment: so many rupees of it settle so much of one invoice.

Owns: its declaration and its rules.
Must not know: which debt goes first (erp_core/allocation.py).
Invariant: no payment gives more than it has, no invoice gets more than it is due (tests/unit/test_invoice_rules.py,
tests/integration/test_invoices.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from erp_core.access import Access
from erp_core.entities.invoice import BOOKS, NOTHING, settled
from erp_core.entities.payment import PAID, allotted
from erp_core.language import ONCE, Entity, Field, Gather, Phone, Rollup, Urgency, Violation, World
from erp_core.rules import when_touched
from erp_core.scopes import Follows
from erp_core.values import Reference, Row, Text


def _given(world: World, field: str, id: str) -> Decimal:
    return sum((row["amount"] for row in world.siblings("payment_allocation", field, id)), NOTHING)


@when_touched("payment_id", "amount")
def _payment_has_it(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    payment = world.get("payment", after["payment_id"])
    given = _given(world, "payment_id", after["payment_id"])
    if payment is not None and given > payment["amount"]:
        left = payment["amount"] - given + after["amount"]
        sentence = f"Of the payment {left} rupees are left; {after['amount']} cannot be allocated."
        yield Violation("more_than_paid", sentence, ("amount", "payment_id"))


@when_touched("invoice_id", "amount")
def _invoice_is_due(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    invoice = world.get("invoice", after["invoice_id"])
    if invoice is None:
        return
    if invoice["state"] != "issued":
        sentence = f"The invoice is {invoice['state']}; payments settle issued invoices only."
        yield Violation("invoice_not_issued", sentence, ("invoice_id",))
    given = _given(world, "invoice_id", after["invoice_id"])
    if given > invoice["total_amount"]:
        left = invoice["total_amount"] - given + after["amount"]
        sentence = f"Of the invoice {left} rupees are due; {after['amount']} would be more."
        yield Violation("more_than_due", sentence, ("amount", "invoice_id"))


@when_touched("payment_id", "invoice_id")
def _between_the_same(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    payment, invoice = world.get("payment", after["payment_id"]), world.get("invoice", after["invoice_id"])
    if payment is None or invoice is None:
        return
    if (payment["payer_id"], payment["payee_id"]) != (invoice["buyer_id"], invoice["seller_id"]):
        sentence = "The payment is not from the buyer to the seller of this invoice; choose another one."
        yield Violation("other_parties", sentence, ("payment_id", "invoice_id"))


PAYMENT_ALLOCATION = Entity(
    name="payment_allocation",
    table="payment_allocations",
    title="Payment allocation",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=("desk.read", "external.document"), create=BOOKS, update=BOOKS, delete=BOOKS),
    urgency=Urgency.WORK,
    labels=(Follows("payment_id", "payment"),),
    rules=(_payment_has_it, _invoice_is_due, _between_the_same),
    gathers=(
        Gather("payment_allocation", "payment_id", "payment_id"),
        Gather("payment_allocation", "invoice_id", "invoice_id"),
    ),
    rollups=(
        Rollup("payment", "payment_id", allotted),
        Rollup("invoice", "invoice_id", settled),
    ),
    fields=(
        Field("payment_id", Reference("payment"), ONCE, required=True),
        Field("invoice_id", Reference("invoice"), ONCE, required=True),
        Field("amount", PAID, ONCE, required=True),
        Field("remarks", Text(200)),
    ),
)
