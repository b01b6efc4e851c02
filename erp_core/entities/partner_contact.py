"""A person at a partner."""

from __future__ import annotations

from erp_core.language import ONCE, Entity, Field
from erp_core.values import Choice, Flag, Reference, Text

PARTNER_CONTACT = Entity(
    name="partner_contact",
    table="partner_contacts",
    title="Partner contact",
    parent="partner_id",
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(("owner", "manager", "accounts", "dispatch", "other")), required=True),
        Field("is_primary", Flag(), required=True, default=False),
        Field("name", Text(120), required=True),
        Field("phone", Text(20)),
        Field("email", Text(200)),
    ),
)
