"""The payment: money that one partner gave another.

Owns: its declaration and its rules.
Must not know: how it is divided among invoices.
Invariant: allocated and unallocated add up to what was paid (tests/integration/test_invoices.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from erp_core.access import Access
from erp_core.entities.invoice import BOOKS, NOTHING
from erp_core.language import DERIVED, ONCE, Entity, Field, Phone, Urgency, Violation, World
from erp_core.rules import two_parties, when_touched
from erp_core.scopes import By
from erp_core.values import Choice, Day, Number, Reference, Row, Text, Value
from erp_core.vocabulary import RUPEES

PAID = Number(14, 2, "INR", Decimal("0.01"))
BY_BANK = ("neft", "rtgs", "imps", "upi", "cheque")
MODES = (*BY_BANK, "cash", "set_off")


def _unallocated(row: Row, _: World) -> Mapping[str, Value]:
    return {"unallocated_amount": max(row["amount"] - row["allocated_amount"], NOTHING)}


def allotted(payment: Row, allocations: Sequence[Row]) -> Mapping[str, Value]:
    """Say how much of a payment settles invoices, and how much is on account."""
    given = min(sum((allocation["amount"] for allocation in allocations), NOTHING), RUPEES.ceiling)
    return {"allocated_amount": given, "unallocated_amount": max((payment["amount"] or NOTHING) - given, NOTHING)}


@when_touched("mode", "reference")
def _can_be_found(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if after["mode"] in BY_BANK and after["reference"] is None:
        sentence = "Give the bank's reference: the UTR, or the number of the cheque."
        yield Violation("incomplete", sentence, ("reference",))


@when_touched("paid_on")
def _not_in_the_future(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    if after["paid_on"] > world.today:
        yield Violation(
            "in_the_future", f"{after['paid_on']} has not come yet; give the day of the payment.", ("paid_on",)
        )


def _unused(row: Row, _: World) -> Iterator[Violation]:
    if row["allocated_amount"]:
        sentence = "It settles invoices; take its allocations back first."
        yield Violation("not_deletable", sentence, ("allocated_amount",))


PAYMENT = Entity(
    name="payment",
    table="payments",
    title="Payment",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=("desk.read", "external.document"), create=BOOKS, update=BOOKS, delete=BOOKS),
    urgency=Urgency.WORK,
    labels=(
        By("branch", "branch_id"),
        By("partner", "payer_id"),
        By("partner", "payee_id"),
        By("side", "payer_id"),
        By("side", "payee_id"),
    ),
    rules=(
        two_parties("payer_id", "payee_id", "The same partner would pay itself; say who paid whom."),
        _can_be_found,
        _not_in_the_future,
    ),
    delete_rules=(_unused,),
    derive=_unallocated,
    fields=(
        Field("branch_id", Reference("branch"), ONCE, required=True),
        Field("number", Text(40), ONCE),
        Field("payer_id", Reference("business_partner"), ONCE, required=True),
        Field("payee_id", Reference("business_partner"), ONCE, required=True),
        Field("amount", PAID, ONCE, required=True),
        Field("mode", Choice(MODES), ONCE, required=True, default="rtgs"),
        Field("reference", Text(40), ONCE),
        Field("paid_on", Day(), ONCE, required=True),
        Field("allocated_amount", RUPEES, DERIVED, required=True, default=NOTHING, help="what settles invoices"),
        Field("unallocated_amount", RUPEES, DERIVED, required=True, default=NOTHING, help="what is on account"),
    ),
)
