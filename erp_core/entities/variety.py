"""A variety of a commodity."""

from __future__ import annotations

from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.values import Flag, Number, Reference, Text

VARIETY = Entity(
    name="variety",
    table="varieties",
    title="Variety",
    phone=Phone.DOWN,
    fields=(
        Field("commodity_id", Reference("commodity"), ONCE, required=True),
        Field("name", Text(80), required=True),
        Field("staple_min_mm", Number(4, 1, "mm")),
        Field("staple_max_mm", Number(4, 1, "mm")),
        Field("is_active", Flag(), required=True, default=True),
    ),
    uniques=(("commodity_id", "name"),),
)
