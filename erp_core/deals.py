"""Deals drawn up: from a lot to who needs it, a negotiation, its offers, the trade, its amendments and its lorries.

Owns: what each of these copies from where.
Must not know: money that is owed (books.py), how anything is written.
Invariant: what is agreed on in one record is copied into the next as it was agreed on (tests/integration/test_making.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from erp_core.commands import BY_ENTITY_AND_NAME
from erp_core.drawing import Drawn, Given, Made, Objection, chosen, seen
from erp_core.entities.availability import ON_OFFER
from erp_core.entities.dispatch import bales_sent
from erp_core.entities.match import lot_of, need_of
from erp_core.entities.requirement import WANTED
from erp_core.language import World
from erp_core.matching import score
from erp_core.values import Row

MATCHES_MOST: Final = 20
"""How many matches are made at once: the best; more than these nobody calls."""
_OTHER_SIDE: Final = {"buyer": "seller", "seller": "buyer"}

# --- Matches ------------------------------------------------------------------------------------------------------------


def match_lot(lot: Row, _: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Match a lot with the requirements that it meets best and is not matched with yet."""
    needs = [
        row for row in world.siblings("requirement", "commodity_id", lot["commodity_id"]) if row["state"] in WANTED
    ]
    known = {row["requirement_id"] for row in world.siblings("match", "availability_id", lot["id"])}
    offered = lot_of(lot["id"], lot)
    scored = _best(needs, known, lambda need: score(offered, need_of(need["id"], need)))
    return _matches([(lot["id"], need) for need in scored], ids, "requirement")


