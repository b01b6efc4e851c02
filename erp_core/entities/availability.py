"""The availability: a seller's lot on offer.

Owns: its declaration and its rules.
Must not know: trades; they check against it.
Invariant: bales reserved and sold never exceed those offered (tests/unit/test_availability.py).
"""

from __future__ import annotations

import re

from erp_core.language import GUARDED, ONCE, Entity, Field, States, tally
from erp_core.values import Choice, Day, Document, Reference, Row, Text
from erp_core.vocabulary import BALE_COUNT, BALES, PRICE_PER_CANDY

STATES = States(
    "state",
    {
        "draft": ("active", "cancelled"),
        "active": ("reserved", "sold", "expired", "cancelled"),
        "reserved": ("active", "sold", "expired", "cancelled"),
        "sold": (),
        "expired": ("active",),
        "cancelled": (),
    },
)


def _offered(row: Row) -> int | None:
    offered: int | None = row["bales_offered"]
    return offered


AVAILABILITY = Entity(
    name="availability",
    table="availabilities",
    title="Availability",
    states=STATES,
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("seller_id", Reference("business_partner"), required=True),
        Field("location_id", Reference("location")),
        Field("commodity_id", Reference("commodity"), required=True),
        Field("variety_id", Reference("variety")),
        Field("crop_year", Text(7, re.compile("20[0-9]{2}-[0-9]{2}"), "2026-27"), required=True),
        Field("bales_offered", BALES, ONCE, required=True),
        Field("bales_reserved", BALE_COUNT, tally(0, _offered), required=True, default=0),
        Field("bales_sold", BALE_COUNT, tally(0, _offered), required=True, default=0),
        Field("asking_price_per_candy", PRICE_PER_CANDY, required=True),
        Field("price_kind", Choice(("fixed", "negotiable", "on_call")), required=True, default="negotiable"),
        Field("quality", Document(), help='what the seller says of it: {"staple_mm": "28.5-29", "micronaire": "4.1"}'),
        Field("delivery_terms", Text(200)),
        Field("payment_terms", Text(200)),
        Field("valid_until", Day()),
        Field("visibility", Choice(("organisation", "partners", "private")), required=True, default="organisation"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
