"""The board: the best lots for every need, kept up to date one change at a time.

Owns: the shelves by commodity, place and variety, each sorted by price, and the best lots of each need.
Must not know: how points are given (erp_core/matching.py), beyond that price points never rise with the price.
Invariant: after any changes the board is what a full run over all pairs gives (tests/properties/test_match_board.py).

Cost: a need walks the shelves of its varieties from the nearest, each from the cheapest lot, and leaves one where even full
points for all else could not enter its best; a changed lot is scored once against each need of its commodity, and only a
need that loses one of its best walks again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter

from erp_core.matching import PRICE, REST, Lot, Need, Place, distance_points, price_points, score, variety_points

Shelf = list[tuple[int, str]]
"""(price in paise, id of the lot), the cheapest first."""
Ranked = tuple[int, str]
"""(points below 0, id of the lot): sorts the best first, and by id where points are equal."""


class Board:
    """The `keep` best lots of every need."""

    def __init__(self, lots: Iterable[Lot] = (), needs: Iterable[Need] = (), *, keep: int = 10) -> None:
        self._keep = keep
        self._lots: dict[str, Lot] = {}
        self._needs: dict[str, dict[str, Need]] = defaultdict(dict)
        self._commodity_of: dict[str, str] = {}
        self._shelves: dict[str, dict[Place | None, dict[str | None, Shelf]]] = defaultdict(dict)
        self._near: dict[tuple[str, Place | None], list[int]] = defaultdict(list)
        self._best: dict[str, list[Ranked]] = {}
        for lot in lots:
            self._enter(lot)
        for need in needs:
            self.put_need(need)

    def best(self, need_id: str) -> list[tuple[str, int]]:
        """Give (lot, points) of a need, best first, by id where equal. Raises KeyError for an unknown need."""
        return [(lot, -points) for points, lot in self._best[need_id]]

    def put_need(self, need: Need) -> None:
        """Add or replace a need; walks its lots."""
        self.drop_need(need.id)
        self._needs[need.commodity][need.id] = need
        self._commodity_of[need.id] = need.commodity
        self._best[need.id] = self._walk(need)

    def drop_need(self, need_id: str) -> None:
        """Forget a need; an unknown one is no matter."""
        if (commodity := self._commodity_of.pop(need_id, None)) is not None:
            del self._needs[commodity][need_id], self._best[need_id]

    def put_lot(self, lot: Lot) -> frozenset[str]:
        """Add or replace a lot; give the needs whose best changed."""
        changed = set(self.drop_lot(lot.id))
        self._enter(lot)
        for need in self._needs[lot.commodity].values():
            points = score(lot, need)
            if points is not None and self._offer(self._best[need.id], (-points, lot.id)):
                changed.add(need.id)
        return frozenset(changed)

    def drop_lot(self, lot_id: str) -> frozenset[str]:
        """Forget a lot; give the needs whose best changed. An unknown one is no matter."""
        lot = self._lots.pop(lot_id, None)
        if lot is None:
            return frozenset()
        shelf, key = self._shelves[lot.commodity][lot.place][lot.variety], _key(lot)
        del shelf[bisect_left(shelf, key)]
        held = [n for n in self._needs[lot.commodity].values() if any(id == lot_id for _, id in self._best[n.id])]
        for need in held:
            best = self._best[need.id]
            was_full = len(best) == self._keep
            self._best[need.id] = self._walk(need) if was_full else [entry for entry in best if entry[1] != lot_id]
        return frozenset(need.id for need in held)

    def _enter(self, lot: Lot) -> None:
        self._lots[lot.id] = lot
        shelf = self._shelves[lot.commodity].setdefault(lot.place, {}).setdefault(lot.variety, [])
        insort(shelf, _key(lot))

    def _offer(self, best: list[Ranked], entry: Ranked) -> bool:
        if len(best) >= self._keep and entry > best[-1]:
            return False
        insort(best, entry)
        del best[self._keep :]
        return True

    def _walk(self, need: Need) -> list[Ranked]:
        best: list[Ranked] = []
        for known, _, shelf in self._by_nearness(need):
            if len(best) >= self._keep and known + PRICE < -best[-1][0]:
                break
            self._walk_shelf(need, shelf, known, best)
        return best

    def _walk_shelf(self, need: Need, shelf: Shelf, known: int, best: list[Ranked]) -> None:
        """Offer the lots of a shelf from the cheapest, as long as one may enter; `known`: most points but the price's."""
        ceiling = need.ceiling
        for price, lot_id in shelf:
            stated = None if price < 0 else price
            if stated is not None and ceiling is not None and stated > ceiling:
                break
            if len(best) >= self._keep and known + price_points(stated, ceiling) < -best[-1][0]:
                if stated is None:
                    continue
                break
            lot = self._lots[lot_id]
            if lot.bales >= need.bales_min and (points := score(lot, need)) is not None:
                self._offer(best, (-points, lot_id))

    def _by_nearness(self, need: Need) -> list[tuple[int, int, Shelf]]:
        """Give (most points but the price's, tie breaker, shelf) of every shelf that may hold lots for a need."""
        places = self._shelves[need.commodity]
        near = self._near[need.commodity, need.place]
        for place in islice(places, len(near), None):
            near.append(distance_points(place, need.place))
        found: list[tuple[int, int, Shelf]] = []
        for points, by_variety in zip(near, places.values(), strict=True):
            varieties = by_variety if need.variety is None else (need.variety, None)
            for variety in varieties:
                if shelf := by_variety.get(variety):
                    found.append((points + REST + variety_points(variety, need.variety), len(found), shelf))
        return sorted(found, key=itemgetter(0), reverse=True)


def _key(lot: Lot) -> tuple[int, str]:
    """Sort lots without a price first: their points are the same for every need with a ceiling."""
    return (-1 if lot.price is None else lot.price, lot.id)
