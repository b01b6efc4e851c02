"""Brokerage: what a broker earns on a trade, by slabs, and who owes which part of it.

Owns: slabs, the minimum, the division between buyer and seller, the tax on it.
Must not know: entities; the structure is configuration and is handed in.
Invariant: what buyer and seller owe adds up to the brokerage, and more value never earns less
(tests/properties/test_brokerage.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise

from erp_core.gst import BROKERAGE_PCT, Tax, gst
from erp_core.rates import rounded
from erp_core.sharing import share


class Basis(Enum):
    """What the rates of a structure are of."""

    PERCENT_OF_VALUE = "percent of value"
    RUPEES_PER_BALE = "rupees per bale"
    RUPEES_PER_CANDY = "rupees per candy"


@dataclass(frozen=True, slots=True)
class Slab:
    """From this much on (of the basis: rupees, bales or candies) the rate is this; it holds for what lies in the slab only."""

    above: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Structure:
    """How a broker is paid. `slabs` ascend from 0; `minimum` in rupees; `buyer_share`, `seller_share`: a ratio.

    Raises ValueError if the slabs do not begin at 0 or do not ascend, or if a rate, the minimum or a share is negative.
    """

    basis: Basis
    slabs: Sequence[Slab]
    minimum: Decimal = Decimal("0.00")
    buyer_share: int = 1
    seller_share: int = 1

    def __post_init__(self) -> None:
        if not self.slabs or self.slabs[0].above != 0:
            raise ValueError("the first slab begins at 0")
        if any(lower.above >= upper.above for lower, upper in pairwise(self.slabs)):
            raise ValueError("slabs ascend")
        if min(self.minimum, *(slab.rate for slab in self.slabs)) < 0:
            raise ValueError("rates and the minimum are 0 or more")
        if min(self.buyer_share, self.seller_share) < 0 or not self.buyer_share + self.seller_share:
            raise ValueError("somebody pays the broker")


@dataclass(frozen=True, slots=True)
class SlabLine:
    """One line of the working: so much of the basis, at this rate, exactly so many rupees."""

    quantity: Fraction
    rate: Decimal
    rupees: Fraction


@dataclass(frozen=True, slots=True)
class Brokerage:
    """What a broker earns, and from whom. `buyer` + `seller` is `total`; `raised`: the minimum took the place of the slabs."""

    total: Decimal
    buyer: Decimal
    seller: Decimal
    raised: bool
    lines: tuple[SlabLine, ...]


def brokerage(structure: Structure, *, value: Decimal, bales: int, candies: Fraction) -> Brokerage:
    """Work out the brokerage of a trade of `value` rupees, `bales` and `candies` (exact), rounded once to the paisa.

    A trade of nothing earns nothing, the minimum neither. Half a per cent up to 10 lakh and a quarter above, on 16 lakh,
    shared equally (assumed rates):

    >>> usual = Structure(Basis.PERCENT_OF_VALUE, (Slab(Decimal(0), Decimal("0.5")), Slab(Decimal(1000000), Decimal("0.25"))))
    >>> earned = brokerage(usual, value=Decimal(1600000), bales=60, candies=Fraction(28))
    >>> earned.total, earned.buyer, earned.seller
    (Decimal('6500.00'), Decimal('3250.00'), Decimal('3250.00'))
    """
    quantity = {
        Basis.PERCENT_OF_VALUE: Fraction(value),
        Basis.RUPEES_PER_BALE: Fraction(bales),
        Basis.RUPEES_PER_CANDY: candies,
    }[structure.basis]
    lines = tuple(_lines(structure, quantity))
    by_slabs = rounded(sum((line.rupees for line in lines), Fraction(0)))
    raised = quantity > 0 and by_slabs < structure.minimum
    total = rounded(structure.minimum) if raised else by_slabs
    buyer, seller = share(total, (structure.buyer_share, structure.seller_share))
    return Brokerage(total, buyer, seller, raised, lines)


def _lines(structure: Structure, quantity: Fraction) -> list[SlabLine]:
    """Cut `quantity` at the borders of the slabs."""
    per = 100 if structure.basis is Basis.PERCENT_OF_VALUE else 1
    ends = [*(Fraction(slab.above) for slab in structure.slabs[1:]), quantity]
    lines = []
    for slab, end in zip(structure.slabs, ends, strict=True):
        part = min(end, quantity) - Fraction(slab.above)
        if part > 0:
            lines.append(SlabLine(part, slab.rate, part * Fraction(slab.rate) / per))
    return lines


def tax_on(part: Decimal, *, broker: str, payer: str, percent: Decimal = BROKERAGE_PCT) -> Tax:
    """Work out the tax on what one side owes the broker; `broker`, `payer`: state codes or GSTINs.

    The service is supplied where the one who pays is registered (Integrated GST Act 2017, section 12(2)(a)).

    >>> tax_on(Decimal("3250.00"), broker="24", payer="33").igst
    Decimal('585.00')
    """
    return gst(part, percent, supplier=broker, place=payer)
