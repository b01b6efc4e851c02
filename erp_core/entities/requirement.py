"""The requirement: a buyer's need.

Owns: its declaration and its rules.
Must not know: the availabilities that may meet it.
Invariant: its ranges are the right way round (tests/unit/test_offer_rules.py).
"""

from __future__ import annotations

from erp_core.access import Access
from erp_core.language import GUARDED, ONCE, Deletion, Entity, Field, States, Urgency, tally
from erp_core.quality import mislimited
from erp_core.rules import BUYERS, deletable_while, in_order, partner_is, variety_of_commodity, well_stated
from erp_core.scopes import DRAFT, By
from erp_core.values import Choice, Day, Document, Reference, Text
from erp_core.vocabulary import BALE_COUNT, BALES, PRICE_PER_CANDY

STATES = States(
    "state",
    {
        "draft": ("open", "cancelled"),
        "open": ("part_filled", "fulfilled", "expired", "cancelled"),
        "part_filled": ("fulfilled", "expired", "cancelled"),
        "fulfilled": (),
        "expired": ("open",),
        "cancelled": (),
    },
    breaks=("expired", "cancelled"),
    also_begins=("open",),  # written down and opened before the phone saw a signal
)
WANTED = ("open", "part_filled")
"""States in which bales are still looked for."""


REQUIREMENT = Entity(
    name="requirement",
    table="requirements",
    title="Requirement",
    access=Access(
        read=("desk.read", "external.requirement"),
        create=("desk.write",),
        update=("desk.write",),
        delete=("desk.write",),
    ),
    deletion=Deletion.WAITS,
    labels=(By("branch", "branch_id"), By("partner", "buyer_id"), By("side", "buyer_id", DRAFT)),
    urgency=Urgency.WORK,
    due="deliver_from",
    states=STATES,
    rules=(
        partner_is("buyer_id", *BUYERS),
        variety_of_commodity,
        well_stated("quality_limits", mislimited),
        in_order("bales_min", "bales_max"),
        in_order("deliver_from", "deliver_until"),
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("buyer_id", Reference("business_partner"), required=True),
        Field("commodity_id", Reference("commodity"), required=True),
        Field("variety_id", Reference("variety")),
        Field("bales_min", BALES, required=True),
        Field("bales_max", BALES, required=True),
        Field("quality_limits", Document(), help='{"staple_mm": {"min": 28.5}, "trash_pct": {"max": 3}}'),
        Field("price_ceiling_per_candy", PRICE_PER_CANDY, read=("desk.read", "external.requirement")),
        Field("deliver_from", Day()),
        Field("deliver_until", Day()),
        Field("urgency", Choice(("low", "normal", "high")), required=True, default="normal"),
        Field("bales_fulfilled", BALE_COUNT, tally(0, "bales_max"), required=True, default=0),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
