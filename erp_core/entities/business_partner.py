"""The business partner: whoever we buy from, sell to or work with.

Owns: its declaration and its rules.
Must not know: who may approve (identity), trades (they write the exposure).
Invariant: one person of law is one partner: PAN, GSTIN and phone are held once (tests/unit/test_partner_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from erp_core.access import Access
from erp_core.language import (
    BAG,
    DERIVED,
    GUARDED,
    PROSE,
    Deletion,
    Entity,
    Field,
    States,
    Urgency,
    Violation,
    World,
    locked,
)
from erp_core.rules import deletable_while, email_address, phone_number, tax_numbers, touched
from erp_core.scopes import By
from erp_core.values import Choice, Reference, Row, Text, Words
from erp_core.vocabulary import GSTIN, PAN, PHONE_NUMBER, PINCODE, RUPEES, STATE, USER_ID

KINDS = ("buyer", "seller", "ginner", "broker", "sub_broker", "transporter", "controller")
APPROVERS = ("partner.approve",)
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
    breaks=("rejected", "suspended", "inactive"),
    also_begins=("submitted",),  # written down and submitted before the phone saw a signal
    needs=dict.fromkeys(("approved", "rejected", "suspended", "inactive"), APPROVERS),
)

KYC = States(
    "kyc_state",
    {"pending": ("verified",), "verified": ("expired",), "expired": ("verified",)},
    needs={"verified": APPROVERS},
)
"""Know your customer: the papers of a partner were seen, and how long that holds."""


TAX_ID = locked("state", "approved", "suspended", "inactive")


def _has_a_kind(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if not after["kind"] and touched(after, before, "kind"):
        yield Violation("no_kind", "Say what the partner is: " + ", ".join(KINDS) + ".", ("kind",))


BUSINESS_PARTNER = Entity(
    name="business_partner",
    table="business_partners",
    title="Business partner",
    access=Access(
        read=("partner.read", "external.document"),
        create=("partner.create",),
        update=("partner.update", "partner.approve"),
        delete=("partner.delete",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.PARTNERS,
    whose=("assigned_agent_id",),
    labels=(By("branch", "branch_id"), By("agent", "assigned_agent_id"), By("partner", "id"), By("side", "id")),
    assignee="assigned_agent_id",
    states=STATES,
    further_states=(KYC,),
    rules=(tax_numbers("address_state"), phone_number, email_address, _has_a_kind),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("kind", Words(KINDS), BAG, required=True, default=()),
        Field("legal_name", Text(200), required=True, personal="id"),
        Field("trade_name", Text(200), personal="id"),
        Field(
            "entity_type",
            Choice(("proprietor", "partnership", "llp", "private", "public", "cooperative", "individual")),
        ),
        Field("pan", PAN, TAX_ID, unique=True, personal="id"),
        Field("gstin", GSTIN, TAX_ID, unique=True, personal="id"),
        Field("phone", PHONE_NUMBER, unique=True, personal="id"),
        Field("email", Text(200), personal="id"),
        Field("address", Text(500), personal="id"),
        Field("pincode", PINCODE, personal="id"),
        Field("address_state", STATE),
        Field("location_id", Reference("location")),
        Field("assigned_agent_id", USER_ID, write=APPROVERS),
        Field(
            "credit_limit",
            RUPEES,
            read=("desk.read",),
            write=APPROVERS,
            help="0 or empty: none is agreed, and none is checked",
        ),
        Field(
            "exposure",
            RUPEES,
            DERIVED,
            required=True,
            default=Decimal("0.00"),
            read=("desk.read",),
            help="its open purchases, tax included",
        ),
        Field("kyc_state", Choice(KYC.words), GUARDED, required=True, default="pending"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
        Field("tags", Words(), BAG, required=True, default=(), read=("partner.read",), personal="id"),
        Field("remarks", Text(10_000), PROSE, read=("partner.read",), personal="id"),
    ),
)
