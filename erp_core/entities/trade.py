"""The trade: the contract between a buyer and a seller.

Owns: its declaration and its rules.
Must not know: amendments, invoices.
Invariant: what was agreed is frozen once the trade is confirmed (tests/unit/test_trade_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from erp_core.access import Access
from erp_core.exposure import OPEN, exposure, value_with_tax, within_credit
from erp_core.language import (
    DERIVED,
    GUARDED,
    ONCE,
    PROSE,
    Deletion,
    Entity,
    Field,
    Gather,
    Rollup,
    States,
    Urgency,
    Violation,
    World,
    locked,
)
from erp_core.money import lint_amount, percent_of
from erp_core.net_weight import misweighed
from erp_core.premiums import misagreed
from erp_core.rules import (
    BROKERS,
    BUYERS,
    SELLERS,
    deletable_while,
    enters,
    in_order,
    partner_is,
    touched,
    two_parties,
    variety_of_commodity,
    well_stated,
    when_touched,
)
from erp_core.scopes import DRAFT, By
from erp_core.units import BALE_KG
from erp_core.values import Choice, Day, Document, Number, Reference, Row, Text, Value
from erp_core.vocabulary import BALE_COUNT, BALES, PERCENT, PRICE_PER_CANDY, RUPEES

STATES = States(
    "state",
    {
        "draft": ("confirmed", "cancelled"),
        "confirmed": ("in_delivery", "cancelled", "disputed"),
        "in_delivery": ("completed", "disputed"),
        "completed": ("disputed",),
        "disputed": ("in_delivery", "completed", "cancelled"),
        "cancelled": (),
    },
    breaks=("cancelled",),
    settled=("completed",),
    also_begins=("confirmed",),  # agreed and confirmed before the phone saw a signal
    # Whoever may not bind the house may not call off what binds it either; one's own draft can be deleted.
    needs={"confirmed": ("trade.approve",), "cancelled": ("trade.approve",)},
)


TERMS = locked("state", "draft", unless=True)
SIDES = ("buyer_id", "seller_id", "broker_id")
PRICES = ("desk.read", "external.trade")
"""Who sees what is paid: a grader or a dispatcher does not."""
BALE_WEIGHT = Number(6, 2, "kg", Decimal(100), Decimal(300))
"""From half-pressed bales to the 227 kg of the United States, with room."""

# --- What follows from the terms --------------------------------------------------------------------------------------


def _amounts(row: Row, _: World) -> Mapping[str, Value]:
    """Beyond what a field holds it is the most that it holds; `_sum_fits` keeps phones from coming near it."""
    amount = min(lint_amount(row["bales"], row["bale_weight_kg"], row["price_per_candy"]), RUPEES.ceiling)
    return {"amount": amount, "tax_amount": percent_of(amount, row["tax_pct"])}


# --- Rules ------------------------------------------------------------------------------------------------------------


@when_touched("bales", "bale_weight_kg", "price_per_candy", "tax_pct")
def _sum_fits(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if value_with_tax(after) > RUPEES.ceiling:
        sentence = f"The trade would come to {value_with_tax(after)} rupees; look at bales and price again."
        yield Violation("too_large", sentence, ("bales", "price_per_candy"))


@when_touched("availability_id", "seller_id", "commodity_id")
def _of_the_lot(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """A trade out of an availability is with its seller, of its commodity, while it is on offer."""
    lot = world.get("availability", after["availability_id"])
    if lot is None:
        return
    for name in ("seller_id", "commodity_id"):
        if after[name] != lot[name]:
            yield Violation("not_of_the_lot", f"{name} is not that of the availability.", (name, "availability_id"))
    if touched(after, before, "availability_id") and lot["state"] in ("expired", "cancelled"):
        sentence = f"The availability is {lot['state']}; nothing of it can be traded any more."
        yield Violation("lot_closed", sentence, ("availability_id",))


@when_touched("availability_id", "bales", "state")
def _lot_covers(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """All trades of an availability, drafts included, take no more bales than were offered."""
    lot = world.get("availability", after["availability_id"])
    if lot is None or after["state"] == "cancelled":
        return
    trades = world.siblings("trade", "availability_id", after["availability_id"])
    taken = sum(trade["bales"] for trade in trades if trade["state"] != "cancelled")
    if taken > lot["bales_offered"]:
        left = lot["bales_offered"] - taken + after["bales"]
        sentence = (
            f"Of {lot['bales_offered']} bales offered {max(left, 0)} are left, but the trade is for {after['bales']}."
        )
        yield Violation("not_enough_bales", sentence, ("bales", "availability_id"))


@when_touched("negotiation_id", "state")
def _of_the_negotiation(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """What was agreed on in a negotiation becomes one trade, between the same two."""
    negotiation = world.get("negotiation", after["negotiation_id"])
    if negotiation is None or after["state"] == "cancelled":
        return
    for name in ("buyer_id", "seller_id", "commodity_id"):
        if after[name] != negotiation[name]:
            sentence = f"{name} is not that of the negotiation."
            yield Violation("not_of_the_negotiation", sentence, (name, "negotiation_id"))
    trades = world.siblings("trade", "negotiation_id", after["negotiation_id"])
    if sum(trade["state"] != "cancelled" for trade in trades) > 1:
        sentence = "There is a trade of this negotiation already; what was agreed on once is traded once."
        yield Violation("second_trade", sentence, ("negotiation_id",))


def _parties_approved(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """A trade is confirmed with partners whom the office has approved."""
    if not enters(after, before, OPEN):
        return
    for name in ("buyer_id", "seller_id"):
        partner = world.get("business_partner", after[name])
        if partner is not None and partner["state"] != "approved":
            only = "a trade is confirmed with approved partners only."
            sentence = f"{partner['legal_name']} is {partner['state']}; {only}"
            instead = f"The partner in {name} is {partner['state']}; {only}"
            yield Violation("partner_not_approved", sentence, (name,), needs=("partner.read",), instead=instead)


TRADE = Entity(
    name="trade",
    table="trades",
    title="Trade",
    access=Access(
        read=("desk.read", "quality.write", "dispatch.write", "external.trade"),
        create=("desk.write",),
        update=("desk.write", "trade.approve"),
        delete=("desk.write",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    due="deliver_from",
    labels=(
        By("branch", "branch_id"),
        *(By("partner", side) for side in SIDES),
        *(By("side", side, DRAFT) for side in SIDES),
    ),
    states=STATES,
    rules=(
        two_parties("buyer_id", "seller_id", "Buyer and seller are the same partner; a trade needs two."),
        partner_is("buyer_id", *BUYERS),
        partner_is("seller_id", *SELLERS),
        partner_is("broker_id", *BROKERS),
        variety_of_commodity,
        in_order("trade_date", "deliver_until"),
        in_order("deliver_from", "deliver_until"),
        well_stated("quality_bases", misagreed),
        well_stated("weight_terms", misweighed),
        _sum_fits,
        _of_the_lot,
        _lot_covers,
        _of_the_negotiation,
        _parties_approved,
        within_credit,
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    derive=_amounts,
    gathers=(
        Gather("trade", "availability_id", "availability_id"),
        Gather("trade", "buyer_id", "buyer_id"),
        Gather("trade", "negotiation_id", "negotiation_id"),
    ),
    rollups=(Rollup("business_partner", "buyer_id", exposure),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("number", Text(40), ONCE),
        Field("buyer_id", Reference("business_partner"), TERMS, required=True),
        Field("seller_id", Reference("business_partner"), TERMS, required=True),
        Field("broker_id", Reference("business_partner"), TERMS),
        Field("availability_id", Reference("availability"), TERMS),
        Field("negotiation_id", Reference("negotiation"), ONCE, since=5, read=PRICES),
        Field("commodity_id", Reference("commodity"), TERMS, required=True),
        Field("variety_id", Reference("variety"), TERMS),
        Field("bales", BALES, TERMS, required=True),
        Field(
            "bale_weight_kg", BALE_WEIGHT, TERMS, required=True, default=BALE_KG, help="agreed net weight of one bale"
        ),
        Field("price_per_candy", PRICE_PER_CANDY, TERMS, required=True, read=PRICES),
        Field("brokerage_pct", PERCENT, TERMS, required=True, default=Decimal("0.00"), read=("desk.read",)),
        Field("commission_structure_id", Reference("commission_structure"), TERMS, since=5, read=("desk.read",)),
        Field("tax_pct", PERCENT, TERMS, required=True, default=Decimal("0.00")),
        Field("delivery_terms", Text(200), TERMS),
        Field("payment_terms", Text(200), TERMS, read=PRICES),
        Field(
            "quality_bases",
            Document(),
            TERMS,
            help='what is owed: {"staple_mm": {"base": 29, "allowance": 0.5, "reject": 1.5}} (erp_core/quality.py)',
        ),
        Field(
            "weight_terms",
            Document(),
            TERMS,
            since=5,
            help='how weight is paid: {"tolerance_pct": 0.5, "packing_kg": 0.9, "moisture_pct": 8.5, "credit_dry": false}'
            " (erp_core/net_weight.py)",
        ),
        Field("trade_date", Day(), TERMS, required=True),
        Field("deliver_from", Day(), TERMS),
        Field("deliver_until", Day(), TERMS),
        Field(
            "amount", RUPEES, DERIVED, read=PRICES, help="the agreed bales at the agreed weight and price, without tax"
        ),
        Field("tax_amount", RUPEES, DERIVED, read=PRICES, help="tax_pct of the amount"),
        Field("bales_dispatched", BALE_COUNT, DERIVED, required=True, default=0, help="over its lorries"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
        Field("remarks", Text(10_000), PROSE, read=("desk.read",)),
    ),
)
