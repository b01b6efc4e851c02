"""The location: a gin, warehouse, market yard, port, mill or office.

Owns: its declaration and its rules.
Must not know: maps.
Invariant: the geohash follows from the coordinates (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

import re

from erp_core.access import EVERYBODY, Access
from erp_core.geohash import derive_geohash
from erp_core.language import DERIVED, Entity, Field, Phone
from erp_core.rules import in_pairs
from erp_core.scopes import Everybody
from erp_core.values import Choice, Text
from erp_core.vocabulary import LATITUDE, LONGITUDE, PINCODE, STATE

KINDS = ("gin", "warehouse", "market_yard", "port", "mill", "office")

LOCATION = Entity(
    name="location",
    table="locations",
    title="Location",
    access=Access(
        read=EVERYBODY, create=("location.manage",), update=("location.manage",), delete=("location.manage",)
    ),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(in_pairs("latitude", "longitude"),),
    derive=derive_geohash,
    fields=(
        Field("name", Text(120), required=True),
        Field("kind", Choice(KINDS), required=True),
        Field("place_id", Text(120), unique=True),
        Field("address", Text(500)),
        Field("pincode", PINCODE),
        Field("district", Text(80)),
        Field("state", STATE),
        Field("country", Text(2, re.compile("[A-Z]{2}"), "IN"), required=True, default="IN", help="ISO 3166-1"),
        Field("latitude", LATITUDE),
        Field("longitude", LONGITUDE),
        Field("geohash", Text(12), DERIVED),
        Field("timezone", Text(40), required=True, default="Asia/Kolkata"),
    ),
    uniques=(("name", "pincode"),),
)
