"""A buyer's need."""

from __future__ import annotations

from erp_core.language import GUARDED, ONCE, Entity, Field, States, tally
from erp_core.values import Choice, Day, Document, Integer, Number, Reference, Row, Text

STATES = States(
    "state",
    {
        "draft": ("open", "cancelled"),
        "open": ("part_filled", "fulfilled", "expired", "cancelled"),
        "part_filled": ("fulfilled", "expired", "cancelled"),
        "fulfilled": (),
        "expired": ("open",),
        "cancelled": (),
    },
)


def _most(row: Row) -> int | None:
    most: int | None = row["bales_max"]
    return most


REQUIREMENT = Entity(
    name="requirement",
    table="requirements",
    title="Requirement",
    states=STATES,
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("buyer_id", Reference("business_partner"), required=True),
        Field("commodity_id", Reference("commodity"), required=True),
        Field("variety_id", Reference("variety")),
        Field("bales_min", Integer(1, 1_000_000), required=True),
        Field("bales_max", Integer(1, 1_000_000), required=True),
        Field("quality_limits", Document()),
        Field("price_ceiling_per_candy", Number(12, 2, "INR/candy")),
        Field("deliver_from", Day()),
        Field("deliver_until", Day()),
        Field("urgency", Choice(("low", "normal", "high")), required=True, default="normal"),
        Field("bales_fulfilled", Integer(0, 1_000_000), tally(0, _most), required=True, default=0),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
