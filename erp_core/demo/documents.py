"""Documents of one branch: what its partners offer, want and agreed on between the season's start and today.

Owns: prices, bales, dates and states that fit each other.
Must not know: lorries and laboratories (deliveries.py).
Invariant: no availability is sold beyond what it offers, and no buyer beyond its credit limit (tests/unit/test_demo.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from erp_core.demo.lint import owed, stated, wanted
from erp_core.demo.partners import Partner
from erp_core.demo.places import Region
from erp_core.demo.reference import (
    COMMODITIES,
    CROP_YEAR,
    SEASON_BEGINS,
    TODAY,
    commodity_id,
    location_id,
    variety_id,
)
from erp_core.demo.rows import Pile
from erp_core.entities.availability import AVAILABILITY
from erp_core.entities.requirement import REQUIREMENT
from erp_core.entities.trade import TRADE

PRICES: Final = {
    # rupees per candy: Shankar-6 as Fibre2Fashion reported it from Gujarat (55 800 to 56 200, season 2023-24), the others
    # in about the proportion of commoditiescontrol.com's lists of spot prices
    "Shankar-6": 55_000,
    "J-34": 53_000,
    "MCU-5": 58_500,
    "DCH-32": 74_000,
    "Bunny/Brahma": 56_000,
    "V-797": 43_000,
    "Suvin": 88_000,
}
TAX_PCT: Final = Decimal(COMMODITIES[0].gst_rate_pct)
DELIVERY: Final = ("Ex gin", "Delivered mill", "FOR station", "Ex warehouse")
PAYMENT: Final = ("Advance", "Against delivery", "15 days", "30 days", "Against documents")
REMARKS: Final = ("Sample approved by the buyer.", "Loading after the weekly market.", "Price agreed on the phone.")
TRADE_STATES: Final = ("draft", "confirmed", "in_delivery", "completed", "disputed", "cancelled")


@dataclass(frozen=True, slots=True)
class Lot:
    """An availability with what is left of it."""

    id: str
    seller: Partner
    variety: str
    offered_on: date
    left: int


@dataclass(frozen=True, slots=True)
class Deal:
    """A trade that deliveries can follow."""

    id: str
    variety: str
    bales: int
    state: str
    agreed_on: date
    seller: Partner
    lot: str | None


class Desk:
    """The desk of one branch for one block; `block` makes the numbers of documents unique."""

    def __init__(self, pile: Pile, region: Region, block: int, partners: Sequence[Partner]) -> None:
        self.pile, self.region, self.block = pile, region, block
        trading = [partner for partner in partners if partner.trades]
        self.buyers = [partner for partner in trading if partner.role == "buyer"]
        self.sellers = [partner for partner in trading if partner.role in ("ginner", "seller")]
        self.brokers = [partner for partner in trading if partner.role == "broker"]

    def work(self) -> list[Deal]:
        """Make 5 availabilities, 3 requirements and 7 trades; give the trades."""
        lots = [self._offer(n) for n in range(5)]
        for n in range(3):
            self._want(n)
        deals = [self._agree(n, lots) for n in range(7)]
        for lot in lots:
            self._settle(lot)
        return deals

    def _number(self, letter: str, n: int) -> str:
        return f"{self.region.code}/{CROP_YEAR}/{letter}{self.block * 10 + n:06d}"

    def _variety(self) -> str:
        return self.pile.rng.choices(self.region.varieties, (6, 3, 2))[0]

    def _price(self, variety: str) -> Decimal:
        return Decimal(PRICES[variety] + 50 * self.pile.rng.randint(-30, 30)).quantize(Decimal("0.01"))

    def _of_lint(self, variety: str) -> dict[str, Any]:
        return {
            "branch_id": self.region.branch_id,
            "commodity_id": commodity_id("lint"),
            "variety_id": variety_id(variety),
        }

    def _offer(self, n: int) -> Lot:
        rng = self.pile.rng
        seller, variety = rng.choice(self.sellers), self._variety()
        bales, offered_on = 25 * rng.randint(4, 20), day(rng, SEASON_BEGINS, TODAY - timedelta(days=7))
        id = self.pile.add(
            AVAILABILITY,
            **self._of_lint(variety),
            number=self._number("A", n),
            seller_id=seller.id,
            location_id=location_id("gin", seller.town),
            crop_year=CROP_YEAR,
            bales_offered=bales,
            asking_price_per_candy=self._price(variety),
            price_kind=rng.choice(("fixed", "negotiable", "negotiable", "on_call")),
            quality=stated(rng, variety),
            delivery_terms=rng.choice(DELIVERY),
            payment_terms=rng.choice(PAYMENT),
            valid_until=TODAY + timedelta(days=rng.randint(14, 120)),
            visibility=rng.choice(("organisation", "organisation", "partners", "private")),
        )
        return Lot(id, seller, variety, offered_on, bales)

    def _want(self, n: int) -> None:
        rng = self.pile.rng
        variety, least = self._variety(), 25 * rng.randint(2, 8)
        most = least + 25 * rng.randint(0, 8)
        state = rng.choices(("draft", "open", "part_filled", "fulfilled", "cancelled"), (1, 5, 2, 1, 1))[0]
        deliver_from = day(rng, TODAY - timedelta(days=20), TODAY + timedelta(days=20))
        deliver_until = deliver_from + timedelta(days=rng.randint(7, 45))
        if state == "open" and deliver_until < TODAY:
            state = "expired"
        self.pile.add(
            REQUIREMENT,
            **self._of_lint(variety),
            number=self._number("R", n),
            buyer_id=rng.choice(self.buyers).id,
            bales_min=least,
            bales_max=most,
            quality_limits=wanted(variety),
            price_ceiling_per_candy=self._price(variety),
            deliver_from=deliver_from,
            deliver_until=deliver_until,
            urgency=rng.choice(("low", "normal", "normal", "high")),
            bales_fulfilled={"fulfilled": most, "part_filled": least // 2}.get(state, 0),
            state=state,
        )

    def _agree(self, n: int, lots: list[Lot]) -> Deal:
        """Make one trade: the first is confirmed and nothing of it has left yet; one in four is without an availability."""
        rng = self.pile.rng
        at = rng.randrange(len(lots))
        lot: Lot | None = lots[at] if lots[at].left >= 50 and rng.random() < 0.75 else None
        state = "confirmed" if n == 0 else rng.choices(TRADE_STATES, (2, 3, 5, 4, 1, 1))[0]
        seller, variety = (lot.seller, lot.variety) if lot else (rng.choice(self.sellers), self._variety())
        bales = self._bales(lot.left if lot else None)
        agreed_on = day(rng, lot.offered_on if lot else SEASON_BEGINS, TODAY)
        broker = rng.choice(self.brokers) if self.brokers and rng.random() < 0.6 else None
        id = self.pile.add(
            TRADE,
            **self._of_lint(variety),
            number=self._number("T", n),
            buyer_id=rng.choice(self.buyers).id,
            seller_id=seller.id,
            broker_id=broker.id if broker else None,
            availability_id=lot.id if lot else None,
            bales=bales,
            price_per_candy=self._price(variety),
            brokerage_pct=rng.choice((Decimal("0.25"), Decimal("0.50"))) if broker else Decimal("0.00"),
            tax_pct=TAX_PCT,
            delivery_terms=rng.choice(DELIVERY),
            payment_terms=rng.choice(PAYMENT),
            quality_bases=owed(variety),
            trade_date=agreed_on,
            deliver_from=agreed_on + timedelta(days=2),
            deliver_until=agreed_on + timedelta(days=rng.randint(10, 40)),
            state=state,
            remarks=rng.choice(REMARKS) if rng.random() < 0.3 else None,
        )
        if lot is not None and state != "cancelled":
            lots[at] = Lot(lot.id, lot.seller, lot.variety, lot.offered_on, lot.left - bales)
        return Deal(id, variety, bales, state, agreed_on, seller, lot.id if lot else None)

    def _bales(self, left: int | None) -> int:
        """Draw 50 to 200 bales in steps of 5, as far as the lot has them; one buyer in four takes all that is left."""
        rng = self.pile.rng
        if left is not None and left <= 300 and rng.random() < 0.25:
            return left
        return 5 * rng.randint(10, min(left or 200, 200) // 5)

    def _settle(self, lot: Lot) -> None:
        """Count what the trades took of a lot: drafts reserve, the others have sold."""
        row = self.pile.rows["availability"][lot.id]
        trades = self.pile.siblings("trade", "availability_id", lot.id)
        row["bales_reserved"] = sum(trade["bales"] for trade in trades if trade["state"] == "draft")
        row["bales_sold"] = sum(trade["bales"] for trade in trades if trade["state"] not in ("draft", "cancelled"))
        if row["bales_sold"] == row["bales_offered"]:
            row["state"] = "sold"
        elif row["bales_sold"] + row["bales_reserved"] == row["bales_offered"]:
            row["state"] = "reserved"
        elif trades:
            row["state"] = "active"
        else:
            row["state"] = self.pile.rng.choice(("draft", "active", "active", "expired", "cancelled"))
        if row["state"] == "expired":
            row["valid_until"] = lot.offered_on + timedelta(days=self.pile.rng.randint(1, 6))


def day(rng: Random, first: date, last: date) -> date:
    """Draw a day from `first` to `last`, both included."""
    return first + timedelta(days=rng.randint(0, (last - first).days))
