"""Scopes: which labels a record carries, for every kind of label and for every entity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.entities.availability import ON_OFFER
from erp_core.language import Entity
from erp_core.scopes import DRAFT, ORG, PARTNERS, By, Everybody, Follows, Label, Said, While, labels_of
from tests.harness.rule_world import House


@dataclass(frozen=True)
class Lamp:
    """Something with labels."""

    labels: tuple[Label, ...]
    name: str = "lamp"


def nowhere(entity: str, id: str) -> frozenset[str]:
    raise AssertionError(f"{entity} {id} was looked up, but nothing follows it")


def labels(label: Label, **row: Any) -> frozenset[str]:
    return labels_of(Lamp((label,)), "lamp1", row, nowhere)


def test_what_is_everybodys_carries_the_organisation() -> None:
    assert labels(Everybody()) == {ORG}


def test_what_is_of_a_branch_carries_it_and_that_it_is_of_one() -> None:
    assert labels(By("branch", "branch_id"), branch_id="rajkot") == {"branch", "branch:rajkot"}


@pytest.mark.parametrize("kind", ["partner", "agent", "user"])
def test_what_names_a_partner_an_agent_or_a_user_carries_that_one_only(kind: str) -> None:
    assert labels(By(kind, "whose"), whose="meena") == {f"{kind}:meena"}


def test_a_record_may_carry_itself() -> None:
    assert labels(By("partner", "id")) == {"partner:lamp1"}


@pytest.mark.parametrize(("state", "carried"), [("draft", set()), ("confirmed", {"side:mill"})])
def test_a_side_hears_of_nothing_that_is_a_draft(state: str, carried: set[str]) -> None:
    assert labels(By("side", "whose", DRAFT), whose="mill", state=state) == carried


@pytest.mark.parametrize("kind", ["partner", "agent", "user"])
def test_an_empty_field_names_nobody(kind: str) -> None:
    assert labels(By(kind, "whose"), whose=None) == frozenset()


def test_of_no_branch_is_for_who_works_across_branches() -> None:
    assert labels(By("branch", "whose"), whose=None) == {"branch"}


@pytest.mark.parametrize(
    ("scope", "carried"),
    [("org", {ORG}), ("branch", {"branch", "branch:x1"}), ("user", {"user:x1"})],
)
def test_a_record_may_say_itself_for_whom_it_is(scope: str, carried: set[str]) -> None:
    assert labels(Said("scope", "scope_id"), scope=scope, scope_id="x1") == carried


@pytest.mark.parametrize(
    ("row", "carried"),
    [
        ({"visibility": "partners", "state": "active"}, {PARTNERS}),
        ({"visibility": "partners", "state": "reserved"}, {PARTNERS}),
        ({"visibility": "partners", "state": "draft"}, set()),
        ({"visibility": "organisation", "state": "active"}, set()),
        ({"visibility": None, "state": "active"}, set()),
    ],
)
def test_a_label_for_a_while_is_carried_as_long_as_every_condition_holds(
    row: dict[str, Any], carried: set[str]
) -> None:
    while_on_offer = While(PARTNERS, (("visibility", ("partners",)), ("state", ON_OFFER)))

    assert labels(while_on_offer, **row) == carried


def test_what_follows_a_record_carries_that_ones_labels() -> None:
    asked = []

    def look(entity: str, id: str) -> frozenset[str]:
        asked.append((entity, id))
        return frozenset({"branch", "branch:akola"})

    carried = labels_of(Lamp((Follows("room_id", "room"),)), "lamp1", {"room_id": "hall"}, look)

    assert carried == {"branch", "branch:akola"}
    assert asked == [("room", "hall")]


def test_what_follows_nothing_carries_nothing() -> None:
    assert labels(Follows("room_id", "room"), room_id=None) == frozenset()


def test_labels_add_up() -> None:
    lamp = Lamp((By("branch", "branch_id"), By("partner", "buyer_id"), By("partner", "seller_id")))
    row = {"branch_id": "rajkot", "buyer_id": "mill", "seller_id": "ginner"}

    assert labels_of(lamp, "lamp1", row, nowhere) == {"branch", "branch:rajkot", "partner:mill", "partner:ginner"}


# --- The house --------------------------------------------------------------------------------------------------------

IN_RAJKOT = frozenset({"branch", "branch:rajkot"})
DRAFTED = IN_RAJKOT | {"partner:mill", "partner:ginner", "partner:broker"}
DEAL = DRAFTED | {"side:mill", "side:ginner", "side:broker"}
"""Of a deal that is confirmed its sides know."""
BOTH_SIDES = IN_RAJKOT | {"partner:mill", "partner:ginner", "side:mill", "side:ginner"}
CARRIED: dict[tuple[str, str], frozenset[str]] = {
    ("organisation", "org"): frozenset({ORG}),
    ("branch", "rajkot"): frozenset({ORG}),
    ("user", "meena"): frozenset({ORG, "user:meena"}),
    ("role", "agent"): frozenset({ORG}),
    ("grant", "of_meena"): frozenset({ORG, "user:meena"}),
    ("financial_year", "fy27"): frozenset({ORG}),
    ("document_series", "trades"): frozenset({ORG}),
    ("organisation_bank_account", "main"): frozenset({ORG, "branch"}),
    ("unit", "kg"): frozenset({ORG}),
    ("location", "gondal"): frozenset({ORG}),
    ("commodity", "lint"): frozenset({ORG}),
    ("variety", "shankar6"): frozenset({ORG}),
    ("unit_conversion", "in_kg"): frozenset({ORG}),
    ("quality_parameter", "staple"): frozenset({ORG}),
    ("payment_term", "month"): frozenset({ORG}),
    ("delivery_term", "ex_gin"): frozenset({ORG}),
    ("weighment_term", "at_mill"): frozenset({ORG}),
    ("passing_term", "at_gin"): frozenset({ORG}),
    ("trade_type", "home"): frozenset({ORG}),
    ("bargain_type", "fixed"): frozenset({ORG}),
    ("commission_structure", "usual"): frozenset({ORG}),
    ("business_partner", "ginner"): IN_RAJKOT | {"partner:ginner", "side:ginner", "agent:meena"},
    ("partner_location", "gin"): IN_RAJKOT | {"partner:ginner", "side:ginner", "agent:meena"},
    ("partner_contact", "owner"): IN_RAJKOT | {"partner:ginner", "side:ginner", "agent:meena"},
    ("partner_document", "pan"): IN_RAJKOT | {"partner:ginner", "side:ginner", "agent:meena"},
    ("partner_vehicle", "truck"): IN_RAJKOT | {"partner:lorries", "side:lorries"},
    ("partner_bank_account", "account"): IN_RAJKOT | {"partner:ginner", "side:ginner", "agent:meena"},
    ("availability", "lot"): IN_RAJKOT | {"partner:ginner", "side:ginner"},
    ("requirement", "need"): IN_RAJKOT | {"partner:mill"},
    ("match", "fit"): IN_RAJKOT,
    ("negotiation", "talk"): BOTH_SIDES,
    ("offer", "bid"): BOTH_SIDES,
    ("trade", "deal"): DEAL,
    ("amendment", "cheaper"): DRAFTED,
    ("sample", "handful"): DRAFTED,
    ("quality_inspection", "grading"): DRAFTED,
    ("dispatch", "lorry"): DEAL | {"partner:lorries", "side:lorries"},
    ("attachment", "photo"): DRAFTED,
    ("weighment", "slip"): DEAL | {"partner:lorries", "side:lorries"},
    ("invoice", "bill"): IN_RAJKOT | {"partner:mill", "partner:ginner"},
    ("invoice_line", "goods"): IN_RAJKOT | {"partner:mill", "partner:ginner"},
    ("payment", "transfer"): BOTH_SIDES,
    ("payment_allocation", "part"): BOTH_SIDES,
    ("visit", "call"): IN_RAJKOT | {"agent:meena", "user:meena"},
    ("task", "chase"): IN_RAJKOT | {"agent:ravi", "user:ravi"},
    ("setting", "printer"): IN_RAJKOT,
    ("notification", "news"): frozenset({"user:meena"}),
    ("sync_issue", "issue"): frozenset({"user:agent1", "branch"}),
}


@pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
def test_every_record_of_the_house_is_where_it_belongs(entity: Entity) -> None:
    house = House()
    house.put("business_partner", "ginner", assigned_agent_id="meena")

    def look(name: str, id: str) -> frozenset[str]:
        return labels_of(BY_NAME[name], id, house.rows[name][id], look)

    expected = {id: carried for (name, id), carried in CARRIED.items() if name == entity.name}
    assert expected, "say in the table where its records are"
    for id, carried in expected.items():
        assert look(entity.name, id) == carried


def test_an_offer_leaves_the_partners_when_it_is_no_longer_on_offer() -> None:
    house = House()
    lot = house.put("availability", "lot", visibility="partners")
    availability = BY_NAME["availability"]

    assert PARTNERS in labels_of(availability, "lot", lot, nowhere)
    assert PARTNERS not in labels_of(availability, "lot", {**lot, "state": "sold"}, nowhere)
