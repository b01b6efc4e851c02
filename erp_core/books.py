"""The books drawn up: invoices of what arrived, payments, what they settle, and the settlement of a trade.

Owns: what becomes a line of an invoice, where its tax is due, when a trade can be settled.
Must not know: what a lorry comes to (billing.py), how anything is written.
Invariant: a settled trade has every lorry that arrived on an invoice, and its invoices come to what billing.py says, before tax
(tests/integration/test_making.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from erp_core.allocation import Due, Paid, allocate
from erp_core.billing import (
    ONE,
    BillLine,
    arrived,
    bill,
    is_rejected,
    live_invoices,
    open_inspections,
    place_of,
    registered_in,
    unbilled,
    under_way,
)
from erp_core.drawing import Drawn, Given, Made, Objection, chosen
from erp_core.language import World
from erp_core.values import Row, Value

Billed = tuple[Row | None, BillLine]
"""A line, and the lorry that it is for."""

LONG_AGO: Final = date.min
"""Stands for the day of a debt that names none: it goes first."""


# --- Invoices -----------------------------------------------------------------------------------------------------------


def make_invoice(trade: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Make the invoice, a draft, of the lorries that arrived and are on none yet, or of one of them."""
    _graded(trade, world)
    waiting = unbilled(trade, world)
    lorries = [row for row in waiting if given.get("dispatch_id") in (None, row["id"])]
    if not lorries:
        sentence = "No lorry has arrived that is not on an invoice already."
        raise Objection("nothing_to_bill", sentence, *(["dispatch_id"] if waiting else []))
    made = _invoice(trade, given, world, ids, list(bill(trade, lorries, world)), lorries)
    return Drawn(made, ("invoice", made[0].id))


