"""The offer: one round of a negotiation, made by one side and answered by the other.

Owns: its declaration and its rules.
Must not know: the trade that comes of it.
Invariant: an offer never changes; the other side accepts it, and of a negotiation one is accepted
(tests/unit/test_negotiation_rules.py).

The house writes down what either side says: `offered_by` and `answered_by` are the sides, not the user at the keyboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from erp_core.access import Access
from erp_core.entities.negotiation import ROUNDS
from erp_core.language import (
    DERIVED,
    GUARDED,
    ONCE,
    Deletion,
    Entity,
    Field,
    Gather,
    Rollup,
    States,
    Urgency,
    Violation,
    World,
)
from erp_core.rules import deletable_while, enters
from erp_core.scopes import Follows
from erp_core.values import Choice, Day, Reference, Row, Text, Value
from erp_core.vocabulary import BALES, PRICE_PER_CANDY

STATES = States(
    "state",
    {
        "open": ("accepted", "rejected", "withdrawn", "expired"),
        "accepted": (),
        "rejected": (),
        "withdrawn": (),
        "expired": (),
    },
    breaks=("rejected", "withdrawn", "expired"),
)
SIDES = ("buyer", "seller")
ANSWERED = frozenset({"accepted", "rejected"})


def _round(row: Row, world: World) -> Mapping[str, Value]:
    """The next number when it is made; it keeps it."""
    if row["round"] is not None:
        return {"round": row["round"]}
    siblings = world.siblings("offer", "negotiation_id", row["negotiation_id"])
    return {"round": min(1 + max((offer["round"] or 0 for offer in siblings), default=0), ROUNDS.most)}


def _standing(negotiation: Row, offers: Sequence[Row]) -> Mapping[str, Value]:
    """What a negotiation shows of its offers: the accepted one, else the newest; with an accepted one it is accepted, too."""
    in_order = sorted(offers, key=lambda offer: (offer["round"] or 0, offer["price_per_candy"], offer["bales"]))
    accepted = [offer for offer in in_order if offer["state"] == "accepted"]
    shown = (accepted or in_order)[-1:]
    agreed = {"state": "accepted"} if accepted and negotiation["state"] == "open" else {}
    return {
        **agreed,
        "rounds": min(len(offers), ROUNDS.most),
        "accepted_round": (accepted[-1]["round"] or 0) if accepted else 0,
        "price_per_candy": shown[0]["price_per_candy"] if shown else None,
        "bales": shown[0]["bales"] if shown else 0,
    }


def _negotiation_is_open(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """Offers are made and accepted while it is open; the negotiation may become accepted together with its offer."""
    accepts = enters(after, before, frozenset({"accepted"}))
    negotiation = world.get("negotiation", after["negotiation_id"])
    if negotiation is None or not (before is None or accepts):
        return
    if negotiation["state"] != "open" and not (accepts and negotiation["state"] == "accepted"):
        sentence = f"The negotiation is {negotiation['state']}; open a new one to go on."
        yield Violation("negotiation_closed", sentence, ("negotiation_id",))


def _answered_by_the_other(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if not enters(after, before, ANSWERED):
        return
    if after["answered_by"] is None:
        yield Violation("incomplete", "Say which side answered: buyer or seller.", ("answered_by",))
    elif after["answered_by"] == after["offered_by"]:
        other = SIDES[1 - SIDES.index(after["offered_by"])]
        sentence = f"The {after['offered_by']} made this offer, so only the {other} can answer it; withdraw it instead."
        yield Violation("own_offer", sentence, ("answered_by", "state"))


def _one_accepted(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    if not enters(after, before, frozenset({"accepted"})):
        return
    offers = world.siblings("offer", "negotiation_id", after["negotiation_id"])
    if sum(offer["state"] == "accepted" for offer in offers) > 1:
        sentence = "Another offer of this negotiation is accepted already; an agreement has one."
        yield Violation("second_accepted", sentence, ("state",))


def _still_valid(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    until = after["valid_until"]
    if until is not None and until < world.today and enters(after, before, frozenset({"accepted"})):
        yield Violation("offer_ended", f"The offer ended on {until}; ask for a new one.", ("valid_until", "state"))


OFFER = Entity(
    name="offer",
    table="offers",
    title="Offer",
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
    labels=(Follows("negotiation_id", "negotiation"),),
    parent="negotiation_id",
    states=STATES,
    rules=(_negotiation_is_open, _answered_by_the_other, _one_accepted, _still_valid),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    derive=_round,
    gathers=(Gather("offer", "negotiation_id", "negotiation_id"),),
    rollups=(Rollup("negotiation", "negotiation_id", _standing),),
    fields=(
        Field("negotiation_id", Reference("negotiation"), ONCE, required=True),
        Field("round", ROUNDS, DERIVED),
        Field("offered_by", Choice(SIDES), ONCE, required=True),
        Field("answered_by", Choice(SIDES), ONCE),
        Field("price_per_candy", PRICE_PER_CANDY, ONCE, required=True),
        Field("bales", BALES, ONCE, required=True),
        Field("delivery_terms", Text(200), ONCE),
        Field("payment_terms", Text(200), ONCE),
        Field("valid_until", Day(), ONCE),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="open"),
    ),
)
