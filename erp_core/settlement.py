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
from erp_core.money import lint_amount


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trade was agreed on, and where its parties are: state codes or GSTINs. `place`: where the goods are supplied."""

    bales: int
    bale_weight_kg: Decimal
    price_per_candy: Decimal
    tax_pct: Decimal
    buyer_state: str
    seller_state: str
    place: str
    broker_state: str | None = None
    tax_paid_by: PaidBy = PaidBy.SUPPLIER


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
    terms: Terms,
    *,
    quality: Decimal,
    weight: Decimal,
    earned: Brokerage | None = None,
    paid: Sequence[Decimal] = (),
) -> tuple[Account, ...]:
    """Settle a trade: the goods between buyer and seller, and what either owes the broker.

    `quality`, `weight`: rupees of premiums.quality_value and net_weight.weight_difference, below 0 when the seller is paid
    less; `paid`: what the buyer paid already. Tax is on the settled value of the goods, since a discount that the contract
    knew of leaves the value of the supply (Central GST Act 2017, section 15(3)). Figures assumed:

    >>> terms = Terms(100, Decimal(170), Decimal(62000), Decimal(5), "33", "24", "33")
    >>> settle(terms, quality=Decimal("-20000.00"), weight=Decimal("-18435.07"), paid=(Decimal(2000000),))[0].balance
    Decimal('1071672.87')
    """
    goods = lint_amount(terms.bales, terms.bale_weight_kg, terms.price_per_candy)
    taxable = goods + quality + weight
    tax = gst(taxable, terms.tax_pct, supplier=terms.seller_state, place=terms.place, paid_by=terms.tax_paid_by)
    charged = tax.charged
    lines = [SettlementLine("goods", goods), SettlementLine("quality", quality), SettlementLine("weight", weight)]
    if charged:
        parts = (("cgst", tax.cgst), ("sgst", tax.sgst), ("utgst", tax.utgst), ("igst", tax.igst))
        lines += [SettlementLine(name, rupees) for name, rupees in parts if rupees]
    lines += [SettlementLine("payment", -rupees) for rupees in paid]
    accounts = [Account("buyer", "seller", tuple(lines))]
    if earned is not None and terms.broker_state is not None:
        sides = (("buyer", earned.buyer, terms.buyer_state), ("seller", earned.seller, terms.seller_state))
        accounts += [_to_broker(side, part, terms.broker_state, state) for side, part, state in sides if part]
    return tuple(accounts)


def _to_broker(side: str, part: Decimal, broker: str, payer: str) -> Account:
    tax = tax_on(part, broker=broker, payer=payer).total
    return Account(side, "broker", (SettlementLine("brokerage", part), SettlementLine("brokerage_tax", tax)))


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
