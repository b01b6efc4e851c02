"""The partner vehicle: a lorry of a transporter, and until when it may be on the road.

Owns: its declaration and its rules.
Must not know: what it carries; a dispatch states its own vehicle.
Invariant: its registration can exist, and none of its papers ends before it begins (tests/unit/test_partner_rules.py).
"""

from __future__ import annotations

from erp_core.access import Access
from erp_core.identifiers import is_vehicle_number
from erp_core.language import ONCE, Entity, Field, Gather, Urgency
from erp_core.rules import in_order, one_primary, well_formed
from erp_core.scopes import Follows
from erp_core.values import Choice, Day, Flag, Integer, Reference, Text

PARTNER_VEHICLE = Entity(
    name="partner_vehicle",
    table="partner_vehicles",
    title="Partner vehicle",
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
    rules=(
        well_formed("vehicle_number", is_vehicle_number, "a vehicle number; write it like GJ03BT4471"),
        in_order("valid_from", "valid_until"),
        one_primary("partner_vehicle", "partner_id"),
    ),
    gathers=(Gather("partner_vehicle", "partner_id", "partner_id"),),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(("truck", "trailer", "tempo", "container")), required=True, default="truck"),
        Field("is_primary", Flag(), required=True, default=False, help="the usual one of its kind"),
        Field("vehicle_number", Text(15), required=True, personal="id", help="the registration mark, without spaces"),
        Field("rc_number", Text(40), personal="id", help="of the certificate of registration"),
        Field("valid_from", Day(), help="the certificate of registration"),
        Field("valid_until", Day(), help="the certificate of registration"),
        Field("capacity_kg", Integer(1, 100_000), help="what it may carry"),
    ),
    uniques=(("partner_id", "vehicle_number"),),
)
