"""Geohash: a short name for a cell of the earth's surface; neighbours mostly share a beginning.

Owns: the algorithm, which Gustavo Niemeyer made public in 2008 (geohash.org; en.wikipedia.org/wiki/Geohash).
Must not know: entities.
Invariant: the place lies in the cell that it is named by (tests/unit/test_geohash.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from erp_core.language import World
from erp_core.values import Row, Value

_LETTERS: Final = "0123456789bcdefghjkmnpqrstuvwxyz"
LENGTH: Final = 9
"""Letters; a cell of nine is 4.8 m by 4.8 m at the equator, about what a phone can tell."""


def geohash(latitude: Decimal, longitude: Decimal, length: int = LENGTH) -> str:
    """Name the cell of a place in degrees: halve the earth by longitude, then latitude, in turn; five halvings a letter.

    >>> geohash(Decimal("57.64911"), Decimal("10.40744"), 11)
    'u4pruydqqvj'
    """
    spans = [[Decimal(-180), Decimal(180)], [Decimal(-90), Decimal(90)]]
    bits = 0
    for step in range(length * 5):
        span, value = spans[step % 2], (longitude, latitude)[step % 2]
        middle = (span[0] + span[1]) / 2
        upper = value >= middle
        span[0 if upper else 1] = middle
        bits = bits * 2 + upper
    return "".join(_LETTERS[bits >> 5 * place & 31] for place in reversed(range(length)))


def derive_geohash(row: Row, _world: World) -> Mapping[str, Value]:
    """Derive `geohash` from `latitude` and `longitude`; empty unless both are given."""
    latitude, longitude = row["latitude"], row["longitude"]
    return {"geohash": None if latitude is None or longitude is None else geohash(latitude, longitude)}
