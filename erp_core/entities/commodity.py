"""The commodity: lint, seed cotton and what else is traded, with its units and its tax.

Owns: its declaration and its rules.
Must not know: prices.
Invariant: its HSN code has 4 to 8 digits (tests/unit/test_reference_data.py).
"""

from __future__ import annotations

import re
from decimal import Decimal

from erp_core.language import BAG, Entity, Field, Phone
from erp_core.values import Choice, Flag, Number, Reference, Text, Words
from erp_core.vocabulary import PERCENT

COMMODITY = Entity(
    name="commodity",
    table="commodities",
    title="Commodity",
    phone=Phone.DOWN,
    fields=(
        Field("name", Text(120), required=True, unique=True),
        Field("category", Choice(("lint", "seed_cotton", "cotton_seed", "waste", "yarn", "oil_cake")), required=True),
        Field("hsn", Text(8, re.compile("[0-9]{4,8}"), "5201"), required=True),
        Field("base_unit_id", Reference("unit"), required=True),
        Field("trade_unit_id", Reference("unit"), required=True),
        Field("rate_unit_id", Reference("unit"), required=True),
        Field("standard_weight_kg", Number(10, 3, "kg", Decimal("0.001"))),
        Field("gst_rate_pct", PERCENT, required=True),
        Field("grades", Words(), BAG, required=True, default=()),
        Field("is_active", Flag(), required=True, default=True),
    ),
)
