"""What is known of a person is declared, and all of it is reached when the person is forgotten."""

from __future__ import annotations

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.privacy import COPIES, SUBJECTS, forgotten, left_of, open_work, traces_of
from erp_core.values import Text

TELLING = ("phone", "email", "pan", "latitude", "longitude", "account_number", "account_name", "rc_number")
"""Names of fields that tell of a person wherever they are; the places that are nobody's are named below."""

OF_THE_HOUSE = {"organisation", "branch", "location", "organisation_bank_account", "dispatch"}
"""Of the house itself, of places, and of a lorry's way, which the law wants kept with its e-way bill."""


def test_every_personal_field_is_reached_from_a_person() -> None:
    reached = {(t.entity.name, name) for subject in SUBJECTS for t in traces_of(subject) for name in t.names}
    declared = {(entity.name, field.name) for entity in ENTITIES for field in entity.fields if field.personal}
    assert reached == declared
    assert len(declared) > 30


def test_what_tells_of_a_person_by_its_name_is_declared_so() -> None:
    undeclared = {
        (entity.name, field.name)
        for entity in ENTITIES
        if entity.name not in OF_THE_HOUSE
        for field in entity.fields
        if field.name in TELLING and not field.personal
    }
    assert undeclared == set()


def test_what_is_left_in_a_record_that_stays_can_be_stored() -> None:
    for subject in SUBJECTS:
        for trace in traces_of(subject):
            for name in () if trace.goes else trace.names:
                field = trace.entity.by_name[name]
                left = forgotten(field, "Partner000000001")
                assert left is not None or not field.required
                if isinstance(field.type, Text) and isinstance(left, str):
                    assert field.type.read(left) == left


def test_copies_are_of_entities_that_say_what_they_are_about() -> None:
    for name, fields in COPIES.items():
        assert {"table_name", "record_id", *fields} <= BY_NAME[name].by_name.keys()


def test_a_forgotten_user_can_do_nothing_and_one_of_whom_a_place_is_forgotten_can() -> None:
    user = BY_NAME["user"]
    row = {**user.empty(), "username": "asha", "name": "Asha", "is_active": True}
    assert left_of(user, "u1", row, traces_of("user")[0].names)["is_active"] is False
    visit = BY_NAME["visit"]
    assert "is_active" not in left_of(visit, "v1", visit.empty(), ("latitude",))


def test_a_partner_is_needed_while_somebody_works_on_a_deal_of_theirs() -> None:
    assert {entity.name for entity, _, _ in open_work()} == {
        *("availability", "requirement", "negotiation", "trade", "dispatch", "invoice")
    }
