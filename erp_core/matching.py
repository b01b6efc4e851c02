"""How well one lot meets one need: 0 to 100 points in named parts, or the reasons why it does not at all.

Owns: the parts, their weights (assumed, from how desks rank offers), the hard limits.
Must not know: entities, how many there are of either (erp_core/match_board.py keeps the best).
Invariant: the parts add up to the score, and the score depends on the two alone (tests/properties/test_match_board.py).

Whole numbers throughout, cut downwards, so that the same two always score the same: prices in paise per candy, readings in
hundredths, days as ordinals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Final

from erp_core.distance import kilometres

Place = tuple[Decimal, Decimal]
Facts = Mapping[str, int | str]

PRICE, QUALITY, DISTANCE, QUANTITY, WINDOW, VARIETY = 30, 25, 20, 10, 10, 5
"""What each part is worth at most; 100 together."""
REST: Final = QUALITY + QUANTITY + WINDOW
"""What the parts that only the lot itself can tell are worth at most; price, place and variety are known from its shelf."""
SAVING_PCT: Final = 10
"""So far below the ceiling a price has all its points."""
NEAR_KM, FAR_KM = 50, 1050
"""Up to the one a place has all its points, from the other on none."""


@dataclass(frozen=True, slots=True)
class Lot:
    """What is on offer. `bales`: still free; `price`: paise per candy; `quality`: reading in hundredths; days: ordinals."""

    id: str
    commodity: str
    bales: int
    variety: str | None = None
    price: int | None = None
    quality: Mapping[str, int] = field(default_factory=dict)
    place: Place | None = None
    ready_from: int | None = None
    ready_until: int | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What is looked for. `bales_max` above 0: still wanted; `ceiling`: paise per candy, above 0; `limits`: lowest and
    highest reading in hundredths; `most_km`: no further than this."""

    id: str
    commodity: str
    bales_min: int
    bales_max: int
    variety: str | None = None
    ceiling: int | None = None
    limits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    place: Place | None = None
    deliver_from: int | None = None
    deliver_until: int | None = None
    most_km: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: `reason` is a key of the catalogue of words, `facts` what its sentence is filled with."""

    name: str
    points: int
    out_of: int
    reason: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """Parts that add up to `score`; or `excluded`, the hard limits that were broken, and no score."""

    score: int | None
    parts: tuple[Part, ...]
    excluded: tuple[tuple[str, Facts], ...] = ()


@lru_cache(maxsize=65_536)
def _kilometres(one: Place, other: Place) -> int:
    return kilometres(one, other)


def _km(lot: Lot, need: Need) -> int | None:
    return None if lot.place is None or need.place is None else _kilometres(lot.place, need.place)


def price_points(price: int | None, ceiling: int | None) -> int:
    """Give the points of a price at or below its ceiling; half where either is open. Never rises with the price."""
    if price is None or ceiling is None:
        return PRICE // 2
    return min(PRICE, PRICE * (ceiling - price) * 100 // (ceiling * SAVING_PCT))


def _quality_points(lot: Lot, need: Need) -> int:
    if not need.limits:
        return QUALITY
    return QUALITY * sum(name in lot.quality for name in need.limits) // len(need.limits)


def distance_points(one: Place | None, other: Place | None) -> int:
    """Give the points of two places; half where either is unknown."""
    if one is None or other is None:
        return DISTANCE // 2
    return DISTANCE * (FAR_KM - min(max(_kilometres(one, other), NEAR_KM), FAR_KM)) // (FAR_KM - NEAR_KM)


def _quantity_points(lot: Lot, need: Need) -> int:
    return QUANTITY * min(lot.bales, need.bales_max) // need.bales_max


def _window_points(lot: Lot, need: Need) -> int:
    """By the share of the need's days on which the lot can be delivered; an open end of the need is met by any lot."""
    if need.deliver_from is None or need.deliver_until is None:
        return WINDOW
    first = max(need.deliver_from, lot.ready_from or need.deliver_from)
    last = min(need.deliver_until, lot.ready_until or need.deliver_until)
    return WINDOW * max(0, last - first + 1) // (need.deliver_until - need.deliver_from + 1)


