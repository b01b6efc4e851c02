"""The unit of measure: how many kilograms a bale, a candy or a quintal is.

Owns: its declaration and its rules.
Must not know: how a conversion is rounded (erp_core/units.py).
Invariant: a factor is positive (tests/unit/test_reference_data.py).
"""

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
