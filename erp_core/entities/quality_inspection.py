"""A quality inspection of a lot."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import BAG, DERIVED, GUARDED, NEWEST, ONCE, Entity, Field, States, locked
from erp_core.values import Choice, Instant, Number, Reference, Row, Text, Words

STATES = States(
    "state", {"draft": ("submitted",), "submitted": ("accepted", "disputed"), "accepted": (), "disputed": ("accepted",)}
)


def _submitted(row: Row) -> bool:
    return bool(row["state"] != "draft")


READING = locked(_submitted)

QUALITY_INSPECTION = Entity(
    name="quality_inspection",
    table="quality_inspections",
    title="Quality inspection",
    parent="trade_id",
    states=STATES,
    fields=(
        Field("trade_id", Reference("trade"), ONCE),
        Field("availability_id", Reference("availability"), ONCE),
        Field("lot_number", Text(40), READING),
        Field("bale_numbers", Words(most=2000), BAG, required=True, default=()),
        Field("inspector_id", Text(64)),
        Field("location_id", Reference("location")),
        Field("latitude", Number(9, 6, "degree", Decimal(-90), Decimal(90)), READING),
        Field("longitude", Number(9, 6, "degree", Decimal(-180), Decimal(180)), READING),
        Field("staple_mm", Number(4, 1, "mm"), READING),
        Field("micronaire", Number(4, 2), READING),
        Field("strength_g_tex", Number(4, 1, "g/tex"), READING),
        Field("moisture_pct", Number(5, 2, "%", most=Decimal(100)), READING),
        Field("trash_pct", Number(5, 2, "%", most=Decimal(100)), READING),
        Field("rd", Number(4, 1), READING),
        Field("plus_b", Number(4, 1), READING),
        Field("short_fibre_index", Number(4, 1), READING),
        Field("grade", Text(20), READING),
        Field("method", Choice(("hand", "hvi")), READING, required=True, default="hand"),
        Field("result", Choice(("pass", "allowance", "reject")), DERIVED),
        Field("inspected_at", Instant(), NEWEST),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
