"""The papers of the money of one block: slips of the weighbridge, invoices of what arrived, payments; and a negotiation.

Owns: when they are made, and who has paid.
Must not know: what a lorry comes to, what an invoice copies: the server's own makers draw them up (erp_core/books.py).
Invariant: what the server would draw up is what stands in the demo (tests/unit/test_demo.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from erp_core.books import make_invoice, record_payment
from erp_core.catalogue import BY_NAME
from erp_core.demo.documents import Deal
from erp_core.demo.numbers import new_id
from erp_core.demo.places import Region
from erp_core.demo.reference import TODAY, commodity_id
from erp_core.demo.rows import Pile
from erp_core.drawing import Drawn, Objection
from erp_core.entities.dispatch import ARRIVED
from erp_core.entities.invoice_line import INVOICE_LINE
from erp_core.entities.negotiation import NEGOTIATION
from erp_core.entities.offer import OFFER
from erp_core.entities.weighment import WEIGHMENT
from erp_core.india import day_of
from erp_core.values import Row

LORRIES: Final = 1
"""Of a block: enough to look at, and a demo of a size keeps its partners."""
DUE_DAYS: Final = (0, 15, 30)
BANKS: Final = ("neft", "rtgs", "cheque")


class Numbered:
    """A pile whose rows say their ids, as makers want them."""

    today = TODAY

    def __init__(self, pile: Pile) -> None:
        self._pile = pile

    def get(self, entity: str, id: str | None) -> Row | None:
        row = self._pile.get(entity, id)
        return None if row is None else {**row, "id": id}

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        below = () if self._pile.below is None else self._pile.below.rows[entity].items()
        found = [*below, *self._pile.rows[entity].items()]
        return [{**row, "id": own} for own, row in found if id is not None and row[field] == id]


def keep_books(pile: Pile, region: Region, block: int, deals: Sequence[Deal]) -> None:
    """Weigh some lorries that arrived, invoice each by itself, and let some of that be paid."""
    by_id = {deal.id: deal for deal in deals if deal.state in ("in_delivery", "completed")}
    arrived = [
        (id, lorry)
        for id, lorry in pile.rows["dispatch"].items()
        if lorry["state"] in ARRIVED and lorry["trade_id"] in by_id
    ]
    for serial, (id, lorry) in enumerate(arrived[:LORRIES], start=block * 10):
        _weigh(pile, id, lorry, serial)
        _invoice(pile, region, by_id[lorry["trade_id"]], id, serial)


def _weigh(pile: Pile, id: str, lorry: Row, serial: int) -> None:
    """A second scale shows a few kilograms less."""
    gross = lorry["gross_kg"] - pile.rng.randint(0, 60)
    number = f"W{serial:07d}"
    weighed = {"gross_kg": gross, "tare_kg": lorry["tare_kg"], "weighed_at": lorry["arrived_at"]}
    pile.add(WEIGHMENT, dispatch_id=id, slip_number=number, **weighed)


def _invoice(pile: Pile, region: Region, deal: Deal, lorry: str, serial: int) -> None:
    trade, books = pile.rows["trade"][deal.id], Numbered(pile)
    try:
        drawn = make_invoice({**trade, "id": deal.id}, {"dispatch_id": lorry}, books, _ids(pile))
    except Objection:  # not graded yet, turned down, or nobody of it is registered
        return
    _write(pile, drawn)
    arrived = pile.rows["dispatch"][lorry]["arrived_at"]
    invoice = pile.rows["invoice"][drawn.shown[1]]
    dated = min(day_of(arrived) + timedelta(days=pile.rng.randint(0, 2)), TODAY)
    for line in pile.rows["invoice_line"].values():
        if line["invoice_id"] == drawn.shown[1]:
            assert INVOICE_LINE.derive is not None
            line.update(INVOICE_LINE.derive(line, pile))
    _sum_up(pile, drawn.shown[1])
    if invoice["amount"] <= 0 or pile.rng.random() < 0.2:
        return  # still a draft
    due = dated + timedelta(days=pile.rng.choice(DUE_DAYS))
    invoice.update(state="issued", number=f"{region.code}/B{serial:08d}", invoice_date=dated, due_date=due)
    if pile.rng.random() < 0.6:
        _pay(pile, drawn.shown[1], due)


def _pay(pile: Pile, id: str, due: date) -> None:
    """Some pay all, some a part, some too late."""
    invoice = {**pile.rows["invoice"][id], "id": id}
    part = pile.rng.choice((Decimal(1), Decimal(1), Decimal("0.5")))
    given: dict[str, Any] = {
        "amount": (invoice["total_amount"] * part).quantize(Decimal("0.01")),
        "mode": pile.rng.choice(BANKS),
        "reference": f"UTR{pile.rng.randint(10**9, 10**10 - 1)}",
        "paid_on": min(due + timedelta(days=pile.rng.randint(-10, 20)), TODAY),
    }
    _write(pile, record_payment(invoice, given, Numbered(pile), _ids(pile)))


def negotiate(pile: Pile, region: Region) -> None:
    """A buyer and a seller of the block talk about a lot that is on offer, two rounds so far."""
    lots = [(id, lot) for id, lot in pile.rows["availability"].items() if lot["state"] == "active"]
    needs = [(id, need) for id, need in pile.rows["requirement"].items() if need["state"] in ("open", "part_filled")]
    if not lots or not needs:
        return
    (lot_id, lot), (need_id, need) = pile.rng.choice(lots), pile.rng.choice(needs)
    parties = {"buyer_id": need["buyer_id"], "seller_id": lot["seller_id"], "commodity_id": commodity_id("lint")}
    named = {"availability_id": lot_id, "requirement_id": need_id, "branch_id": region.branch_id}
    talk = pile.add(NEGOTIATION, **parties, **named, valid_until=TODAY + timedelta(days=10))
    asked = lot["asking_price_per_candy"]
    for number, (side, price) in enumerate((("buyer", asked - 1_000), ("seller", asked - 250)), start=1):
        answered = {"answered_by": "seller", "state": "rejected"} if side == "buyer" else {}
        bid = {"offered_by": side, "price_per_candy": price, "bales": 50, "round": number, **answered}
        pile.add(OFFER, negotiation_id=talk, **bid)


def _ids(pile: Pile) -> Iterator[str]:
    while True:
        yield new_id(pile.rng)


def _write(pile: Pile, drawn: Drawn) -> None:
    for one in drawn.made:
        pile.add(BY_NAME[one.entity], one.id, **one.values)


def _sum_up(pile: Pile, id: str) -> None:
    (rollup,) = INVOICE_LINE.rollups
    invoice = pile.rows["invoice"][id]
    sums: Mapping[str, Any] = rollup.compute(invoice, pile.siblings("invoice_line", "invoice_id", id))
    invoice.update(sums)
