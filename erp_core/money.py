"""Money: prices per candy, kilogram, quintal and bale, amounts in rupees, and how each is rounded.

Owns: rounding to the paisa, the conversion of prices, and the arithmetic of a contract's value and tax.
Must not know: entities.
Invariant: an amount has two places, rounded once, half to even (tests/unit/test_money.py).

A contract is priced per candy. The other prices are for people who think in them; whoever needs an amount works it out
from the price per candy, not from a converted and rounded one.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from erp_core.units import BALE_KG, CANDY_KG, KG_OF, bales_in_candies

PAISA: Final = Decimal("0.01")


def to_paise(amount: Decimal) -> Decimal:
    """Round to the paisa, half to even, so that many roundings do not add up to one side.

    >>> to_paise(Decimal("10.125")), to_paise(Decimal("10.135"))
    (Decimal('10.12'), Decimal('10.14'))
    """
    return amount.quantize(PAISA, rounding=ROUND_HALF_EVEN)


def price_per(unit: str, price_per_candy: Decimal, *, bale_weight_kg: Decimal = BALE_KG) -> Decimal:
    """Convert a price per candy into one per `unit` (a code of units.KG_OF), rounded to the paisa, half to even.

    Raises KeyError for an unknown unit.

    >>> [price_per(unit, Decimal(62000)) for unit in ("kg", "quintal", "bale")]
    [Decimal('174.34'), Decimal('17434.34'), Decimal('29638.38')]
    """
    weight_kg = bale_weight_kg if unit == "bale" else KG_OF[unit]
    return to_paise(price_per_candy * weight_kg / CANDY_KG)


def price_per_candy(price: Decimal, unit: str, *, bale_weight_kg: Decimal = BALE_KG) -> Decimal:
    """Convert a price per `unit` into one per candy, rounded to the paisa, half to even; the way back of `price_per`.

    Raises KeyError for an unknown unit.

    >>> price_per_candy(Decimal("17434.34"), "quintal"), price_per_candy(Decimal("174.34"), "kg")
    (Decimal('62000.00'), Decimal('61998.79'))
    """
    weight_kg = bale_weight_kg if unit == "bale" else KG_OF[unit]
    return to_paise(price * CANDY_KG / weight_kg)


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
