"""The dispatch: one lorry with bales of a trade.

Owns: its declaration and its rules.
Must not know: invoices, the vehicle's papers.
Invariant: the lorries of a trade carry no more than it allows (tests/unit/test_dispatch_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from erp_core.access import Access
from erp_core.identifiers import is_vehicle_number
from erp_core.language import (
    DERIVED,
    GUARDED,
    NEWEST,
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
    tally,
)
from erp_core.rules import (
    TRANSPORTERS,
    deletable_while,
    enters,
    in_order,
    in_pairs,
    partner_is,
    touched,
    well_formed,
    when_touched,
)
from erp_core.scopes import By, Follows
from erp_core.values import Choice, Instant, Integer, Number, Reference, Row, Text, Value
from erp_core.vocabulary import BALE_COUNT, LATITUDE, LONGITUDE

STATES = States(
    "state",
    {
        "planned": ("loaded",),
        "loaded": ("in_transit",),
        "in_transit": ("delivered", "short", "rejected"),
        "delivered": (),
        "short": (),
        "rejected": (),
    },
    breaks=("short", "rejected"),
    also_begins=(
        "loaded",
        "in_transit",
        "delivered",
        "short",
        "rejected",
    ),  # a phone without a signal sends the last state
)

ON_THE_ROAD = frozenset({"loaded", "in_transit", "delivered", "short", "rejected"})

ARRIVED = frozenset({"delivered", "short"})

TOLERANCE_PCT = Decimal(5)
"""How far the bales of all lorries may exceed a trade's: lots go out in whole lorries and press lots, so a few bales more are
usual and many more are a slip of the pen or another contract. An assumption: export offers of Indian ginners state a weight
tolerance of 5 % either way, but no by-law on the number of bales was found. To be confirmed by the house."""


# --- What follows from the weighing and the lorries -------------------------------------------------------------------


def _net(row: Row, _: World) -> Mapping[str, Value]:
    gross, tare = row["gross_kg"], row["tare_kg"]
    weighed = gross is not None and tare is not None and gross > tare > 0
    return {"net_kg": gross - tare if weighed else None}


def bales_sent(dispatches: Sequence[Row]) -> int:
    """Count the bales of all lorries, planned ones included; a rejected lorry comes back and does not count."""
    return sum(row["bales"] for row in dispatches if row["state"] != "rejected")


def _dispatched(_: Row, dispatches: Sequence[Row]) -> Mapping[str, Value]:
    """Saturates like a partner's exposure: the sum must not make a push fail."""
    return {"bales_dispatched": min(bales_sent(dispatches), BALE_COUNT.most)}


# --- Rules ------------------------------------------------------------------------------------------------------------


def _trade_is_open(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """Lorries are planned and loaded for confirmed trades; one that is on its way arrives whatever becomes of the trade."""
    trade = world.get("trade", after["trade_id"])
    if trade is None or not (touched(after, before, "trade_id") or enters(after, before, ON_THE_ROAD)):
        return
    if trade["state"] not in ("confirmed", "in_delivery"):
        sentence = f"The trade is {trade['state']}; lorries are sent for confirmed trades only."
        yield Violation("trade_not_open", sentence, ("trade_id",))


@when_touched("trade_id", "bales", "state")
def _within_trade(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    trade = world.get("trade", after["trade_id"])
    if trade is None or after["state"] == "rejected":
        return
    sent = bales_sent(world.siblings("dispatch", "trade_id", after["trade_id"]))
    most = int(trade["bales"] * (100 + TOLERANCE_PCT) / 100)
    if sent > most:
        sentence = f"All lorries together would carry {sent} bales; the trade is for {trade['bales']}, at most {most}."
        yield Violation("more_than_traded", sentence, ("bales",))


@when_touched("gross_kg", "tare_kg")
def _weights(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    gross, tare = after["gross_kg"], after["tare_kg"]
    if tare is not None and tare <= 0:
        yield Violation("no_tare", "The tare is the empty lorry's weight and more than 0.", ("tare_kg",))
    elif gross is not None and gross <= (tare or 0):
        sentence = f"The loaded lorry ({gross} kg) must weigh more than the empty one ({tare or 0} kg)."
        yield Violation("gross_not_above_tare", sentence, ("gross_kg", "tare_kg"))


def _loaded_with_something(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if not enters(after, before, ON_THE_ROAD):
        return
    if after["vehicle_number"] is None:
        yield Violation("incomplete", "Write down the number of the lorry that was loaded.", ("vehicle_number",))
    if after["bales"] < 1:
        yield Violation("incomplete", "Write down how many bales were loaded.", ("bales",))


DISPATCH = Entity(
    name="dispatch",
    table="dispatches",
    title="Dispatch",
    access=Access(
        read=("desk.read", "dispatch.write", "external.document"),
        create=("dispatch.write",),
        update=("dispatch.write",),
        delete=("dispatch.write",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    labels=(Follows("trade_id", "trade"), By("partner", "transporter_id"), By("side", "transporter_id")),
    parent="trade_id",
    states=STATES,
    rules=(
        partner_is("transporter_id", *TRANSPORTERS),
        well_formed("vehicle_number", is_vehicle_number, "a vehicle number; write it like GJ03BT4471"),
        in_order("loaded_at", "departed_at", "arrived_at"),
        in_pairs("latitude", "longitude"),
        _weights,
        _loaded_with_something,
        _trade_is_open,
        _within_trade,
    ),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    derive=_net,
    gathers=(Gather("dispatch", "trade_id", "trade_id"),),
    rollups=(Rollup("trade", "trade_id", _dispatched),),
    fields=(
        Field("trade_id", Reference("trade"), ONCE, required=True),
        Field("transporter_id", Reference("business_partner")),
        Field("vehicle_number", Text(15)),
        Field("lr_number", Text(40)),
        Field("eway_bill", Text(12, re.compile("[0-9]{12}"), "241012345678"), help="number of the e-way bill"),
        Field("bales", Integer(0, 100_000), tally(0), required=True, default=0),
        Field("gross_kg", Number(10, 2, "kg")),
        Field("tare_kg", Number(10, 2, "kg")),
        Field("net_kg", Number(10, 2, "kg"), DERIVED),
        Field("from_location_id", Reference("location")),
        Field("to_location_id", Reference("location")),
        Field("loaded_at", Instant(), NEWEST),
        Field("departed_at", Instant(), NEWEST),
        Field("arrived_at", Instant(), NEWEST),
        Field("latitude", LATITUDE),
        Field("longitude", LONGITUDE),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="planned"),
    ),
)
