"""The people of the demo: in every role, where such people work, and reachable by nobody's telephone."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import carrier

from erp_core.access import ROLES
from erp_core.catalogue import BY_NAME
from erp_core.demo.generate import generate, other_organisation
from erp_core.demo.people import PEOPLE, Person, grant_of
from erp_core.demo.reference import ORG_ID
from erp_core.values import SAFE_ID, Row
from sync_server.identity.phone_numbers import read_number
from tests.harness.rule_world import House

EVERYBODY = pytest.mark.parametrize("person", PEOPLE, ids=[person.username for person in PEOPLE])
ROWS: dict[str, dict[str, Row]] = {"business_partner": {}, "branch": {}, "trade": {}}
for portion in (*generate(300, seed=3), other_organisation()):
    for entity, made in portion.tables:
        ROWS.setdefault(entity.name, {}).update(made)


def test_every_role_that_ships_is_somebodys() -> None:
    assert {person.role for person in PEOPLE} == ROLES.keys()


@EVERYBODY
def test_a_grant_breaks_no_rule_and_names_rows_of_the_demo(person: Person) -> None:
    house = House()
    role = ROLES[person.role]
    house.put("role", role.id, title=role.title, codes=tuple(role.codes), external=role.external, ships=True)
    id, row = grant_of(person, 3)

    assert SAFE_ID.fullmatch(id)
    assert house.codes("grant", "new", **row) == []
    assert row["branch_id"] is None or row["branch_id"] in ROWS["branch"]
    assert row["partner_id"] is None or row["partner_id"] in ROWS["business_partner"]
    assert row["agent_id"] in (None, person.username)


@EVERYBODY
def test_a_person_is_as_declared_and_breaks_no_rule(person: Person) -> None:
    user = BY_NAME["user"]
    row = user.empty() | {name: getattr(person, name) for name in ("username", "name", "phone", "branch_id")}

    assert {name: user.by_name[name].type.read(row[name]) for name in ("username", "name", "phone")}
    assert House().codes("user", "new", **row) == []


@EVERYBODY
def test_a_telephone_number_could_be_had_and_is_nobodys(person: Person) -> None:
    """Codes go to it, on the console of the demo; no operator has its series."""
    assert read_number(person.phone, frozenset({"91"})) == person.phone
    assert carrier.name_for_number(phonenumbers.parse(person.phone), "en") == ""


def test_the_look_up_of_operators_knows_those_that_there_are() -> None:
    assert carrier.name_for_number(phonenumbers.parse("+919825012345"), "en") != ""


def test_ids_names_and_phones_are_had_once() -> None:
    of_demo = [person for person in PEOPLE if person.org_id == ORG_ID]

    assert len({person.username for person in PEOPLE}) == len(PEOPLE)
    assert len({person.phone for person in of_demo}) == len(of_demo)
    assert len({grant_of(person, 1)[0] for person in PEOPLE}) == len(PEOPLE)


@pytest.mark.parametrize(
    ("username", "kind", "side"), [("buyer1", "buyer", "buyer_id"), ("seller1", "ginner", "seller_id")]
)
def test_people_of_partners_are_of_a_partner_with_trades(username: str, kind: str, side: str) -> None:
    (person,) = (person for person in PEOPLE if person.username == username)
    partner = grant_of(person, 3)[1]["partner_id"]

    assert kind in ROWS["business_partner"][partner]["kind"]
    assert sum(trade[side] == partner for trade in ROWS["trade"].values()) >= 2


def test_the_agent_with_partners_of_his_own_has_some() -> None:
    assert sum(row["assigned_agent_id"] == "agent3" for row in ROWS["business_partner"].values()) >= 2
