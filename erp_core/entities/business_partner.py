"""A business partner: buyer, seller, ginner, broker, transporter."""

from __future__ import annotations

from decimal import Decimal

from erp_core.language import BAG, DERIVED, GUARDED, PROSE, Entity, Field, States, locked
from erp_core.values import Choice, Number, Reference, Row, Text, Words

KINDS = ("buyer", "seller", "ginner", "broker", "sub_broker", "transporter", "controller")
STATES = States(
    "state",
    {
        "draft": ("submitted",),
        "submitted": ("approved", "rejected", "draft"),
        "approved": ("suspended", "inactive"),
        "suspended": ("approved", "inactive"),
        "inactive": ("approved",),
        "rejected": ("draft",),
    },
)


def _approved(row: Row) -> bool:
    return row["state"] in ("approved", "suspended", "inactive")


BUSINESS_PARTNER = Entity(
    name="business_partner",
    table="business_partners",
    title="Business partner",
    states=STATES,
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("kind", Words(KINDS), BAG, required=True, default=()),
        Field("legal_name", Text(200), required=True),
        Field("trade_name", Text(200)),
        Field(
            "entity_type",
            Choice(("proprietor", "partnership", "llp", "private", "public", "cooperative", "individual")),
        ),
        Field("pan", Text(10), locked(_approved)),
        Field("gstin", Text(15), locked(_approved)),
        Field("phone", Text(20)),
        Field("email", Text(200)),
        Field("address", Text(500)),
        Field("location_id", Reference("location")),
        Field("assigned_agent_id", Text(64)),
        Field("credit_limit", Number(14, 2, "INR"), DERIVED, required=True, default=Decimal("0.00")),
        Field("exposure", Number(14, 2, "INR"), DERIVED, required=True, default=Decimal("0.00")),
        Field("kyc_state", Choice(("pending", "verified", "expired")), GUARDED, required=True, default="pending"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
        Field("tags", Words(), BAG, required=True, default=()),
        Field("remarks", Text(10_000), PROSE),
    ),
)
