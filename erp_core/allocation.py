"""Payments against invoices: the oldest debt first, nothing paid twice, nothing lost.

Owns: the first-in first-out allocation and what is left open on either side.
Must not know: entities.
Invariant: allocated and left over add up to what was paid, allocated and open to what was invoiced
(tests/properties/test_settlement.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """An invoice with what is to be paid for it, in rupees, 0 or more."""

    id: str
    due: date
    rupees: Decimal


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment, in rupees, 0 or more."""

    id: str
    day: date
    rupees: Decimal


@dataclass(frozen=True, slots=True)
class Allocation:
    """So many rupees of a payment settle so much of an invoice."""

    payment: str
    invoice: str
    rupees: Decimal


@dataclass(frozen=True, slots=True)
class Allocated:
    """Who settled what, what is still open by invoice, and what is left of payments (money on account)."""

    allocations: tuple[Allocation, ...]
    open: dict[str, Decimal]
    on_account: dict[str, Decimal]


def allocate(invoices: Sequence[Due], payments: Sequence[Paid]) -> Allocated:
    """Allocate payments in the order of their days to invoices in the order of their due days; equal days by id.

    Ids are unique on their side. O(n log n).

    >>> day = date(2026, 11, 2)
    >>> allocate([Due("i1", day, Decimal(100)), Due("i2", day, Decimal(50))], [Paid("p", day, Decimal(120))]).open
    {'i2': Decimal('30')}
    """
    left = {invoice.id: invoice.rupees for invoice in sorted(invoices, key=lambda i: (i.due, i.id)) if invoice.rupees}
    queue, allocations, on_account = list(reversed(left)), list[Allocation](), dict[str, Decimal]()
    for payment in sorted(payments, key=lambda p: (p.day, p.id)):
        rest = payment.rupees
        while rest and queue:
            invoice = queue[-1]
            part = min(rest, left[invoice])
            allocations.append(Allocation(payment.id, invoice, part))
            rest -= part
            left[invoice] -= part
            if not left[invoice]:
                queue.pop()
        if rest:
            on_account[payment.id] = rest
    return Allocated(tuple(allocations), {id: rupees for id, rupees in left.items() if rupees}, on_account)
