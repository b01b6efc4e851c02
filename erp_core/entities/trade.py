"""The trade: the contract between a buyer and a seller.

Owns: its declaration and its rules.
Must not know: amendments, invoices.
Invariant: what was agreed is frozen once the trade is confirmed (tests/unit/test_trade.py).
"""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import DERIVED, GUARDED, ONCE, PROSE, Entity, Field, States, locked
from erp_core.units import BALE_KG
from erp_core.values import Choice, Day, Document, Number, Reference, Row, Text
from erp_core.vocabulary import BALE_COUNT, BALES, PERCENT, PRICE_PER_CANDY, RUPEES

STATES = States(
    "state",
    {
        "draft": ("confirmed", "cancelled"),
        "confirmed": ("in_delivery", "cancelled", "disputed"),
        "in_delivery": ("completed", "disputed"),
        "completed": ("disputed",),
        "disputed": ("in_delivery", "completed", "cancelled"),
        "cancelled": (),
    },
)


def _confirmed(row: Row) -> bool:
    return bool(row["state"] != "draft")


TERMS = locked(_confirmed)
BALE_WEIGHT = Number(6, 2, "kg", Decimal(100), Decimal(300))
"""From half-pressed bales to the 227 kg of the United States, with room."""

TRADE = Entity(
    name="trade",
    table="trades",
    title="Trade",
    states=STATES,
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("buyer_id", Reference("business_partner"), TERMS, required=True),
        Field("seller_id", Reference("business_partner"), TERMS, required=True),
        Field("broker_id", Reference("business_partner"), TERMS),
        Field("availability_id", Reference("availability"), TERMS),
        Field("commodity_id", Reference("commodity"), TERMS, required=True),
        Field("variety_id", Reference("variety"), TERMS),
        Field("bales", BALES, TERMS, required=True),
        Field(
            "bale_weight_kg", BALE_WEIGHT, TERMS, required=True, default=BALE_KG, help="agreed net weight of one bale"
        ),
        Field("price_per_candy", PRICE_PER_CANDY, TERMS, required=True),
        Field("brokerage_pct", PERCENT, TERMS, required=True, default=Decimal("0.00")),
        Field("tax_pct", PERCENT, TERMS, required=True, default=Decimal("0.00")),
        Field("delivery_terms", Text(200), TERMS),
        Field("payment_terms", Text(200), TERMS),
        Field(
            "quality_bases",
            Document(),
            TERMS,
            help='limits as in erp_core/quality.py: {"staple_mm_min": "29", "staple_mm_allowance": "0.5"}',
        ),
        Field("trade_date", Day(), TERMS, required=True),
        Field("deliver_from", Day(), TERMS),
        Field("deliver_until", Day(), TERMS),
        Field("amount", RUPEES, DERIVED, help="the agreed bales at the agreed weight and price, without tax"),
        Field("tax_amount", RUPEES, DERIVED, help="tax_pct of the amount"),
        Field("bales_dispatched", BALE_COUNT, DERIVED, required=True, default=0, help="over its lorries"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
        Field("remarks", Text(10_000), PROSE),
    ),
)
