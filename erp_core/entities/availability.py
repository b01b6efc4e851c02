"""The availability: a seller's lot on offer.

Owns: its declaration and its rules.
Must not know: trades; they check against it.
Invariant: bales reserved and sold never exceed those offered (tests/unit/test_offer_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from erp_core.access import Access
from erp_core.language import GUARDED, ONCE, Deletion, Entity, Field, States, Urgency, Violation, World, tally
from erp_core.quality import misstated
from erp_core.rules import SELLERS, deletable_while, partner_is, touched, variety_of_commodity, well_stated
from erp_core.scopes import DRAFT, PARTNERS, By, While
from erp_core.values import Choice, Day, Document, Reference, Row, Text
from erp_core.vocabulary import BALE_COUNT, BALES, PRICE_KINDS, PRICE_PER_CANDY

STATES = States(
    "state",
    {
        "draft": ("active", "cancelled"),
        "active": ("reserved", "sold", "expired", "cancelled"),
        "reserved": ("active", "sold", "expired", "cancelled"),
        "sold": (),
        "expired": ("active",),
        "cancelled": (),
    },
    breaks=("expired", "cancelled"),
    also_begins=("active",),  # written down and opened before the phone saw a signal
)
SEEN_INSIDE = ("desk.read", "quality.write", "dispatch.write", "external.document")
"""Whose lot it is: not for other partners to whom it is offered."""
ON_OFFER = ("active", "reserved")
OPEN_TO_PARTNERS = While(PARTNERS, (("visibility", ("partners",)), ("state", ON_OFFER)))


def _crop_year_is_one(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    """The cotton season runs from 1 October to 30 September (Cotton Association of India): 2026-27."""
    season = after["crop_year"]
    if touched(after, before, "crop_year") and (int(season[2:4]) + 1) % 100 != int(season[5:7]):
        sentence = f"The crop year {season} is no season; write two years in a row, such as 2026-27."
        yield Violation("malformed", sentence, ("crop_year",))


def _not_oversold(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    reserved, sold, offered = after["bales_reserved"], after["bales_sold"], after["bales_offered"]
    names = ("bales_reserved", "bales_sold", "bales_offered")
    if reserved + sold > offered and touched(after, before, *names):
        sentence = f"{reserved} bales reserved and {sold} sold are more than the {offered} offered."
        yield Violation("oversold", sentence, names)


def _still_valid(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """An offer is not opened after its last day; one that was open then may stay so until someone closes it."""
    until = after["valid_until"]
    if until is None or until >= world.today or after["state"] not in ON_OFFER:
        return
    if touched(after, before, "state", "valid_until"):
        sentence = f"The offer ended on {until}; extend it, or mark it expired."
        yield Violation("offer_ended", sentence, ("valid_until", "state"))


AVAILABILITY = Entity(
    name="availability",
    table="availabilities",
    title="Availability",
    access=Access(
        read=("desk.read", "quality.write", "dispatch.write", "external.availability"),
        create=("desk.write",),
        update=("desk.write",),
        delete=("desk.write",),
    ),
    deletion=Deletion.WAITS,
    labels=(By("branch", "branch_id"), By("partner", "seller_id"), By("side", "seller_id", DRAFT), OPEN_TO_PARTNERS),
    urgency=Urgency.WORK,
    due="valid_until",
    states=STATES,
    rules=(
        partner_is("seller_id", *SELLERS),
        variety_of_commodity,
        well_stated("quality", misstated),
        _crop_year_is_one,
        _not_oversold,
        _still_valid,
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("seller_id", Reference("business_partner"), required=True, read=SEEN_INSIDE),
        Field("location_id", Reference("location"), read=SEEN_INSIDE),
        Field("commodity_id", Reference("commodity"), required=True),
        Field("variety_id", Reference("variety")),
        Field("crop_year", Text(7, re.compile("20[0-9]{2}-[0-9]{2}"), "2026-27"), required=True),
        Field("bales_offered", BALES, ONCE, required=True),
        Field("bales_reserved", BALE_COUNT, tally(0, "bales_offered"), required=True, default=0),
        Field("bales_sold", BALE_COUNT, tally(0, "bales_offered"), required=True, default=0),
        Field("asking_price_per_candy", PRICE_PER_CANDY, required=True, read=("desk.read", "external.availability")),
        Field("price_kind", Choice(PRICE_KINDS), required=True, default="negotiable"),
        Field("quality", Document(), help='what the seller says of it: {"staple_mm": "28.5-29", "micronaire": "4.1"}'),
        Field("delivery_terms", Text(200)),
        Field("payment_terms", Text(200)),
        Field("valid_until", Day()),
        Field("visibility", Choice(("organisation", "partners", "private")), required=True, default="organisation"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
