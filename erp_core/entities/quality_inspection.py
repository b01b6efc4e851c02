"""The quality inspection: what a grader or an instrument found in a lot.

Owns: its declaration and its rules.
Must not know: prices.
Invariant: the result of a submitted inspection follows from its readings and the contract
(tests/unit/test_quality_inspection.py).
"""

from __future__ import annotations

from erp_core.language import BAG, DERIVED, GUARDED, NEWEST, ONCE, Entity, Field, States, locked
from erp_core.quality import PARAMETERS, RESULTS
from erp_core.values import Choice, Instant, Reference, Row, Text, Words
from erp_core.vocabulary import LATITUDE, LONGITUDE, USER_ID

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
        Field("inspector_id", USER_ID),
        Field("location_id", Reference("location")),
        Field("latitude", LATITUDE, READING),
        Field("longitude", LONGITUDE, READING),
        *(Field(parameter.name, parameter.type, READING) for parameter in PARAMETERS),
        Field("grade", Text(20), READING),
        Field("method", Choice(("hand", "hvi")), READING, required=True, default="hand"),
        Field("result", Choice(RESULTS), DERIVED, help="against the trade; empty in a draft"),
        Field("inspected_at", Instant(), NEWEST),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
