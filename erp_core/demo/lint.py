"""How lint turns out: what each variety measures, what is said, wanted and owed of it, and what an inspection finds.

Owns: the documents of quality and the readings of the demo.
Must not know: rows.
Invariant: the documents are as erp_core/quality.py reads them, and most lots pass (tests/unit/test_demo.py).
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any, Final

from erp_core.demo.reference import VARIETIES

STAPLES: Final = {name: (Decimal(least), Decimal(most)) for name, least, most, *_ in VARIETIES}
MICRONAIRES: Final = {name: (Decimal(finest), Decimal(coarsest)) for name, _, _, finest, coarsest in VARIETIES}
GRADES: Final = ("Superfine", "Fine", "Fully good", "Good")


def stated(rng: Random, variety: str) -> dict[str, str]:
    """Say what a seller says of a lot: readings that the variety has."""
    return {
        "staple_mm": str(between(rng, *STAPLES[variety], 1)),
        "micronaire": str(between(rng, *MICRONAIRES[variety], 2)),
    }


def wanted(variety: str) -> dict[str, dict[str, str]]:
    """Give the limits within which a buyer takes a lot."""
    staple, (finest, coarsest) = STAPLES[variety][0], MICRONAIRES[variety]
    return {
        "staple_mm": {"min": str(staple)},
        "micronaire": {"min": str(finest), "max": str(coarsest)},
        "moisture_pct": {"max": "8.50"},
        "trash_pct": {"max": "3.50"},
    }


def owed(variety: str) -> dict[str, dict[str, str]]:
    """Give what a contract owes, how far it may be missed, and from where on the lot can be rejected."""
    staple, (finest, coarsest) = STAPLES[variety][0], MICRONAIRES[variety]
    middle, either_side = (finest + coarsest) / 2, (coarsest - finest) / 2
    return {
        "staple_mm": {"base": str(staple + Decimal("0.5")), "allowance": "0.5", "reject": "1.5"},
        "micronaire": {"base": str(middle), "allowance": str(either_side), "reject": str(either_side + Decimal("0.5"))},
        "moisture_pct": {"base": "8.00", "allowance": "0.50", "reject": "2.00"},
        "trash_pct": {"base": "3.00", "allowance": "0.50", "reject": "2.00"},
    }


def readings(rng: Random, variety: str, hvi: bool) -> dict[str, Any]:
    """Draw readings about what the variety grows to; strength, colour and short fibres only come from an instrument."""
    least, most = STAPLES[variety]
    found: dict[str, Any] = {
        "staple_mm": between(rng, least - Decimal("0.2"), most, 1),
        "micronaire": between(rng, *MICRONAIRES[variety], 2),
        "moisture_pct": between(rng, Decimal("6.00"), Decimal("8.60"), 2),
        "trash_pct": between(rng, Decimal("1.50"), Decimal("3.60"), 2),
        "grade": rng.choice(GRADES),
    }
    if rng.random() < 0.03:
        found["trash_pct"] = between(rng, Decimal("5.10"), Decimal("7.00"), 2)  # nobody takes this
    if hvi:
        found |= {
            "strength_g_tex": between(rng, Decimal("26.0"), Decimal("34.0"), 1),
            "rd": between(rng, Decimal("70.0"), Decimal("79.0"), 1),
            "plus_b": between(rng, Decimal("7.0"), Decimal("10.5"), 1),
            "short_fibre_index": between(rng, Decimal("5.0"), Decimal("11.0"), 1),
        }
    return found


def between(rng: Random, least: Decimal, most: Decimal, places: int) -> Decimal:
    """Draw a decimal of `places` places from `least` to `most`, both included."""
    scale = 10**places
    return Decimal(rng.randint(int(least * scale), int(most * scale))).scaleb(-places)
