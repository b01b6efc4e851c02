"""A commodity that the house trades."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import BAG, Entity, Field, Phone
from erp_core.values import Choice, Flag, Number, Reference, Text, Words

COMMODITY = Entity(
    name="commodity",
    table="commodities",
    title="Commodity",
    phone=Phone.DOWN,
    fields=(
        Field("name", Text(120), required=True, unique=True),
        Field("category", Choice(("lint", "seed_cotton", "cotton_seed", "waste", "yarn", "oil_cake")), required=True),
        Field("hsn", Text(8), required=True),
        Field("base_unit_id", Reference("unit"), required=True),
        Field("trade_unit_id", Reference("unit"), required=True),
        Field("rate_unit_id", Reference("unit"), required=True),
        Field("standard_weight_kg", Number(10, 3, "kg")),
        Field("gst_rate_pct", Number(5, 2, "%", most=Decimal(100)), required=True),
        Field("grades", Words(), BAG, required=True, default=()),
        Field("is_active", Flag(), required=True, default=True),
    ),
)
