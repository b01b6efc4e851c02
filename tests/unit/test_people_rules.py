"""People as records: users, roles, and grants, which say what a user may do where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from erp_core.access import CODES, ROLES
from erp_core.entities.grant import GRANT
from erp_core.entities.role import ROLE
from erp_core.entities.user import USER
from erp_core.language import Kind
from erp_core.values import Unreadable
from tests.harness.rule_world import House

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
DIWALI = datetime(2026, 11, 8, tzinfo=UTC)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("entity", "like"), [("user", "meena"), ("role", "buyer"), ("role", "clerk")])
def test_sound_row_is_accepted(house: House, entity: str, like: str) -> None:
    assert house.judge_new(entity, like) == []


# --- Users ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"), [({"phone": "+9198250"}, "malformed"), ({"email": "meena at example.in"}, "malformed")]
)
def test_user_who_cannot_be_reached_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.codes("user", "meena", **changes) == [code]


@pytest.mark.parametrize("name", ["meena patel", "meena\n", "m" * 121])
def test_login_name_is_one_word(name: str) -> None:
    with pytest.raises(Unreadable):
        USER.by_name["username"].type.read(name)


@pytest.mark.parametrize("name", ["meena", "meena@house.example", "મીના", "m" * 120])
def test_login_name_may_be_of_any_script(name: str) -> None:
    assert USER.by_name["username"].type.read(name) == name


def test_login_name_stays() -> None:
    assert USER.by_name["username"].change.kind is Kind.ONCE


def test_user_is_made_inactive_and_never_deleted() -> None:
    assert USER.access.delete == ()
    assert USER.by_name["is_active"].write == ("user.disable",)


def test_disabling_people_does_not_reach_where_their_codes_are_sent() -> None:
    """Whoever could move a phone number could log in as its owner."""
    assert "user.disable" not in USER.by_name["phone"].write
    assert all(field.write for field in USER.fields if field.change.kind is not Kind.ONCE)


# --- Roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"codes": ("desk.read",)}, {"title": "Agents"}])
def test_role_that_ships_is_not_changed(house: House, changes: dict[str, Any]) -> None:
    assert house.codes("role", "agent", **changes) == ["ships"]
    assert house.codes("role", "clerk", **changes) == []


def test_role_that_ships_is_not_deleted(house: House) -> None:
    assert house.deletion("role", "agent") == ["ships"]
    assert house.deletion("role", "clerk") == []


def test_nobody_makes_a_role_that_ships() -> None:
    assert ROLE.by_name["ships"].derived


@pytest.mark.parametrize("code", sorted(CODES - {c for r in ROLES.values() if r.external for c in r.codes}))
def test_role_of_partners_gets_no_code_of_the_house(house: House, code: str) -> None:
    assert house.judge_new("role", "buyer", codes=("external.trade", code)) == ["not_for_partners"]


@pytest.mark.parametrize("code", sorted(code for code in CODES if code.startswith("external.")))
def test_role_of_the_house_gets_no_code_of_partners(house: House, code: str) -> None:
    assert house.judge_new("role", "clerk", codes=("desk.read", code)) == ["for_partners_only"]


def test_role_does_not_change_sides() -> None:
    assert ROLE.by_name["external"].change.kind is Kind.ONCE


def test_code_that_does_not_exist_cannot_be_read() -> None:
    with pytest.raises(Unreadable):
        ROLE.by_name["codes"].type.read('["desk.everything"]')


# --- Grants -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"role_id": "agent"},
        {"role_id": "agent", "branch_id": "rajkot"},
        {"role_id": "agent", "agent_id": "meena"},
        {"role_id": "agent", "partner_id": "mill"},
        {"role_id": "buyer", "partner_id": "mill"},
        {"role_id": "agent", "valid_from": DIWALI, "valid_until": NEW_YEAR},
        {"role_id": "agent", "valid_until": DIWALI},
    ],
)
def test_grant_is_for_the_organisation_or_for_one_place(house: House, given: dict[str, Any]) -> None:
    assert house.codes("grant", "new", user_id="ravi", **given) == []


@pytest.mark.parametrize(
    "places",
    [
        {"branch_id": "rajkot", "partner_id": "mill"},
        {"branch_id": "rajkot", "agent_id": "meena"},
        {"partner_id": "mill", "agent_id": "meena"},
        {"branch_id": "rajkot", "partner_id": "mill", "agent_id": "meena"},
    ],
)
def test_grant_for_two_places_is_refused(house: House, places: dict[str, Any]) -> None:
    (violation,) = house.judge("grant", "new", user_id="ravi", role_id="agent", **places)

    assert violation.code == "two_places"
    assert violation.fields == tuple(sorted(places, key=("branch_id", "partner_id", "agent_id").index))


@pytest.mark.parametrize("place", [{}, {"branch_id": "rajkot"}, {"agent_id": "meena"}])
def test_role_of_partners_is_granted_for_a_partner_only(house: House, place: dict[str, Any]) -> None:
    assert house.codes("grant", "new", user_id="ravi", role_id="buyer", **place) == ["no_partner"]


def test_grant_does_not_end_before_it_begins(house: House) -> None:
    assert house.codes("grant", "of_meena", valid_from=NEW_YEAR, valid_until=DIWALI) == ["out_of_order"]


def test_only_the_days_of_a_grant_change() -> None:
    """Another role or another place is another grant, so that the log tells who had what, and when."""
    assert {f.name for f in GRANT.fields if f.change.kind is not Kind.ONCE} == {"valid_from", "valid_until"}


def test_who_may_only_take_cannot_prolong() -> None:
    assert "grant.take" not in GRANT.access.update
    assert GRANT.access.delete == ("grant.take",)