def settle_trade(trade: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Complete a trade and invoice what is left: lorries that are on no invoice, and what was found out after one was made."""
    if coming := under_way(trade, world):
        sentence = (
            f"{len(coming)} of its lorries have not arrived; settle the trade once they have, or close them short."
        )
        raise Objection("lorries_under_way", sentence)
    if not arrived(trade, world):
        raise Objection("nothing_to_bill", "No lorry of it has arrived, so there is nothing to settle.")
    _graded(trade, world)
    lorries, worth = unbilled(trade, world), list(bill(trade, arrived(trade, world), world))
    lines: list[Billed] = [(lorry, line) for lorry, line in worth if lorry in lorries]
    lines += _found_out_later(trade, world, worth, lines)
    done = Made("trade", trade["id"], {"state": "completed"}, new=False)
    comes_to = _rupees(lines)
    if comes_to < 0:
        sentence = f"Its invoices come to {-comes_to} rupees more than what arrived is worth."
        raise Objection(
            "billed_too_much", f"{sentence} Correct a draft of them, or agree on a refund and complete the trade."
        )
    made = _invoice(trade, given, world, ids, lines, lorries or arrived(trade, world)) if comes_to else []
    return Drawn([done, *made], ("trade", trade["id"]))


def _graded(trade: Row, world: World) -> None:
    """Object while the price is not known: people have still to agree on an inspection, or the lot can be rejected."""
    waiting = open_inspections(trade, world)
    if waiting:
        sentence = f"{waiting} of its inspections are not agreed on; accept them first, they change what is paid."
        raise Objection("inspection_open", sentence)
    if is_rejected(trade, world):
        sentence = (
            "A reading is beyond what the contract takes; agree on a price by an amendment, or call the trade off."
        )
        raise Objection("lot_rejected", sentence)


def _found_out_later(trade: Row, world: World, worth: Sequence[Billed], now: Sequence[Billed]) -> list[Billed]:
    """Give what all that arrived is worth beyond what invoices have of it, and have now: an inspection came after the first."""
    before = sum((invoice["amount"] for invoice in live_invoices(trade, world)), Decimal(0))
    more = _rupees(worth) - before - _rupees(now)
    return (
        [(None, BillLine("settlement", "Weights and quality found out since the last invoice", ONE, more))]
        if more
        else []
    )


def _rupees(lines: Sequence[Billed]) -> Decimal:
    return sum((line.rupees for _, line in lines), Decimal(0))


def _invoice(
    trade: Row,
    given: Given,
    world: World,
    ids: Iterator[str],
    lines: Iterable[Billed],
    lorries: Sequence[Row],
) -> list[Made]:
    id = next(ids)
    head = {
        **{name: trade[name] for name in ("branch_id", "buyer_id", "seller_id")},
        "trade_id": trade["id"],
        **chosen(
            given,
            *("invoice_date", "due_date", "supplier_state", "place_of_supply", "reverse_charge"),
            supplier_state=registered_in(world.get("business_partner", trade["seller_id"])),
            place_of_supply=None if given.get("place_of_supply") else _place(trade, lorries, world),
        ),
    }
    _stated(head)
    return [Made("invoice", id, head), *_lines(id, trade, world, ids, lines)]


def _lines(invoice_id: str, trade: Row, world: World, ids: Iterator[str], lines: Iterable[Billed]) -> Iterator[Made]:
    commodity = world.get("commodity", trade["commodity_id"]) or {}
    kilogram = next((unit["id"] for unit in world.siblings("unit", "code", "kg")), None)
    for position, (lorry, line) in enumerate(lines, start=1):
        values: dict[str, Any] = {
            "invoice_id": invoice_id,
            "position": position,
            "description": line.description[:200],
            "hsn": commodity.get("hsn"),
            "quantity": line.quantity,
            "unit_id": kilogram if line.what in ("goods", "weight") else None,
            "rate_amount": line.rate,
            "rate_quantity": line.per.quantize(ONE),
            "tax_pct": trade["tax_pct"],
            "dispatch_id": None if lorry is None else lorry["id"],
        }
        yield Made("invoice_line", next(ids), {name: value for name, value in values.items() if value is not None})


def _place(trade: Row, lorries: Sequence[Row], world: World) -> str | None:
    places = {place for lorry in lorries if (place := place_of(trade, lorry, world)) is not None}
    if len(places) > 1:
        sentence = (
            f"The lorries went to {' and '.join(sorted(places))}, which are taxed apart; invoice them one by one."
        )
        raise Objection("several_places", sentence, "dispatch_id", "place_of_supply")
    return places.pop() if places else None


def _stated(head: Mapping[str, Value]) -> None:
    for name, whose in (
        ("supplier_state", "where the seller is registered"),
        ("place_of_supply", "where the goods went"),
    ):
        if head.get(name) is None:
            raise Objection("incomplete", f"Say {whose}: no registration or place says it.", name)


# --- Payments -----------------------------------------------------------------------------------------------------------


def record_payment(invoice: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Record that an invoice was paid, wholly if no amount is given; what is paid beyond it is on account."""
    due = invoice["outstanding_amount"]
    if due <= 0:
        raise Objection("nothing_due", "The invoice is paid; record what else was paid as a payment of its own.")
    id = next(ids)
    payment = {
        "branch_id": invoice["branch_id"],
        "payer_id": invoice["buyer_id"],
        "payee_id": invoice["seller_id"],
        **chosen(given, "amount", "mode", "reference", "paid_on", "number", amount=due, paid_on=world.today),
    }
    settles = {"payment_id": id, "invoice_id": invoice["id"], "amount": min(payment["amount"], due)}
    return Drawn([Made("payment", id, payment), Made("payment_allocation", next(ids), settles)], ("payment", id))


def allocate_payment(payment: Row, _: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Settle with what is left of a payment the oldest debts of its payer to its payee."""
    owed = [
        Due(invoice["id"], invoice["due_date"] or LONG_AGO, invoice["outstanding_amount"])
        for invoice in world.siblings("invoice", "buyer_id", payment["payer_id"])
        if invoice["seller_id"] == payment["payee_id"] and invoice["state"] == "issued"
    ]
    left = [Paid(payment["id"], payment["paid_on"], payment["unallocated_amount"])]
    made = [
        Made(
            "payment_allocation",
            next(ids),
            {"payment_id": payment["id"], "invoice_id": one.invoice, "amount": one.rupees},
        )
        for one in allocate(owed, left).allocations
    ]
    if not made:
        raise Objection("nothing_due", "Nothing of it is left, or no issued invoice between the two is due.")
    return Drawn(made, ("payment", payment["id"]))
