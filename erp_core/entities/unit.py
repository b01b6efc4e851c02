"""A unit of measure, with its factor to the base unit of its dimension."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.values import Choice, Number, Text

UNIT = Entity(
    name="unit",
    table="units",
    title="Unit",
    phone=Phone.DOWN,
    fields=(
        Field("code", Text(40), ONCE, required=True, unique=True),
        Field("name", Text(120), required=True),
        Field("dimension", Choice(("mass", "length", "count", "percentage", "currency")), required=True),
        Field("factor_to_base", Number(15, 6, least=Decimal("0.000001")), required=True),
    ),
)
