"""Partners of one branch: who they are, their places and their people.

Owns: how partners look.
Must not know: documents, other branches.
Invariant: tax numbers and phones follow from the partner's serial, so that no two partners share one
(tests/unit/test_demo.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from erp_core.demo.names import ENDINGS, FIRMS, GIVEN, HOUSES, SURNAMES
from erp_core.demo.numbers import gstin, mobile, pan
from erp_core.demo.places import Region, Town
from erp_core.demo.reference import location_id
from erp_core.demo.rows import Pile
from erp_core.entities.business_partner import BUSINESS_PARTNER
from erp_core.entities.partner_contact import PARTNER_CONTACT
from erp_core.entities.partner_location import PARTNER_LOCATION

ROLES: Final = ("buyer", "buyer", "ginner", "ginner", "seller", "seller", "broker", "transporter")
"""The partners of one block, in the order of their serials."""

STATES: Final = ("draft", "submitted", "approved", "suspended", "inactive", "rejected")
PER_PARTNER: Final = 4
"""Phone serials that a partner may use: its own and its people's."""

_KINDS: Final = {"ginner": ("ginner", "seller"), "seller": ("seller",), "buyer": ("buyer",)}
_ENTITY_TYPES: Final = {
    "buyer": ("private", "public", "llp"),
    "ginner": ("partnership", "private", "llp"),
    "seller": ("proprietor", "partnership", "cooperative", "individual"),
    "broker": ("proprietor", "partnership"),
    "transporter": ("proprietor", "private"),
}
_TAGS: Final = ("organic", "bci", "cci-approved", "cash", "old-customer", "export", "priority")
_REMARKS: Final = (
    "Pays within a week; prefers morning calls.",
    "Weighs on the yard's bridge only.",
    "Asks for HVI reports before loading.",
    "Moisture was high last season; sample twice.",
)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner that documents can name."""

    id: str
    role: str
    town: Town
    trades: bool


def add_partners(pile: Pile, region: Region, first_serial: int) -> list[Partner]:
    """Add one partner per entry of ROLES with its places and people; the first of each role is approved."""
    made = []
    for n, role in enumerate(ROLES):
        approved = role not in ROLES[:n]
        state = "approved" if approved else pile.rng.choices(STATES, (2, 2, 12, 1, 1, 1))[0]
        made.append(_partner(pile, region, role, first_serial + n, state))
    return made


def _partner(pile: Pile, region: Region, role: str, serial: int, state: str) -> Partner:
    rng = pile.rng
    town = rng.choice(region.towns)
    given, surname = rng.choice(GIVEN[region.code]), rng.choice(SURNAMES[region.code])
    entity_type = rng.choice(_ENTITY_TYPES[role])
    trade_name = f"{rng.choice((*HOUSES[region.code], surname))} {rng.choice(FIRMS[role])}"
    ending, holder = ENDINGS[entity_type]
    legal_name = f"{given} {surname}" if holder == "P" else trade_name + ending
    initial = (surname if holder == "P" else trade_name)[0].upper()
    own_pan = pan(serial, holder, initial, rng)
    own_gstin = None if entity_type == "individual" else gstin(region.state_code, own_pan)
    phone = mobile(serial * PER_PARTNER)
    place = location_id("gin" if role == "ginner" else "market_yard", town)
    address = f"{rng.randint(1, 240)}, {rng.choice(_STREETS)}, {town.name} {town.pincode}"
    id = pile.add(
        BUSINESS_PARTNER,
        branch_id=region.branch_id,
        kind=_KINDS.get(role, (role,)),
        legal_name=legal_name,
        trade_name=trade_name,
        entity_type=entity_type,
        pan=own_pan,
        gstin=own_gstin,
        phone=phone,
        email=_email(trade_name, town),
        address=address,
        pincode=town.pincode,
        address_state=region.state,
        location_id=place,
        assigned_agent_id=rng.choice(region.agents) if region.agents else None,
        kyc_state="verified" if state in ("approved", "suspended") else rng.choice(("pending", "expired")),
        state=state,
        tags=tuple(sorted(rng.sample(_TAGS, rng.choice((0, 0, 1, 2))))),
        remarks=rng.choice(_REMARKS) if rng.random() < 0.3 else None,
    )
    registered = {"location_id": place, "address": address, "gstin": own_gstin}
    _places(pile, id, region, role, town, registered)
    _people(pile, id, region, f"{given} {surname}", serial, town)
    return Partner(id, role, town, trades=state == "approved")


_STREETS: Final = (
    "Station Road",
    "Market Yard Road",
    "GIDC Estate",
    "MIDC Area",
    "Main Bazaar",
    "National Highway",
    "Gin Road",
)


def _email(trade_name: str, town: Town) -> str:
    """Give an address below .example, the domain that nobody owns (RFC 2606)."""
    firm = "".join(c for c in trade_name.lower() if c.isalnum())
    return f"office@{firm}.{town.name.lower()}.example"


def _places(pile: Pile, id: str, region: Region, role: str, town: Town, registered: dict[str, Any]) -> None:
    """Add the registered office, and for half of those with a factory that, without a registration of its own."""
    of_town = {"partner_id": id, "is_primary": True, "pincode": town.pincode, "state": region.state}
    pile.add(PARTNER_LOCATION, kind="registered", **of_town, **registered)
    if role in ("ginner", "buyer") and pile.rng.random() < 0.5:
        pile.add(
            PARTNER_LOCATION,
            kind="gin" if role == "ginner" else "shipping",
            location_id=location_id("gin", town),
            address=f"Survey {pile.rng.randint(10, 900)}, {town.name} {town.pincode}",
            **of_town,
        )


def _people(pile: Pile, id: str, region: Region, owner: str, serial: int, town: Town) -> None:
    others = pile.rng.sample(("manager", "accounts", "dispatch"), pile.rng.choice((0, 0, 1, 1, 2)))
    for n, kind in enumerate(("owner", *others)):
        name = owner if n == 0 else _person(pile.rng, region)
        pile.add(
            PARTNER_CONTACT,
            partner_id=id,
            kind=kind,
            is_primary=True,
            name=name,
            phone=mobile(serial * PER_PARTNER + n),
            email=f"{name.lower().replace(' ', '.')}@{town.name.lower()}.example" if pile.rng.random() < 0.5 else None,
        )


def _person(rng: Random, region: Region) -> str:
    return f"{rng.choice(GIVEN[region.code])} {rng.choice(SURNAMES[region.code])}"
