"""Distance between two places, as the crow flies.

Owns: the haversine formula and the radius of the earth.
Must not know: roads, entities.
Invariant: symmetric, 0 at the same place, never beyond half the girth (tests/properties/test_match_board.py).

Floats stay inside: what goes in is exact and what comes out is whole kilometres, for ranking and never for money.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

EARTH_KM: Final = 6371
"""Mean radius R1 of WGS 84, 6 371.0088 km; a kilometre is finer than any ranking needs."""


def kilometres(one: tuple[Decimal, Decimal], other: tuple[Decimal, Decimal]) -> int:
    """Give the distance of two (latitude, longitude) in degrees, in whole kilometres.

    Rajkot to Mumbai:

    >>> kilometres((Decimal("22.30"), Decimal("70.80")), (Decimal("19.08"), Decimal("72.88")))
    418
    """
    (north, east), (north2, east2) = ((math.radians(degree) for degree in place) for place in (one, other))
    rise = math.sin((north2 - north) / 2) ** 2
    run = math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return round(2 * EARTH_KM * math.asin(math.sqrt(min(1.0, rise + run))))
