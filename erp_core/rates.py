"""Exact conversion of prices and weights: fractions all the way, one rounding at the end.

Owns: conversion without loss between candy, bale, kilogram, quintal and maund, and the rounding of a fraction to a step.
Must not know: entities.
Invariant: an exact conversion there and back is the value itself (tests/properties/test_rates.py).

money.price_per gives one rounded figure for a person to read; these are for a chain of steps (price per quintal of seed
cotton, per candy of lint, per bale of a contract) of which only the last may round.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from erp_core.units import BALE_KG, KG_OF

PAISE: Final = 2
"""Places of a rupee amount."""


def kilograms_of(unit: str, bale_weight_kg: Decimal = BALE_KG) -> Fraction:
    """Give the kilograms of one `unit` exactly; a bale weighs what its contract says.

    Raises KeyError for an unknown unit, ValueError for a bale without weight.

    >>> kilograms_of("candy"), kilograms_of("bale", Decimal(165))
    (Fraction(17781, 50), Fraction(165, 1))
    """
    if bale_weight_kg <= 0:
        raise ValueError(f"a bale weighs more than nothing, not {bale_weight_kg} kg")
    return Fraction(bale_weight_kg if unit == "bale" else KG_OF[unit])


def exact_weight(quantity: Decimal | Fraction, unit: str, into: str, *, bale_weight_kg: Decimal = BALE_KG) -> Fraction:
    """Convert a quantity without rounding. Raises as `kilograms_of`.

    >>> rounded(exact_weight(Decimal(100), "bale", "candy"), 3)
    Decimal('47.804')
    """
    return Fraction(quantity) * kilograms_of(unit, bale_weight_kg) / kilograms_of(into, bale_weight_kg)


def exact_price(price: Decimal | Fraction, unit: str, into: str, *, bale_weight_kg: Decimal = BALE_KG) -> Fraction:
    """Convert a price per `unit` into one per `into` without rounding. Raises as `kilograms_of`.

    62 000 rupees a candy for bales of 170 kg (assumed figures) are 29 638.38 a bale and, from that exact price, 62 000 again:

    >>> bale = exact_price(Decimal(62000), "candy", "bale")
    >>> rounded(bale), rounded(exact_price(bale, "bale", "candy"))
    (Decimal('29638.38'), Decimal('62000.00'))
    """
    return Fraction(price) * kilograms_of(into, bale_weight_kg) / kilograms_of(unit, bale_weight_kg)


def rounded(value: Decimal | Fraction, places: int = PAISE) -> Decimal:
    """Round to `places` after the point, half to even; exact at the half, whatever the size.

    >>> rounded(Fraction(1, 8)), rounded(Fraction(3, 8)), rounded(Fraction(-1, 3), 4)
    (Decimal('0.12'), Decimal('0.38'), Decimal('-0.3333'))
    """
    units = round(Fraction(value) * 10**places)
    digits = Decimal(abs(units)).as_tuple().digits
    return Decimal((int(units < 0), digits, -places))
