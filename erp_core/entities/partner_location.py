"""The partner location: an address of a partner, for one purpose.

Owns: its declaration and its rules.
Must not know: other partners.
Invariant: a partner has one primary address of a kind (tests/unit/test_business_partner.py).
"""

from __future__ import annotations

from erp_core.language import ONCE, Entity, Field
from erp_core.values import Choice, Flag, Reference, Text
from erp_core.vocabulary import GSTIN, PINCODE, STATE

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
        Field("pincode", PINCODE),
        Field("state", STATE),
        Field("gstin", GSTIN, help="the tax registration of this place"),
    ),
)
