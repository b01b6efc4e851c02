"""Geohashes against published ones, and against what they mean."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.geohash import derive_geohash, geohash

LATITUDES, LONGITUDES = st.decimals(-90, 90, places=6), st.decimals(-180, 180, places=6)


class Nowhere:
    """A world that a derivation has no business to look at."""


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        ("57.64911", "10.40744", "u4pruydqqvj"),  # en.wikipedia.org/wiki/Geohash
        ("42.605", "-5.603", "ezs42"),  # the same
        ("-20", "80", "mu2yh"),  # Palantir Foundry, geoPointToGeohashV1
        ("1", "-1", "ebpm9npc6m9b"),  # the same
        ("-82.77450568", "-179.55742495", "0123456789zb"),  # the same
    ],
)
def test_published_geohashes(latitude: str, longitude: str, name: str) -> None:
    assert geohash(Decimal(latitude), Decimal(longitude), len(name)) == name


@given(latitude=LATITUDES, longitude=LONGITUDES, length=st.integers(1, 11))
def test_a_shorter_name_is_the_beginning_of_a_longer_one(latitude: Decimal, longitude: Decimal, length: int) -> None:
    assert geohash(latitude, longitude, 12).startswith(geohash(latitude, longitude, length))


@given(latitude=LATITUDES, longitude=LONGITUDES)
def test_the_place_lies_in_the_cell(latitude: Decimal, longitude: Decimal) -> None:
    south, north, west, east = _cell(geohash(latitude, longitude))

    assert south <= latitude <= north
    assert west <= longitude <= east


def test_half_a_place_has_no_geohash() -> None:
    half = {"latitude": Decimal(22), "longitude": None}

    assert derive_geohash(half, Nowhere()) == {"geohash": None}  # type: ignore[arg-type]


def _cell(name: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Read a geohash the other way, by whole numbers: (south, north, west, east)."""
    bits = "".join(f"{'0123456789bcdefghjkmnpqrstuvwxyz'.index(letter):05b}" for letter in name)
    east_bits, north_bits = bits[0::2], bits[1::2]
    width, height = Decimal(360) / 2 ** len(east_bits), Decimal(180) / 2 ** len(north_bits)
    west, south = -180 + int(east_bits, 2) * width, -90 + int(north_bits, 2) * height
    return south, south + height, west, west + width
