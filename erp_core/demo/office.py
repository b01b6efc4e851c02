"""What the office of the demo keeps: years, series of numbers, an account, conversions, limits of quality, terms.

Owns: the lists as a trading house would keep them; rates of brokerage and days are examples, no facts.
Must not know: partners and documents.
Invariant: conversions are those of erp_core/units.py; every id is fixed (tests/unit/test_demo.py).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from erp_core.demo.ids import fixed_id
from erp_core.demo.places import REGIONS
from erp_core.demo.rows import Pile
from erp_core.entities.commission_structure import COMMISSION_STRUCTURE
from erp_core.entities.document_series import DOCUMENT_SERIES
from erp_core.entities.financial_year import FINANCIAL_YEAR
from erp_core.entities.organisation_bank_account import ORGANISATION_BANK_ACCOUNT
from erp_core.entities.quality_parameter import QUALITY_PARAMETER
from erp_core.entities.terms import (
    BARGAIN_TYPE,
    DELIVERY_TERM,
    PASSING_TERM,
    PAYMENT_TERM,
    TRADE_TYPE,
    WEIGHMENT_TERM,
)
from erp_core.entities.unit_conversion import FACTOR, UNIT_CONVERSION
from erp_core.language import Entity
from erp_core.units import BALE_KG, KG_OF

YEARS: Final = (
    # the year runs from April to March: Companies Act 2013, section 2(41)
    ("2025-26", date(2025, 4, 1), date(2026, 3, 31), True),
    ("2026-27", date(2026, 4, 1), date(2027, 3, 31), False),
)
SERIES: Final = (
    # kind of document, letter, digits
    ("availability", "A", 6),
    ("requirement", "R", 6),
    ("trade", "T", 6),
    ("dispatch", "D", 6),
    ("invoice", "I", 5),
)
WEIGHED_IN_KG: Final = ("quintal", "tonne", "candy", "maund", "maund_20")
LIMITS: Final = (
    # parameter, least, most, mandatory, decimals: lint as it is traded (staple 20 to 40 mm, micronaire 2.5 to 7)
    ("staple_mm", "20.00", "40.00", True, 1),
    ("micronaire", "2.50", "7.00", True, 2),
    ("strength_g_tex", "20.00", "45.00", False, 1),
    ("moisture_pct", None, "10.00", True, 2),
    ("trash_pct", None, "8.00", True, 2),
    ("rd", "60.00", "85.00", False, 1),
    ("plus_b", "5.00", "15.00", False, 1),
    ("short_fibre_index", None, "20.00", False, 1),
)
TERMS: Final[tuple[tuple[Entity, str, str, dict[str, Any]], ...]] = (
    (PAYMENT_TERM, "ADV", "Advance", {"advance_pct": Decimal("100.00")}),
    (PAYMENT_TERM, "DEL", "Against delivery", {}),
    (PAYMENT_TERM, "15D", "15 days", {"days": 15, "discount_pct": Decimal("0.50")}),
    (PAYMENT_TERM, "30D", "30 days", {"days": 30, "interest_pct": Decimal("12.00")}),
    (DELIVERY_TERM, "EXG", "Ex gin", {"days": 15, "loading_included": True}),
    (
        DELIVERY_TERM,
        "MILL",
        "Delivered mill",
        {"days": 20, "freight_included": True, "insurance_included": True, "loading_included": True},
    ),
    (WEIGHMENT_TERM, "GIN", "Weight of the gin", {"weighed_at": "seller", "tolerance_pct": Decimal("0.50")}),
    (WEIGHMENT_TERM, "BRIDGE", "Public weighbridge", {"weighed_at": "weighbridge", "days": 2}),
    (
        PASSING_TERM,
        "GIN",
        "Passed at the gin",
        {"passed_at": "seller", "sample_pct": Decimal("10.00"), "is_final": True},
    ),
    (PASSING_TERM, "HVI", "Passed by HVI", {"passed_at": "laboratory", "days": 5, "sample_pct": Decimal("5.00")}),
    (TRADE_TYPE, "DOM", "Domestic", {"kind": "domestic"}),
    (TRADE_TYPE, "EXP", "Export", {"kind": "export"}),
    (BARGAIN_TYPE, "FIX", "Fixed price", {"price_kind": "fixed"}),
    (BARGAIN_TYPE, "CALL", "On call", {"price_kind": "on_call"}),
    (BARGAIN_TYPE, "NET", "Net of brokerage", {"price_kind": "negotiable", "brokerage_included": True}),
)


def add_books(pile: Pile, org_id: str) -> None:
    """Add two financial years, the series of each branch in the open one, and the account of the house."""
    for name, starts_on, ends_on, is_closed in YEARS:
        dates = {"starts_on": starts_on, "ends_on": ends_on}
        pile.add(
            FINANCIAL_YEAR, fixed_id("Year", name), organisation_id=org_id, name=name, **dates, is_closed=is_closed
        )
    for region in REGIONS:
        for kind, letter, width in SERIES:
            pile.add(
                *(DOCUMENT_SERIES, fixed_id("Series", f"{region.code}{letter}")),
                branch_id=region.branch_id,
                kind=kind,
                financial_year_id=fixed_id("Year", "2026-27"),
                prefix=f"{region.code}/26-27/{letter}",
                width=width,
            )
    pile.add(
        *(ORGANISATION_BANK_ACCOUNT, fixed_id("Account", "main")),
        account_name="Shvet Kapas Trading Private Limited",
        account_number="000000012345",  # no bank gives out one that begins so
        ifsc="DEMO0000001",
        bank_name="Demo Bank, Rajkot",
    )


def add_measures(pile: Pile, lint: str) -> None:
    """Add the conversions into kilograms and back, the bale of lint, and the limits of lint."""
    kg = fixed_id("Unit", "kg")
    for code in WEIGHED_IN_KG:
        unit, factor = fixed_id("Unit", code), KG_OF[code]
        _conversion(pile, f"{code}In", unit, kg, factor, None)
        _conversion(pile, f"{code}Of", kg, unit, 1 / factor, None)
    _conversion(pile, "baleIn", fixed_id("Unit", "bale"), kg, BALE_KG, lint)
    for parameter, least, most, mandatory, decimals in LIMITS:
        pile.add(
            *(QUALITY_PARAMETER, fixed_id("Limit", parameter)),
            commodity_id=lint,
            parameter=parameter,
            limit_min=None if least is None else Decimal(least),
            limit_max=None if most is None else Decimal(most),
            is_mandatory=mandatory,
            decimals=decimals,
        )


def _conversion(pile: Pile, name: str, unit: str, into: str, factor: Decimal, commodity: str | None) -> None:
    exact = factor.quantize(FACTOR.step)
    pile.add(
        *(UNIT_CONVERSION, fixed_id("Conv", name)),
        from_unit_id=unit,
        to_unit_id=into,
        commodity_id=commodity,
        factor=exact,
    )


def add_terms(pile: Pile) -> None:
    """Add the terms, and two ways of paying a broker."""
    for entity, code, name, own in TERMS:
        pile.add(entity, fixed_id(entity.title.replace(" ", "")[:10], code), code=code, name=name, **own)
    half_and_quarter = [{"above": 0, "rate": 0.5}, {"above": 1_000_000, "rate": 0.25}]
    usual = {"basis": "percent_of_value", "slabs": {"slabs": half_and_quarter}, "minimum_amount": Decimal("500.00")}
    per_bale = {"basis": "rupees_per_bale", "slabs": {"slabs": [{"above": 0, "rate": 50}]}, "buyer_share": 0}
    pile.add(COMMISSION_STRUCTURE, fixed_id("Commission", "usual"), code="USUAL", name="Shared by both", **usual)
    pile.add(
        COMMISSION_STRUCTURE, fixed_id("Commission", "bale"), code="BALE", name="Seller pays by the bale", **per_bale
    )
