"""The settlement of a trade: who owes whom what, after quality, weight, brokerage, tax and payments; and a buyer's exposure.

Owns: the order of the lines and the three accounts (buyer, seller, broker); what counts as exposure.
Must not know: entities.
Invariant: the lines of an account add up to its balance (tests/properties/test_settlement.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from erp_core.brokerage import Brokerage, tax_on
from erp_core.gst import PaidBy, gst


@dataclass(frozen=True, slots=True)
class Parties:
    """Where the parties of a trade are registered, as state codes or GSTINs; None: not at all (no tax is charged by them)."""

    buyer: str | None
    seller: str | None
    broker: str | None = None


@dataclass(frozen=True, slots=True)
class Supplied:
    """Rupees for what was supplied: `what` as in a line, the tax on it, and where (state code) it was supplied."""

    what: str
    rupees: Decimal
    tax_pct: Decimal
    place: str | None


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """`what` is a key of the catalogue of words; `rupees` above 0 are owed on by the debtor, below 0 taken off."""

    what: str
    rupees: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """What one party owes another: lines and the balance that they add up to; below 0 it is owed the other way."""

    debtor: str
    creditor: str
    lines: tuple[SettlementLine, ...]

    @property
    def balance(self) -> Decimal:
        return sum((line.rupees for line in self.lines), Decimal("0.00"))


def settle(
    parties: Parties,
    supplied: Sequence[Supplied],
    *,
    paid_by: PaidBy = PaidBy.SUPPLIER,
    earned: Brokerage | None = None,
    paid: Sequence[Decimal] = (),
) -> tuple[Account, ...]:
    """Settle a trade: the goods between buyer and seller, and what either owes the broker.

    `supplied`: goods, and what quality and weight move, each line with its tax as on an invoice; `paid`: what the buyer paid
    already. Tax is on the settled value of the goods, since a discount that the contract knew of leaves the value of the supply
    (Central GST Act 2017, section 15(3)). Figures assumed:

    >>> goods, off = Supplied("goods", Decimal("2963837.80"), Decimal(5), "33"), Decimal("-20000.00")
    >>> accounts = settle(Parties("33", "24"), [goods, Supplied("quality", off, Decimal(5), "33")], paid=(Decimal(2000000),))
    >>> accounts[0].balance
    Decimal('1091029.69')
    """
    whats = dict.fromkeys(line.what for line in supplied)
    nothing = Decimal("0.00")
    lines = [SettlementLine(w, sum((s.rupees for s in supplied if s.what == w), nothing)) for w in whats]
    taxes = [
        gst(line.rupees, line.tax_pct, supplier=parties.seller, place=line.place, paid_by=paid_by)
        for line in supplied
        if parties.seller is not None and line.place is not None
    ]
    charged = [tax for tax in taxes if tax.charged]
    for name in ("cgst", "sgst", "utgst", "igst"):
        part = sum((getattr(tax, name) for tax in charged), nothing)
        lines += [SettlementLine(name, part)] if part else []
    lines += [SettlementLine("payment", -rupees) for rupees in paid]
    accounts = [Account("buyer", "seller", tuple(lines))]
    if earned is not None:
        sides = (("buyer", earned.buyer, parties.buyer), ("seller", earned.seller, parties.seller))
        accounts += [_to_broker(side, part, parties.broker, state) for side, part, state in sides if part]
    return tuple(accounts)


def _to_broker(side: str, part: Decimal, broker: str | None, payer: str | None) -> Account:
    lines = [SettlementLine("brokerage", part)]
    if broker is not None:
        lines.append(SettlementLine("brokerage_tax", tax_on(part, broker=broker, payer=payer or broker).total))
    return Account(side, "broker", tuple(lines))


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """An open purchase: its value with tax, and how much of it is on invoices by now; rupees."""

    value: Decimal
    invoiced: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is at risk with a buyer, rupees: not yet invoiced, invoiced and not paid, less money on account, in all."""

    uninvoiced: Decimal
    unpaid: Decimal
    on_account: Decimal

    @property
    def total(self) -> Decimal:
        return max(self.uninvoiced + self.unpaid - self.on_account, Decimal("0.00"))


def credit_exposure(
    trades: Sequence[OpenTrade], unpaid: Sequence[Decimal], on_account: Sequence[Decimal] = ()
) -> Exposure:
    """Add up a buyer's exposure: no rupee of a trade counts twice, once as the trade and once as its invoice.

    >>> credit_exposure([OpenTrade(Decimal(300), Decimal(100))], [Decimal(60)], [Decimal(10)]).total
    Decimal('250')
    """
    nothing = Decimal(0)
    open_value = sum((max(trade.value - trade.invoiced, nothing) for trade in trades), nothing)
    return Exposure(open_value, sum(unpaid, nothing), sum(on_account, nothing))