def match_need(need: Row, _: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Match a requirement with the lots that meet it best and are not matched with it yet."""
    lots = [
        row for row in world.siblings("availability", "commodity_id", need["commodity_id"]) if row["state"] in ON_OFFER
    ]
    known = {row["availability_id"] for row in world.siblings("match", "requirement_id", need["id"])}
    wanted = need_of(need["id"], need)
    scored = _best(lots, known, lambda lot: score(lot_of(lot["id"], lot), wanted))
    return _matches([(lot, need["id"]) for lot in scored], ids, "lot")


def _best(rows: Sequence[Row], known: set[str], points_of: Callable[[Row], int | None]) -> list[str]:
    """Name the best of `rows`, by points and then by id."""
    scored = [(points, row["id"]) for row in rows if row["id"] not in known and (points := points_of(row)) is not None]
    return [id for _, id in sorted(scored, key=lambda one: (-one[0], one[1]))[:MATCHES_MOST]]


def _matches(pairs: Sequence[tuple[str, str]], ids: Iterator[str], other: str) -> Drawn:
    made = [Made("match", next(ids), {"availability_id": lot, "requirement_id": need}) for lot, need in pairs]
    if not made:
        raise Objection("nothing_fits", f"No {other} fits that it is not matched with already.")
    return Drawn(made, ("match", made[0].id))


# --- Negotiations and offers --------------------------------------------------------------------------------------------

_TERMS: Final = ("price_per_candy", "bales", "delivery_terms", "payment_terms", "valid_until")


def open_talk(match: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Open a negotiation between the two of a match, with its first offer."""
    lot = seen(world.get("availability", match["availability_id"]), "lot")
    need = seen(world.get("requirement", match["requirement_id"]), "requirement")
    id = next(ids)
    talk = {
        "branch_id": lot["branch_id"],
        "availability_id": match["availability_id"],
        "requirement_id": match["requirement_id"],
        "buyer_id": need["buyer_id"],
        "seller_id": lot["seller_id"],
        "commodity_id": lot["commodity_id"],
    }
    bid = chosen(given, "offered_by", *_TERMS, delivery_terms=lot["delivery_terms"], payment_terms=lot["payment_terms"])
    offer = {"negotiation_id": id, **bid}
    return Drawn([Made("negotiation", id, talk), Made("offer", next(ids), offer)], ("negotiation", id))


def make_offer(talk: Row, given: Given, _: World, ids: Iterator[str]) -> Drawn:
    """Make an offer in a negotiation."""
    id = next(ids)
    return Drawn(
        [Made("offer", id, {"negotiation_id": talk["id"], **chosen(given, "offered_by", *_TERMS)})], ("offer", id)
    )


def counter(offer: Row, given: Given, _: World, ids: Iterator[str]) -> Drawn:
    """Answer an offer with another: the first is rejected, and what is not said anew is as it was."""
    other, id = _OTHER_SIDE[offer["offered_by"]], next(ids)
    kept = {name: offer[name] for name in _TERMS if name != "valid_until"}
    answer = {"negotiation_id": offer["negotiation_id"], "offered_by": other, **chosen(given, *_TERMS, **kept)}
    rejected = Made("offer", offer["id"], {"state": "rejected", "answered_by": other}, new=False)
    return Drawn([rejected, Made("offer", id, answer)], ("offer", id))


# --- Trades -------------------------------------------------------------------------------------------------------------


def make_trade(talk: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Make the trade of a negotiation, a draft, by its accepted offer; its bales are counted on lot and requirement."""
    offers = world.siblings("offer", "negotiation_id", talk["id"])
    agreed = seen(next((offer for offer in offers if offer["state"] == "accepted"), None), "accepted offer")
    lot, need = world.get("availability", talk["availability_id"]), world.get("requirement", talk["requirement_id"])
    commodity = world.get("commodity", talk["commodity_id"])
    id = next(ids)
    trade = {
        **{name: talk[name] for name in ("branch_id", "buyer_id", "seller_id", "commodity_id", "availability_id")},
        **{name: agreed[name] for name in ("bales", "price_per_candy", "delivery_terms", "payment_terms")},
        "negotiation_id": talk["id"],
        **chosen(
            given,
            *("number", "broker_id", "commission_structure_id", "brokerage_pct", "bale_weight_kg", "remarks"),
            *("trade_date", "variety_id", "tax_pct", "quality_bases", "weight_terms", "deliver_from", "deliver_until"),
            trade_date=world.today,
            variety_id=(lot or {}).get("variety_id") or (need or {}).get("variety_id"),
            tax_pct=(commodity or {}).get("gst_rate_pct"),
            deliver_from=(need or {}).get("deliver_from"),
            deliver_until=(need or {}).get("deliver_until"),
        ),
    }
    made = [Made("trade", id, {name: value for name, value in trade.items() if value is not None})]
    if given.get("reserve") is not False:
        made += _counted("availability", "reserve", talk["availability_id"], lot, agreed["bales"])
        made += _counted("requirement", "fill", talk["requirement_id"], need, agreed["bales"])
    return Drawn(made, ("trade", id))


def _counted(entity: str, command: str, id: str | None, row: Row | None, bales: int) -> Iterator[Made]:
    """Count bales by a command of the trade, where it can be done."""
    step = BY_ENTITY_AND_NAME[entity, command]
    if id is not None and row is not None and not list(step.speaks_against(row)):
        yield Made(entity, id, step.writes(row, {"bales": bales}), new=False)


def make_amendment(trade: Row, given: Given, _: World, ids: Iterator[str]) -> Drawn:
    """Propose to change what was agreed on."""
    id = next(ids)
    return Drawn([Made("amendment", id, {"trade_id": trade["id"], **given})], ("amendment", id))


def make_lorry(trade: Row, given: Given, world: World, ids: Iterator[str]) -> Drawn:
    """Plan a lorry; without a number of bales, for those that no lorry has yet."""
    left = trade["bales"] - bales_sent(world.siblings("dispatch", "trade_id", trade["id"]))
    if given.get("bales") is None and left < 1:
        raise Objection(
            "nothing_left", "All bales of the trade are on lorries already; say how many this one takes.", "bales"
        )
    id = next(ids)
    names = ("bales", "transporter_id", "vehicle_number", "from_location_id", "to_location_id")
    return Drawn(
        [Made("dispatch", id, {"trade_id": trade["id"], **chosen(given, *names, bales=left)})], ("dispatch", id)
    )
