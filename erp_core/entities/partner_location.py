"""The partner location: an address of a partner, for one purpose.

Owns: its declaration and its rules.
Must not know: other partners.
Invariant: a partner has one primary address of a kind (tests/unit/test_partner_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import Access
from erp_core.identifiers import pan_of
from erp_core.language import ONCE, Entity, Field, Gather, Urgency, Violation, World
from erp_core.rules import one_primary, tax_numbers, touched
from erp_core.scopes import Follows
from erp_core.values import Choice, Flag, Reference, Row, Text
from erp_core.vocabulary import GSTIN, PINCODE, STATE


def _gstin_of_partner(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """A partner is registered in many states under one PAN."""
    partner, gstin = world.get("business_partner", after["partner_id"]), after["gstin"]
    if partner is None or gstin is None or not touched(after, before, "gstin", "partner_id"):
        return
    if partner["pan"] not in (None, pan_of(gstin)):
        sentence = f"The GSTIN is of PAN {pan_of(gstin)}, but {partner['legal_name']} has {partner['pan']}."
        yield Violation("gstin_of_other_pan", sentence, ("gstin",))


PARTNER_LOCATION = Entity(
    name="partner_location",
    table="partner_locations",
    title="Partner location",
    access=Access(
        read=("partner.read", "external.document"),
        create=("partner.create", "partner.update"),
        update=("partner.update",),
        delete=("partner.update",),
    ),
    urgency=Urgency.PARTNERS,
    labels=(Follows("partner_id", "business_partner"),),
    parent="partner_id",
    rules=(tax_numbers("state", pan=None), _gstin_of_partner, one_primary("partner_location", "partner_id")),
    gathers=(Gather("partner_location", "partner_id", "partner_id"),),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(("registered", "billing", "shipping", "gin", "warehouse")), required=True),
        Field("is_primary", Flag(), required=True, default=False),
        Field("location_id", Reference("location")),
        Field("address", Text(500), personal="id"),
        Field("pincode", PINCODE, personal="id"),
        Field("state", STATE),
        Field("gstin", GSTIN, personal="id", help="the tax registration of this place"),
    ),
)
