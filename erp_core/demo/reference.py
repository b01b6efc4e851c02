"""Reference data of the demo organisation: itself, branches, units, commodities, varieties, places, settings.

Owns: facts of law and standard, each with its source and date beside it.
Must not know: partners and documents.
Invariant: weights are those of erp_core/units.py; every id is fixed, so that a demo that grows finds them
(tests/unit/test_demo.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random
from typing import Final

from erp_core.demo.ids import fixed_id
from erp_core.demo.names import ENDINGS
from erp_core.demo.numbers import gstin, pan
from erp_core.demo.office import add_books, add_measures, add_terms
from erp_core.demo.places import BEYOND, REGIONS, Region, Town
from erp_core.demo.rows import Pile
from erp_core.entities.branch import BRANCH
from erp_core.entities.commodity import COMMODITY
from erp_core.entities.location import LOCATION
from erp_core.entities.organisation import ORGANISATION
from erp_core.entities.setting import SETTING
from erp_core.entities.unit import UNIT
from erp_core.entities.variety import VARIETY
from erp_core.geohash import geohash
from erp_core.units import BALE_KG, KG_OF, QUINTAL_KG

ORG_ID: Final = "DemoCottonHouse1"
OTHER_ORG_ID: Final = "OtherTraderDemo2"
TODAY: Final = date(2026, 11, 23)
SEASON_BEGINS: Final = date(2026, 10, 1)
SEASON_ENDS: Final = date(2027, 9, 30)
CROP_YEAR: Final = "2026-27"

UNITS: Final = (
    # code, name, dimension, factor to the base unit of its dimension (kg, mm, bag, %, INR)
    ("kg", "Kilogram", "mass", KG_OF["kg"]),
    ("quintal", "Quintal (100 kg)", "mass", KG_OF["quintal"]),
    ("tonne", "Tonne (1 000 kg)", "mass", KG_OF["tonne"]),
    ("candy", "Candy (784 lb)", "mass", KG_OF["candy"]),
    ("maund", "Maund (40 seers)", "mass", KG_OF["maund"]),
    ("maund_20", "Maund of 20 kg (Gujarat)", "mass", KG_OF["maund_20"]),
    ("bale", "Bale (Indian standard, 170 kg of lint)", "mass", KG_OF["bale"]),
    ("mm", "Millimetre", "length", Decimal(1)),
    ("bag", "Bag", "count", Decimal(1)),
    ("pct", "Per cent", "percentage", Decimal(1)),
    ("inr", "Indian rupee", "currency", Decimal(1)),
)
GOODS_RATES: Final = (
    "Notification 9/2025-Central Tax (Rate), 17 September 2025, Schedule I (2.5 %, with the state's half 5 %)"
)


@dataclass(frozen=True, slots=True)
class CommodityFact:
    """A commodity, its HSN heading and GST rate (central and state halves together, per cent).

    `source` is the law in force for the demo's season. The rates were compared on 2026-11-23 with the tables of busy.in
    (5201: new rate 5 %, old 5 %; 1207 29 00: 5 %; 1207 21 00, for sowing: nil) and cleartax.in (5201: 5 %, 5202: 5 %).
    """

    key: str
    name: str
    category: str
    hsn: str
    units: tuple[str, str, str]
    standard_weight_kg: Decimal
    gst_rate_pct: str
    grades: tuple[str, ...]
    source: str


COMMODITIES: Final = (
    CommodityFact(
        *("lint", "Cotton lint", "lint", "5201", ("kg", "bale", "candy"), BALE_KG, "5.00"),
        ("Fine", "Fully good", "Good", "Superfine"),
        GOODS_RATES,
    ),
    CommodityFact(
        *("kapas", "Kapas (seed cotton)", "seed_cotton", "5201", ("kg", "quintal", "quintal"), QUINTAL_KG, "5.00"),
        ("A", "B", "C"),
        f"{GOODS_RATES}; bought from a farmer, the buyer owes it (Notification 43/2017-Central Tax (Rate), 14 November 2017)",
    ),
    CommodityFact(
        *("seed", "Cotton seed", "cotton_seed", "1207", ("kg", "quintal", "quintal"), QUINTAL_KG, "5.00"),
        ("Feed", "Oil mill"),
        f"{GOODS_RATES}; other than of seed quality",
    ),
    CommodityFact(
        *("waste", "Cotton waste", "waste", "5202", ("kg", "bale", "candy"), BALE_KG, "5.00"),
        ("Comber noil", "Flat strips", "Licker-in"),
        GOODS_RATES,
    ),
)

VARIETIES: Final = (
    # name, staple from and to in mm, micronaire from and to; as the trade describes them
    ("Shankar-6", "27.5", "29.5", "3.50", "4.90"),
    ("J-34", "25.5", "27.5", "3.80", "4.90"),
    ("MCU-5", "31.0", "33.0", "3.20", "4.30"),
    ("DCH-32", "34.0", "36.0", "3.00", "3.80"),
    ("Bunny/Brahma", "29.0", "31.5", "3.40", "4.60"),
    ("V-797", "21.0", "23.5", "4.50", "6.00"),
    ("Suvin", "37.0", "39.0", "3.00", "3.60"),
)

SETTINGS: Final = (
    # key, value
    ("season", CROP_YEAR),
    ("season.begins", SEASON_BEGINS.isoformat()),
    ("season.ends", SEASON_ENDS.isoformat()),
    ("price.unit", "INR/candy"),
)


def unit_id(code: str) -> str:
    """Give the id of the unit `code`."""
    return fixed_id("Unit", code)


def commodity_id(key: str) -> str:
    """Give the id of the commodity `key` of COMMODITIES."""
    return fixed_id("Goods", key)


def variety_id(name: str) -> str:
    """Give the id of a variety of lint."""
    return fixed_id("Var", name)


def location_id(kind: str, town: Town) -> str:
    """Give the id of the place of this kind in `town`."""
    return fixed_id(
        {"market_yard": "Yard", "gin": "Gin", "warehouse": "Whse", "office": "Off"}.get(kind, "Far"), town.name
    )


def reference_data(seed: int) -> Pile:
    """Make the demo organisation and everything its documents refer to; about 160 rows."""
    pile = Pile(Random(f"{seed}/reference"), TODAY)  # noqa: S311 - demo data
    own_pan = pan(1, ENDINGS["private"][1], "S", pile.rng)
    pile.add(
        *(ORGANISATION, ORG_ID),
        legal_name="Shvet Kapas Trading Private Limited",
        cin="U51909GJ2011PTC064213",
        pan=own_pan,
        gstin=gstin("24", own_pan),
        registered_address="Dhebar Road, Rajkot 360001",
        state="Gujarat",
    )
    for region in REGIONS:
        _branch(pile, region, own_pan)
    _goods(pile)
    for region in REGIONS:
        _places(pile, region)
    for name, kind, town, state in BEYOND:
        _place(pile, name, kind, town, state)
    for key, value in SETTINGS:
        pile.add(SETTING, fixed_id("Set", key), scope="org", scope_id=ORG_ID, key=key, value=value)
    add_books(pile, ORG_ID)
    add_measures(pile, commodity_id("lint"))
    add_terms(pile)
    pile.derive()
    return pile


def _branch(pile: Pile, region: Region, own_pan: str) -> None:
    pile.add(
        *(BRANCH, region.branch_id),
        code=region.code,
        name=region.branch,
        gstin=gstin(region.state_code, own_pan),
        state=region.state,
        address=region.office,
    )
    key = ("desk.phone", f"+91 281 24{int(region.state_code):02d}100")
    pile.add(
        SETTING, fixed_id("SetDesk", region.code), scope="branch", scope_id=region.branch_id, key=key[0], value=key[1]
    )


def _goods(pile: Pile) -> None:
    for code, name, dimension, factor in UNITS:
        exact = factor.quantize(Decimal("0.000001"))
        pile.add(UNIT, unit_id(code), code=code, name=name, dimension=dimension, factor_to_base=exact)
    for fact in COMMODITIES:
        base, trade, rate = map(unit_id, fact.units)
        pile.add(
            *(COMMODITY, commodity_id(fact.key)),
            name=fact.name,
            category=fact.category,
            hsn=fact.hsn,
            base_unit_id=base,
            trade_unit_id=trade,
            rate_unit_id=rate,
            standard_weight_kg=fact.standard_weight_kg.quantize(Decimal("0.001")),
            gst_rate_pct=Decimal(fact.gst_rate_pct),
            grades=fact.grades,
        )
    for name, least, most, finest, coarsest in VARIETIES:
        pile.add(
            *(VARIETY, variety_id(name)),
            commodity_id=commodity_id("lint"),
            name=name,
            staple_min_mm=Decimal(least),
            staple_max_mm=Decimal(most),
            micronaire_min=Decimal(finest),
            micronaire_max=Decimal(coarsest),
        )


def _places(pile: Pile, region: Region) -> None:
    _place(pile, f"{region.branch} Branch Office", "office", region.towns[0], region.state)
    for town in region.towns:
        _place(pile, town.yard or f"APMC {town.name} Cotton Yard", "market_yard", town, region.state)
        _place(pile, f"{town.name} Gin", "gin", town, region.state)
    for town in region.towns[:4]:
        _place(pile, f"{town.name} Warehouse", "warehouse", town, region.state)


def _place(pile: Pile, name: str, kind: str, town: Town, state: str) -> None:
    latitude, longitude = Decimal(town.latitude), Decimal(town.longitude)
    pile.add(
        *(LOCATION, location_id(kind, town)),
        name=name,
        kind=kind,
        address=f"{name}, {town.name} {town.pincode}",
        pincode=town.pincode,
        district=town.district,
        state=state,
        latitude=latitude,
        longitude=longitude,
        geohash=geohash(latitude, longitude),
    )
