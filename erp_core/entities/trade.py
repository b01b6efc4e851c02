"""A trade: the contract between a buyer and a seller."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import GUARDED, ONCE, PROSE, Entity, Field, States, locked
from erp_core.values import Choice, Day, Document, Integer, Number, Reference, Row, Text

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
        Field("bales", Integer(1, 1_000_000), TERMS, required=True),
        Field("price_per_candy", Number(12, 2, "INR/candy"), TERMS, required=True),
        Field("brokerage_pct", Number(5, 2, "%", most=Decimal(100)), TERMS, required=True, default=Decimal("0.00")),
        Field("tax_pct", Number(5, 2, "%", most=Decimal(100)), TERMS, required=True, default=Decimal("0.00")),
        Field("delivery_terms", Text(200), TERMS),
        Field("payment_terms", Text(200), TERMS),
        Field("quality_bases", Document(), TERMS),
        Field("trade_date", Day(), TERMS, required=True),
        Field("deliver_from", Day(), TERMS),
        Field("deliver_until", Day(), TERMS),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
        Field("remarks", Text(10_000), PROSE),
    ),
)
