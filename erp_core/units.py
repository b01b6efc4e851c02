"""Weights of the cotton trade and conversions between them.

Owns: the candy, the quintal, the maund and the bale in kilograms, and how a conversion is rounded.
Must not know: entities, money.
Invariant: a conversion there and back differs by less than one rounding step (tests/unit/test_units.py).

All weights are `Decimal`; a result is rounded half to even at the step that is named, once, at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

CANDY_KG: Final = Decimal("355.62")
"""784 lb. The exact product, 784 × 0.45359237 kg = 355.616… kg, is rounded to 355.62 in every Indian contract and price list
(Cotton Association of India, Cotton Corporation of India)."""
QUINTAL_KG: Final = Decimal(100)
MAUND_KG: Final = Decimal("37.3242")
"""The standard maund of 40 seers (82 2/7 lb), as the Weights and Measures acts converted it in 1956."""
MAUND_20_KG: Final = Decimal(20)
"""What "maund" means in the market yards of Gujarat, where seed cotton is auctioned per 20 kg."""
BALE_KG: Final = Decimal(170)
"""Net weight of the Indian standard bale (IS 12171); real ones weigh 150 to 175, so a contract states its own."""

KG_OF: Final[Mapping[str, Decimal]] = {
    "kg": Decimal(1),
    "quintal": QUINTAL_KG,
    "candy": CANDY_KG,
    "maund": MAUND_KG,
    "maund_20": MAUND_20_KG,
    "bale": BALE_KG,
    "tonne": Decimal(1000),
}
"""Unit code -> kilograms; the demo's `units` rows and the conversions below are the same table."""

GRAM: Final = Decimal("0.001")


def convert(quantity: Decimal, unit: str, into: str, *, step: Decimal = GRAM) -> Decimal:
    """Convert `quantity` of `unit` into the unit `into`, rounded half to even to a multiple of `step`'s last place.

    Raises KeyError for an unknown unit.

    >>> convert(Decimal(1), "candy", "kg"), convert(Decimal(100), "bale", "candy")
    (Decimal('355.620'), Decimal('47.804'))
    """
    return (quantity * KG_OF[unit] / KG_OF[into]).quantize(step, rounding=ROUND_HALF_EVEN)


def bales_in_candies(bales: int, bale_weight_kg: Decimal) -> Decimal:
    """Give the candies of `bales` at their agreed weight, unrounded: money is rounded once, at the end.

    >>> bales_in_candies(100, Decimal(170)).quantize(GRAM)
    Decimal('47.804')
    """
    return bales * bale_weight_kg / CANDY_KG
