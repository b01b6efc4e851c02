"""The partner document: a paper of a partner, such as its registration, and how long it holds.

Owns: its declaration and its rules.
Must not know: pictures; attachments are records of their own.
Invariant: a partner has one primary document of a kind, and none ends before it begins (tests/unit/test_partner_rules.py).
"""

from __future__ import annotations

from erp_core.access import Access
from erp_core.language import ONCE, Entity, Field, Gather, Urgency
from erp_core.rules import in_order, one_primary
from erp_core.scopes import Follows
from erp_core.values import SAFE_ID, Choice, Day, Flag, Reference, Text

KINDS = (
    *("pan_card", "gst_certificate", "udyam_certificate", "incorporation", "licence", "agreement", "cheque"),
    "other",
)

PARTNER_DOCUMENT = Entity(
    name="partner_document",
    table="partner_documents",
    title="Partner document",
    since=3,
    access=Access(
        read=("partner.read", "external.document"),
        create=("partner.create", "partner.update"),
        update=("partner.update",),
        delete=("partner.update",),
    ),
    urgency=Urgency.PARTNERS,
    labels=(Follows("partner_id", "business_partner"),),
    parent="partner_id",
    rules=(in_order("valid_from", "valid_until"), one_primary("partner_document", "partner_id")),
    gathers=(Gather("partner_document", "partner_id", "partner_id"),),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(KINDS), required=True),
        Field("is_primary", Flag(), required=True, default=False, help="the one that counts, of those of its kind"),
        Field("number", Text(60), personal="id"),
        Field("valid_from", Day()),
        Field("valid_until", Day()),
        # No reference: the picture may arrive days after the paper was written down.
        Field("attachment_id", Text(64, SAFE_ID, "Scan000000000001"), help="the attachment that shows it"),
    ),
)
