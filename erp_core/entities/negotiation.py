"""The negotiation: a buyer and a seller who have not agreed yet.

Owns: its declaration and its rules.
Must not know: the trade that comes of it.
Invariant: it is accepted only with an accepted offer (tests/unit/test_negotiation_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import Access
from erp_core.language import DERIVED, GUARDED, ONCE, Deletion, Entity, Field, States, Urgency, Violation, World
from erp_core.rules import BUYERS, SELLERS, deletable_while, enters, partner_is, touched, two_parties, when_touched
from erp_core.scopes import By
from erp_core.values import Choice, Day, Integer, Reference, Row, Text
from erp_core.vocabulary import BALE_COUNT, PRICE_PER_CANDY

STATES = States(
    "state",
    {
        "open": ("accepted", "rejected", "withdrawn", "expired"),
        "accepted": (),
        "rejected": (),
        "withdrawn": (),
        "expired": ("open",),
    },
    breaks=("rejected", "withdrawn", "expired"),
)
ROUNDS = Integer(0, 10_000)


@when_touched("availability_id", "requirement_id", "buyer_id", "seller_id", "commodity_id")
def _of_lot_and_need(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """What is negotiated out of an availability is with its seller, for a requirement with its buyer, of their commodity."""
    for name, side in (("availability", "seller_id"), ("requirement", "buyer_id")):
        named = world.get(name, after[f"{name}_id"])
        if named is not None:
            for field in (side, "commodity_id"):
                if after[field] != named[field]:
                    sentence = f"{field} is not that of the {name}; choose the {name} again."
                    yield Violation("of_another", sentence, (field, f"{name}_id"))


def _agreed_on_something(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if enters(after, before, frozenset({"accepted"})) and not after["accepted_round"]:
        sentence = "No offer of it is accepted; accept the offer that was agreed on, the negotiation follows."
        yield Violation("no_accepted_offer", sentence, ("state",))


def _still_valid(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    until = after["valid_until"]
    if until is not None and until < world.today and after["state"] == "open" and touched(after, before, "valid_until"):
        yield Violation("negotiation_ended", f"It ended on {until}; give a later day.", ("valid_until",))


NEGOTIATION = Entity(
    name="negotiation",
    table="negotiations",
    title="Negotiation",
    since=3,
    access=Access(
        read=("desk.read", "external.trade"),
        create=("desk.write",),
        update=("desk.write",),
        delete=("desk.write",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    due="valid_until",
    labels=(
        By("branch", "branch_id"),
        By("partner", "buyer_id"),
        By("partner", "seller_id"),
        By("side", "buyer_id"),
        By("side", "seller_id"),
    ),
    states=STATES,
    rules=(
        two_parties("buyer_id", "seller_id", "Buyer and seller are the same partner; a negotiation needs two."),
        partner_is("buyer_id", *BUYERS),
        partner_is("seller_id", *SELLERS),
        _of_lot_and_need,
        _agreed_on_something,
        _still_valid,
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("availability_id", Reference("availability"), ONCE),
        Field("requirement_id", Reference("requirement"), ONCE, read=("desk.read",)),
        Field("buyer_id", Reference("business_partner"), ONCE, required=True),
        Field("seller_id", Reference("business_partner"), ONCE, required=True),
        Field("commodity_id", Reference("commodity"), ONCE, required=True),
        Field("valid_until", Day()),
        Field("rounds", ROUNDS, DERIVED, required=True, default=0, help="how many offers were made"),
        Field("accepted_round", ROUNDS, DERIVED, required=True, default=0, help="the offer agreed on; 0: none yet"),
        Field("price_per_candy", PRICE_PER_CANDY, DERIVED, help="of the accepted offer, else of the newest one"),
        Field("bales", BALE_COUNT, DERIVED, required=True, default=0, help="the same of the bales"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="open"),
    ),
)
