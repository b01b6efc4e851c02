"""A seller's lot on offer."""

from __future__ import annotations

from erp_core.language import GUARDED, ONCE, Entity, Field, States, tally
from erp_core.values import Choice, Day, Document, Integer, Number, Reference, Row, Text

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
        Field("crop_year", Text(7), required=True),
        Field("bales_offered", Integer(1, 1_000_000), ONCE, required=True),
        Field("bales_reserved", Integer(0, 1_000_000), tally(0, _offered), required=True, default=0),
        Field("bales_sold", Integer(0, 1_000_000), tally(0, _offered), required=True, default=0),
        Field("asking_price_per_candy", Number(12, 2, "INR/candy"), required=True),
        Field("price_kind", Choice(("fixed", "negotiable", "on_call")), required=True, default="negotiable"),
        Field("quality", Document()),
        Field("delivery_terms", Text(200)),
        Field("payment_terms", Text(200)),
        Field("valid_until", Day()),
        Field("visibility", Choice(("organisation", "partners", "private")), required=True, default="organisation"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
