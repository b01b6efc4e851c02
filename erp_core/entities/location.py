"""A place of the trade."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import DERIVED, Entity, Field, Phone
from erp_core.values import Choice, Number, Text

KINDS = ("gin", "warehouse", "market_yard", "port", "mill", "office")

LOCATION = Entity(
    name="location",
    table="locations",
    title="Location",
    phone=Phone.DOWN,
    fields=(
        Field("name", Text(120), required=True),
        Field("kind", Choice(KINDS), required=True),
        Field("place_id", Text(120), unique=True),
        Field("address", Text(500)),
        Field("pincode", Text(6)),
        Field("district", Text(80)),
        Field("state", Text(60)),
        Field("country", Text(2), required=True, default="IN"),
        Field("latitude", Number(9, 6, "degree", Decimal(-90), Decimal(90))),
        Field("longitude", Number(9, 6, "degree", Decimal(-180), Decimal(180))),
        Field("geohash", Text(12), DERIVED),
        Field("timezone", Text(40), required=True, default="Asia/Kolkata"),
    ),
    uniques=(("name", "pincode"),),
)
