"""What follows a trade: inspections of its lots and lorries with its bales.

Owns: readings, weights and times that fit each other and the trade.
Must not know: how the trade came about.
Invariant: the lorries of a trade carry no more than its bales (tests/unit/test_demo.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from erp_core.demo.documents import Deal
from erp_core.demo.lint import between, readings
from erp_core.demo.numbers import vehicle
from erp_core.demo.places import BEYOND, Region, Town
from erp_core.demo.reference import TODAY, location_id
from erp_core.demo.rows import Pile
from erp_core.entities.dispatch import DISPATCH
from erp_core.entities.quality_inspection import QUALITY_INSPECTION

LORRY_BALES: Final = 100
"""What a ten-wheeler takes: 100 bales of about 170 kg are 17 t."""


def inspect(pile: Pile, region: Region, deal: Deal, serial: int) -> None:
    """Add an inspection or two of the trade's lot; drafts and cancelled trades have none."""
    if deal.state in ("draft", "cancelled"):
        return
    for n in range(pile.rng.choice((1, 1, 2))):
        _inspection(pile, region, deal, f"L{serial:06d}{'AB'[n]}")


def _inspection(pile: Pile, region: Region, deal: Deal, lot_number: str) -> None:
    rng = pile.rng
    first = rng.randint(1, 9_000)
    state = rng.choices(("draft", "submitted", "accepted", "disputed"), (2, 3, 6, 1))[0]
    hvi = rng.random() < 0.6
    latitude, longitude = _near(rng, deal.seller.town)
    pile.add(
        QUALITY_INSPECTION,
        trade_id=deal.id,
        availability_id=deal.lot,
        lot_number=lot_number,
        bale_numbers=tuple(sorted(str(first + i) for i in range(rng.randint(3, 8)))),
        inspector_id=rng.choice(region.agents) if region.agents else "manager",
        location_id=location_id("gin", deal.seller.town),
        latitude=latitude,
        longitude=longitude,
        **readings(rng, deal.variety, hvi),
        method="hvi" if hvi else "hand",
        inspected_at=moment(rng, min(deal.agreed_on + timedelta(days=rng.randint(0, 6)), TODAY)),
        state=state,
    )


def dispatch(pile: Pile, region: Region, deal: Deal, transporters: list[str]) -> None:
    """Add the lorries of a trade: all of a completed one, some of one in delivery, a planned one of some confirmed ones."""
    states: tuple[str, ...]
    if deal.state == "completed":
        left, states = deal.bales, ("delivered", "delivered", "delivered", "short")
    elif deal.state in ("in_delivery", "disputed"):
        left, states = deal.bales * pile.rng.randint(3, 9) // 10, ("loaded", "in_transit", "delivered")
        states = (*states, "rejected") if deal.state == "disputed" else states
    elif deal.state == "confirmed" and pile.rng.random() < 0.4:
        left, states = min(deal.bales // 2, LORRY_BALES), ("planned",)
    else:
        return
    while left > 0:
        bales = min(left, LORRY_BALES)
        _lorry(pile, region, deal, bales, pile.rng.choice(states), transporters)
        left -= bales


def _lorry(pile: Pile, region: Region, deal: Deal, bales: int, state: str, transporters: list[str]) -> None:
    rng = pile.rng
    _, _, to_town, _ = rng.choice(BEYOND)
    values: dict[str, Any] = {}
    if state != "planned":
        tare = Decimal(rng.randint(9_200, 10_600)).quantize(Decimal("0.01"))
        net = (Decimal(bales) * between(rng, Decimal("165.00"), Decimal("172.00"), 2)).quantize(Decimal("0.01"))
        loaded = moment(rng, min(deal.agreed_on + timedelta(days=rng.randint(0, 8)), TODAY - timedelta(days=2)))
        values = {"lr_number": f"LR{rng.randint(100_000, 999_999)}", "eway_bill": str(rng.randint(10**11, 10**12 - 1))}
        values |= {"gross_kg": tare + net, "tare_kg": tare, "net_kg": net, "loaded_at": loaded}
        if state != "loaded":
            values["departed_at"] = loaded + timedelta(minutes=rng.randint(30, 240))
            values["latitude"], values["longitude"] = _near(rng, deal.seller.town if state == "in_transit" else to_town)
        if state in ("delivered", "short", "rejected"):
            values["arrived_at"] = values["departed_at"] + timedelta(hours=rng.randint(6, 30))
    pile.add(
        DISPATCH,
        trade_id=deal.id,
        transporter_id=rng.choice(transporters),
        vehicle_number=vehicle(rng, region.vehicle_prefixes),
        bales=bales,
        from_location_id=location_id("gin", deal.seller.town),
        to_location_id=location_id("far", to_town),
        state=state,
        **values,
    )


def moment(rng: Random, on: date) -> datetime:
    """Draw a whole minute of working time in India, 9 to 18 o'clock, of a day."""
    return datetime.combine(on, time(3, 30), tzinfo=UTC) + timedelta(minutes=rng.randint(0, 9 * 60))


def _near(rng: Random, town: Town) -> tuple[Decimal, Decimal]:
    """Draw a place within about 3 km of the town."""
    latitude, longitude = (Decimal(text) for text in (town.latitude, town.longitude))
    return (
        latitude + Decimal(rng.randint(-27_000, 27_000)).scaleb(-6),
        longitude + Decimal(rng.randint(-27_000, 27_000)).scaleb(-6),
    )