def variety_points(offered: str | None, wanted: str | None) -> int:
    """Give the points of a variety that is not another one: all if it is the one, none if it is not stated."""
    return VARIETY if wanted is None or offered == wanted else 0


PARTS: Final[tuple[tuple[str, int, Callable[[Lot, Need], int]], ...]] = (
    ("price", PRICE, lambda lot, need: price_points(lot.price, need.ceiling)),
    ("quality", QUALITY, _quality_points),
    ("distance", DISTANCE, lambda lot, need: distance_points(lot.place, need.place)),
    ("quantity", QUANTITY, _quantity_points),
    ("window", WINDOW, _window_points),
    ("variety", VARIETY, lambda lot, need: variety_points(lot.variety, need.variety)),
)


def _broken(lot: Lot, need: Need) -> Iterator[tuple[str, Facts]]:
    """Name the hard limits that exclude a lot, the cheapest to see first."""
    if lot.commodity != need.commodity:
        yield "other_commodity", {}
    if need.variety is not None and lot.variety not in (None, need.variety):
        yield "other_variety", {"offered": lot.variety or "", "wanted": need.variety}
    if lot.price is not None and need.ceiling is not None and lot.price > need.ceiling:
        yield "above_ceiling", {"price": lot.price, "ceiling": need.ceiling}
    if lot.bales < need.bales_min or lot.bales <= 0:
        yield "too_few_bales", {"free": lot.bales, "least": need.bales_min}
    for name, (low, high) in need.limits.items():
        reading = lot.quality.get(name)
        if reading is not None and ((low is not None and reading < low) or (high is not None and reading > high)):
            yield "outside_limits", {"parameter": name, "hundredths": reading}
    if need.deliver_until is not None and lot.ready_from is not None and lot.ready_from > need.deliver_until:
        yield "ready_too_late", {"ready": lot.ready_from, "until": need.deliver_until}
    if need.deliver_from is not None and lot.ready_until is not None and lot.ready_until < need.deliver_from:
        yield "gone_too_early", {"gone": lot.ready_until, "from": need.deliver_from}
    if need.most_km is not None and (km := _km(lot, need)) is not None and km > need.most_km:
        yield "too_far", {"km": km, "most": need.most_km}


def score(lot: Lot, need: Need) -> int | None:
    """Give the points of a lot for a need; None if a hard limit excludes it.

    >>> score(Lot("l", "lint", 100, price=5_900_000), Need("n", "lint", 50, 100, ceiling=6_200_000))
    74
    """
    for name, (low, high) in need.limits.items():  # what excludes most lots, without the cost of a generator
        reading = lot.quality.get(name)
        if reading is not None and ((low is not None and reading < low) or (high is not None and reading > high)):
            return None
    if next(_broken(lot, need), None) is not None:
        return None
    return (
        price_points(lot.price, need.ceiling)
        + _quality_points(lot, need)
        + distance_points(lot.place, need.place)
        + _quantity_points(lot, need)
        + _window_points(lot, need)
        + variety_points(lot.variety, need.variety)
    )


def explain(lot: Lot, need: Need) -> Verdict:
    """Say what `score` is made of, or every hard limit that the lot breaks."""
    excluded = tuple(_broken(lot, need))
    if excluded:
        return Verdict(None, (), excluded)
    facts = _facts(lot, need)
    parts = tuple(
        Part(name, points := find(lot, need), most, _reason(name, points, most), facts[name])
        for name, most, find in PARTS
    )
    return Verdict(sum(part.points for part in parts), parts)


def _reason(name: str, points: int, most: int) -> str:
    return f"{name}_{'full' if points == most else 'none' if points == 0 else 'partly'}"


def _facts(lot: Lot, need: Need) -> dict[str, Facts]:
    plain: dict[str, dict[str, int | str | None]] = {
        "price": {"price": lot.price, "ceiling": need.ceiling},
        "quality": {"stated": sum(name in lot.quality for name in need.limits), "asked": len(need.limits)},
        "distance": {"km": _km(lot, need)},
        "quantity": {"free": lot.bales, "wanted": need.bales_max},
        "window": {"from": need.deliver_from, "until": need.deliver_until},
        "variety": {"offered": lot.variety, "wanted": need.variety},
    }
    return {name: {k: v for k, v in facts.items() if v is not None} for name, facts in plain.items()}
