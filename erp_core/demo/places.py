"""The places of the demo: three branches, their districts, market yards, gins and warehouses; ports and mills beyond.

Owns: names, pincodes and coordinates (degrees, WGS 84, of the town, to about a kilometre).
Must not know: how rows are made.
Invariant: the state code of a branch is the one its GSTINs begin with (GST state codes: 24 Gujarat, 27 Maharashtra,
36 Telangana), and a pincode begins with the digits of its postal circle (tests/unit/test_demo.py).

Towns, districts and pincodes are real (India Post directory, Agmarknet's lists of market yards); firms at them are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Town:
    """A town with a cotton market; `yard`: its name, where that is not the town's."""

    name: str
    district: str
    pincode: str
    latitude: str
    longitude: str
    yard: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """What a branch is and where it trades; `towns[0]` is where its office is. `varieties`: what it trades, commonest first."""

    branch: str
    code: str
    branch_id: str
    state: str
    state_code: str
    vehicle_prefixes: tuple[str, ...]
    office: str
    varieties: tuple[str, ...]
    agents: tuple[str, ...]
    towns: tuple[Town, ...]


REGIONS: Final = (
    Region(
        branch="Rajkot",
        code="RJK",
        branch_id="DemoBranchRajkot",
        state="Gujarat",
        state_code="24",
        vehicle_prefixes=("GJ03", "GJ11", "GJ13", "GJ14", "GJ36"),
        office="Dhebar Road, Rajkot 360001",
        varieties=("Shankar-6", "V-797", "J-34"),
        agents=("agent1", "agent2", "agent3"),
        towns=(
            Town("Rajkot", "Rajkot", "360001", "22.303900", "70.802200", "Bedi Marketing Yard"),
            Town("Gondal", "Rajkot", "360311", "21.961900", "70.792300"),
            Town("Jasdan", "Rajkot", "360050", "22.036900", "71.205700"),
            Town("Jetpur", "Rajkot", "360370", "21.754600", "70.623100"),
            Town("Morbi", "Morbi", "363641", "22.812000", "70.837800"),
            Town("Wankaner", "Morbi", "363621", "22.612000", "70.943700"),
            Town("Amreli", "Amreli", "365601", "21.603200", "71.222100"),
            Town("Savarkundla", "Amreli", "364515", "21.337100", "71.303200"),
            Town("Botad", "Botad", "364710", "22.169200", "71.666900"),
            Town("Surendranagar", "Surendranagar", "363001", "22.725200", "71.637000"),
        ),
    ),
    Region(
        branch="Akola",
        code="AKL",
        branch_id="DemoBranchAkola1",
        state="Maharashtra",
        state_code="27",
        vehicle_prefixes=("MH30", "MH27", "MH29", "MH28", "MH37"),
        office="Tilak Road, Akola 444001",
        varieties=("Bunny/Brahma", "DCH-32", "MCU-5"),
        agents=("agent4",),
        towns=(
            Town("Akola", "Akola", "444001", "20.706000", "77.008200"),
            Town("Akot", "Akola", "444101", "21.096300", "77.058600"),
            Town("Telhara", "Akola", "444108", "21.028000", "76.839000"),
            Town("Amravati", "Amravati", "444601", "20.937400", "77.779600"),
            Town("Daryapur", "Amravati", "444803", "20.925000", "77.327000"),
            Town("Yavatmal", "Yavatmal", "445001", "20.389900", "78.130700"),
            Town("Wani", "Yavatmal", "445304", "20.055600", "78.951900"),
            Town("Khamgaon", "Buldhana", "444303", "20.707400", "76.567600"),
            Town("Hinganghat", "Wardha", "442301", "20.549000", "78.840700"),
            Town("Washim", "Washim", "444505", "20.111300", "77.132500"),
        ),
    ),
    Region(
        branch="Warangal",
        code="WGL",
        branch_id="DemoBranchWarang",
        state="Telangana",
        state_code="36",
        vehicle_prefixes=("TS03", "TS24", "TS01", "TS02", "TS04"),
        office="Enumamula Market Road, Warangal 506002",
        varieties=("Bunny/Brahma", "MCU-5", "Suvin"),
        agents=(),
        towns=(
            Town("Warangal", "Warangal", "506002", "17.978400", "79.594100", "Enumamula Market Yard"),
            Town("Parkal", "Hanamkonda", "506164", "18.204000", "79.707000"),
            Town("Jangaon", "Jangaon", "506167", "17.725900", "79.152300"),
            Town("Khammam", "Khammam", "507001", "17.247300", "80.151400"),
            Town("Adilabad", "Adilabad", "504001", "19.664100", "78.532000"),
            Town("Bhainsa", "Nirmal", "504103", "19.113000", "77.966000"),
            Town("Karimnagar", "Karimnagar", "505001", "18.438600", "79.128800"),
            Town("Jammikunta", "Karimnagar", "505122", "18.288700", "79.474900"),
            Town("Peddapalli", "Peddapalli", "505172", "18.616000", "79.383000"),
            Town("Nalgonda", "Nalgonda", "508001", "17.057500", "79.268400"),
        ),
    ),
)

BEYOND: Final = (
    # name, kind, town, state: where cotton goes
    ("Mundra Port", "port", Town("Mundra", "Kachchh", "370421", "22.739000", "69.707000"), "Gujarat"),
    ("Pipavav Port", "port", Town("Pipavav", "Amreli", "365560", "20.915000", "71.509000"), "Gujarat"),
    ("Jawaharlal Nehru Port", "port", Town("Nhava Sheva", "Raigad", "400707", "18.949000", "72.951000"), "Maharashtra"),
    (
        "Avinashi Road Mill Godown",
        "mill",
        Town("Coimbatore", "Coimbatore", "641018", "11.006000", "76.975000"),
        "Tamil Nadu",
    ),
    ("Dindigul Mill Godown", "mill", Town("Dindigul", "Dindigul", "624001", "10.367000", "77.980000"), "Tamil Nadu"),
    ("Narol Mill Godown", "mill", Town("Ahmedabad", "Ahmedabad", "382405", "22.973000", "72.592000"), "Gujarat"),
)
