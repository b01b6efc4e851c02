"""An address of a partner."""

from __future__ import annotations

from erp_core.language import ONCE, Entity, Field
from erp_core.values import Choice, Flag, Reference, Text

PARTNER_LOCATION = Entity(
    name="partner_location",
    table="partner_locations",
    title="Partner location",
    parent="partner_id",
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(("registered", "billing", "shipping", "gin", "warehouse")), required=True),
        Field("is_primary", Flag(), required=True, default=False),
        Field("location_id", Reference("location")),
        Field("address", Text(500)),
        Field("pincode", Text(6)),
        Field("gstin", Text(15)),
    ),
)
