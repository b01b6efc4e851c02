"""The catalogue and the language it is written in: what a declaration promises to whoever builds on it."""

from __future__ import annotations

import re

import pytest

from erp_core.access import EVERYBODY, Access
from erp_core.catalogue import BY_NAME, BY_TABLE, ENTITIES, ORDER, SCHEMA_VERSION, SYNCED, synced_at
from erp_core.language import DERIVED, GUARDED, ONCE, Entity, Field, Kind, Phone, States
from erp_core.scopes import Everybody, Follows
from erp_core.values import Choice, Number, Reference, Text

EVERY_ENTITY = pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
MACHINES = [(entity, machine) for entity in ENTITIES for machine in entity.machines.values()]
EVERY_MACHINE = pytest.mark.parametrize(
    ("entity", "machine"), MACHINES, ids=[f"{e.name}.{m.field}" for e, m in MACHINES]
)
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _lamp(**given: object) -> Entity:
    declared: dict[str, object] = {
        "name": "lamp",
        "table": "lamps",
        "title": "Lamp",
        "fields": (Field("name", Text()),),
        "access": Access(read=EVERYBODY),
        "labels": (Everybody(),),
    }
    return Entity(**{**declared, **given})  # type: ignore[arg-type]


# --- The catalogue ----------------------------------------------------------------------------------------------------


def test_every_entity_comes_after_those_it_refers_to() -> None:
    for entity in ENTITIES:
        for _, target in entity.references:
            assert target == entity.name or ORDER[BY_NAME[target].table] < ORDER[entity.table]


def test_look_ups_find_every_entity() -> None:
    assert len(ENTITIES) == len(BY_NAME) == len(BY_TABLE) == len(ORDER) == 48
    assert all(BY_NAME[e.name] is BY_TABLE[e.table] is e for e in ENTITIES)


def test_an_app_of_an_older_schema_knows_what_there_was_then() -> None:
    assert synced_at(None) == synced_at(SCHEMA_VERSION) == synced_at(SCHEMA_VERSION + 1) == SYNCED
    assert synced_at(0) == ()


@EVERY_ENTITY
def test_names_are_plain_and_tell_no_lies_about_the_record(entity: Entity) -> None:
    names = [entity.name, entity.table, *entity.by_name]

    assert all(PLAIN_NAME.fullmatch(name) for name in names)
    assert not {"id", "org_id", "_status", "_changed"} & entity.by_name.keys()


@EVERY_ENTITY
def test_references_end_in_id(entity: Entity) -> None:
    assert all(field.name.endswith("_id") for field, _ in entity.references)


@EVERY_ENTITY
def test_decimals_cross_the_wire_exactly_as_numbers(entity: Entity) -> None:
    """domain.md: at most 15 significant digits survive a JavaScript double."""
    assert all(field.type.digits <= 15 for field in entity.fields if isinstance(field.type, Number))


@EVERY_ENTITY
def test_what_a_phone_cannot_give_has_a_value_to_begin_with(entity: Entity) -> None:
    """Only rows that the server alone makes may need a derived value that nothing derives."""
    if entity.phone is not Phone.BOTH or entity.name == "sync_issue":
        return
    row = entity.empty()

    assert all(row[field.name] is not None for field in entity.fields if field.required and field.derived)


@EVERY_ENTITY
def test_what_phones_may_delete_has_a_rule_for_it(entity: Entity) -> None:
    is_document = entity.states is not None
    assert not is_document or entity.delete_rules


@EVERY_ENTITY
def test_assignee_and_unique_keys_name_fields(entity: Entity) -> None:
    assert entity.assignee is None or entity.assignee in entity.by_name
    assert all(name in entity.by_name for names in entity.unique_keys for name in names)


# --- State machines ---------------------------------------------------------------------------------------------------


@EVERY_MACHINE
def test_every_state_is_declared_and_reachable(entity: Entity, machine: States) -> None:
    followers = {state for following in machine.moves.values() for state in following}

    assert followers | set(machine.begins) <= set(machine.words)
    assert all(any(machine.reaches(start, goal) for start in machine.begins) for goal in machine.words)
    assert entity.by_name[machine.field].type == Choice(machine.words)
    assert entity.by_name[machine.field].default == machine.words[0]


def test_reach_follows_any_number_of_moves_and_no_arrow_backwards() -> None:
    lamp = States("state", {"new": ("on",), "on": ("off", "broken"), "off": ("on",), "broken": ()}, also_begins=("on",))

    assert lamp.begins == ("new", "on")
    assert lamp.reaches("new", "broken")
    assert lamp.reaches("off", "off")
    assert not lamp.reaches("on", "new")
    assert not lamp.reaches("broken", "off")


# --- The language -----------------------------------------------------------------------------------------------------


def test_an_empty_row_has_every_field_and_begins_every_machine() -> None:
    states = States("state", {"new": ()})
    lamp = _lamp(
        states=states, fields=(Field("state", Choice(states.words), GUARDED), Field("watts", Text(), default="40"))
    )

    assert lamp.empty() == {
        "state": "new",
        "watts": "40",
        "created_at": None,
        "updated_at": None,
        "created_by": None,
        "updated_by": None,
    }


def test_a_field_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        _lamp(fields=(Field("name", Text()), Field("name", Text())))


def test_a_parent_that_is_no_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of its Reference fields"):
        _lamp(parent="name")


def test_a_guarded_field_without_a_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="no state machine"):
        _lamp(fields=(Field("state", Choice(("on",)), GUARDED),))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"access": Access(read=())}, "nobody may read it"),
        ({"labels": ()}, "nobody may read it"),
        ({"labels": (Follows("room_id", "room"),)}, "follows a record that none of its fields names"),
    ],
)
def test_an_entity_that_nobody_could_see_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        _lamp(**given)


def test_fields_that_the_same_codes_show_are_one_group() -> None:
    lamp = _lamp(
        fields=(
            Field("name", Text()),
            Field("price", Text(), read=("desk.read",)),
            Field("maker", Text(), read=("partner.read",)),
            Field("margin", Text(), read=("desk.read",)),
        )
    )

    assert lamp.read_groups == ((("desk.read",), ("price", "margin")), (("partner.read",), ("maker",)))


def test_a_declaration_says_what_follows_from_it() -> None:
    lamp = _lamp(
        parent="room_id",
        fields=(
            Field("room_id", Reference("room"), ONCE),
            Field("code", Text(), unique=True),
            Field("watts", Text(), DERIVED),
        ),
        uniques=(("room_id", "watts"),),
    )

    assert lamp.parent_entity == ("room_id", "room")
    assert [(field.name, target) for field, target in lamp.references] == [("room_id", "room")]
    assert lamp.unique_keys == (("code",), ("room_id", "watts"))
    assert [field.name for field in lamp.fields if field.derived] == ["watts"]
    assert {field.change.kind for field in lamp.all_fields[3:]} == {Kind.DERIVED}
