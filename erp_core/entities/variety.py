"""The variety of a commodity: Shankar-6, J-34, MCU-5, with the quality that is usual for it.

Owns: its declaration and its rules.
Must not know: contracts; they state their own bases.
Invariant: a lower limit is at or below its upper one (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from erp_core.access import EVERYBODY, Access
from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.quality import BY_NAME as QUALITIES
from erp_core.rules import in_order
from erp_core.scopes import Everybody
from erp_core.values import Flag, Reference, Text

STAPLE, MICRONAIRE = QUALITIES["staple_mm"].type, QUALITIES["micronaire"].type

VARIETY = Entity(
    name="variety",
    table="varieties",
    title="Variety",
    access=Access(
        read=EVERYBODY, create=("commodity.manage",), update=("commodity.manage",), delete=("commodity.manage",)
    ),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(in_order("staple_min_mm", "staple_max_mm"), in_order("micronaire_min", "micronaire_max")),
    fields=(
        Field("commodity_id", Reference("commodity"), ONCE, required=True),
        Field("name", Text(80), required=True),
        Field("staple_min_mm", STAPLE),
        Field("staple_max_mm", STAPLE),
        Field("micronaire_min", MICRONAIRE),
        Field("micronaire_max", MICRONAIRE),
        Field("is_active", Flag(), required=True, default=True),
    ),
    uniques=(("commodity_id", "name"),),
)
