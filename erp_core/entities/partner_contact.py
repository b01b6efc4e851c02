"""The partner contact: a person at a partner, and what to call them about.

Owns: its declaration and its rules.
Must not know: users; a contact has no login.
Invariant: a partner has one primary contact of a kind (tests/unit/test_partner_rules.py).
"""

from __future__ import annotations

from erp_core.access import Access
from erp_core.language import ONCE, Entity, Field, Gather, Urgency
from erp_core.rules import email_address, one_primary, phone_number
from erp_core.scopes import Follows
from erp_core.values import Choice, Flag, Reference, Text
from erp_core.vocabulary import PHONE_NUMBER

PARTNER_CONTACT = Entity(
    name="partner_contact",
    table="partner_contacts",
    title="Partner contact",
    access=Access(
        read=("partner.read", "external.document"),
        create=("partner.create", "partner.update"),
        update=("partner.update",),
        delete=("partner.update",),
    ),
    urgency=Urgency.PARTNERS,
    labels=(Follows("partner_id", "business_partner"),),
    parent="partner_id",
    rules=(phone_number, email_address, one_primary("partner_contact", "partner_id")),
    gathers=(Gather("partner_contact", "partner_id", "partner_id"),),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(("owner", "manager", "accounts", "dispatch", "other")), required=True),
        Field("is_primary", Flag(), required=True, default=False),
        Field("name", Text(120), required=True, personal="id"),
        Field("phone", PHONE_NUMBER, personal="id"),
        Field("email", Text(200), personal="id"),
    ),
)
