"""The people of the demo: one or more in every role that ships, where such people work.

Owns: who they are, and which grant each has.
Must not know: passwords, databases.
Invariant: every role is somebody's, and what a grant names is a row of the demo (tests/unit/test_demo_people.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import MappingProxyType
from typing import Final

from erp_core.demo.generate import make_block
from erp_core.demo.places import REGIONS
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID, reference_data
from erp_core.entities.grant import GRANT
from erp_core.values import Row

_BRANCH: Final = {region.branch: region.branch_id for region in REGIONS}


@dataclass(frozen=True, slots=True)
class Person:
    """Someone of the demo. `shown` says who it is to whoever starts the server.

    `place`: for what the grant is: "" the organisation, "branch" the person's, "agent" what is assigned to the person, or a
    role among the partners of the first block ("buyer"): the person is one of that partner's people.
    """

    username: str
    name: str
    role: str
    shown: str
    phone: str
    place: str = ""
    branch_id: str | None = None
    org_id: str = ORG_ID


def phone(serial: int) -> str:
    """Make the mobile number of a person of the demo, which is nobody's.

    India keeps no numbers for fiction, and a number to which no code could go would be refused. Of the series that can be
    mobile numbers, 6100 is with no operator (libphonenumber 9.0.43, November 2026: 6040 to 6109 have no carrier); the series
    are given out by the Department of Telecommunications in blocks of a million, so a call to one of these ends nowhere. A test
    looks the series up in the library, and fails should it ever be given out.

    >>> phone(1)
    '+916100000001'
    """
    return f"+916100{serial:06d}"


PEOPLE: Final = (
    Person("agent1", "Bhavesh Vekariya", "agent", "field agent, Rajkot", phone(1), "branch", _BRANCH["Rajkot"]),
    Person("agent2", "Hetal Sorathiya", "agent", "field agent, Rajkot", phone(2), "branch", _BRANCH["Rajkot"]),
    Person(
        *("agent3", "Jignesh Dobariya", "agent", "field agent, Rajkot, own partners only", phone(3), "agent"),
        branch_id=_BRANCH["Rajkot"],
    ),
    Person("agent4", "Sunita Wankhade", "agent", "field agent, Akola", phone(4), "branch", _BRANCH["Akola"]),
    Person("grader1", "Kinjal Gajera", "grader", "grader, Rajkot", phone(5), "branch", _BRANCH["Rajkot"]),
    Person(
        "dispatcher1", "Mukesh Zalavadiya", "dispatcher", "dispatcher, Rajkot", phone(6), "branch", _BRANCH["Rajkot"]
    ),
    Person("trader1", "Ashwin Thakkar", "trader", "trader, Rajkot", phone(7), "branch", _BRANCH["Rajkot"]),
    Person("manager", "Dipak Mehta", "manager", "manager, all branches", phone(8)),
    Person("admin", "Rekha Kothari", "administrator", "administrator", phone(9)),
    Person("accountant", "Parul Rupareliya", "accountant", "accountant, all branches", phone(10)),
    Person("auditor", "Sudhakar Deshmukh", "auditor", "auditor, reads everything", phone(11)),
    Person("buyer1", "Kalpesh Savaliya", "external_buyer", "of a spinning mill that buys", phone(12), "buyer"),
    Person("seller1", "Vallabh Bhalala", "external_seller", "of a ginner that sells", phone(13), "ginner"),
    Person(
        *("other", "Imran Shaikh", "administrator", "administrator of a second organisation", phone(1)),
        org_id=OTHER_ORG_ID,
    ),
)


def grant_of(person: Person, seed: int) -> tuple[str, Row]:
    """Make the grant of a person in the demo of `seed`: (id, row)."""
    places: dict[str, str | None] = {}
    match person.place:
        case "":
            pass
        case "branch":
            places["branch_id"] = person.branch_id
        case "agent":
            places["agent_id"] = person.username
        case role:
            places["partner_id"] = _traders(seed)[role]
    row = GRANT.empty() | {"user_id": person.username, "role_id": person.role, **places}
    return f"Grant{person.username}".ljust(16, "0"), row


@cache
def _traders(seed: int) -> Mapping[str, str]:
    """Find the buyer and the ginner of the first block that have the most documents: role -> id."""
    block = make_block(reference_data(seed), seed, 0)

    def documents(side: str, partner: str) -> int:
        return len(block.siblings("trade", side, partner))

    found = {}
    for role, side in (("buyer", "buyer_id"), ("ginner", "seller_id")):
        partners = [id for id, row in block.rows["business_partner"].items() if role in row["kind"]]
        found[role] = max(partners, key=partial(documents, side))
    return MappingProxyType(found)
