"""Money: amounts in rupees, and how each is rounded.

Owns: rounding to the paisa, and the arithmetic of a contract's value and tax.
Must not know: entities.
Invariant: an amount has two places, rounded once, half to even (tests/unit/test_money.py).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from erp_core.units import bales_in_candies

PAISA: Final = Decimal("0.01")


def to_paise(amount: Decimal) -> Decimal:
    """Round to the paisa, half to even, so that many roundings do not add up to one side.

    >>> to_paise(Decimal("10.125")), to_paise(Decimal("10.135"))
    (Decimal('10.12'), Decimal('10.14'))
    """
    return amount.quantize(PAISA, rounding=ROUND_HALF_EVEN)


def percent_of(amount: Decimal, percent: Decimal) -> Decimal:
    """Give `percent` per cent of `amount` in rupees.

    >>> percent_of(Decimal("2963834.43"), Decimal(5))
    Decimal('148191.72')
    """
    return to_paise(amount * percent / 100)


def lint_amount(bales: int, bale_weight_kg: Decimal, price_per_candy: Decimal) -> Decimal:
    """Give the value of `bales` in rupees, without tax.

    >>> lint_amount(100, Decimal(170), Decimal(62000))
    Decimal('2963837.80')
    """
    return to_paise(bales_in_candies(bales, bale_weight_kg) * price_per_candy)
