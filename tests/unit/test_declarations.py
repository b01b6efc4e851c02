"""What every field, relation and rule promises by its declaration, so that a new entity is under it from its first day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from erp_core.catalogue import BY_NAME, ENTITIES, SCHEMA_VERSION
from erp_core.language import Entity, Field, Kind, Phone
from erp_core.values import Integer, Number, Reference, Text
from tests.harness.rule_world import House

EVERY_ENTITY = pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
FIELDS = [(entity, field) for entity in ENTITIES for field in entity.all_fields]


def _every(holds: Callable[[Field], bool]) -> pytest.MarkDecorator:
    chosen = [(entity, field) for entity, field in FIELDS if holds(field)]
    return pytest.mark.parametrize(("entity", "field"), chosen, ids=[f"{e.name}.{f.name}" for e, f in chosen])


WRITTEN = [entity for entity in ENTITIES if entity.phone is Phone.BOTH and entity.name != "sync_issue"]

UNIT_IN_NAME: Final[Mapping[str, str]] = {
    "kg": "_kg",
    "%": "_pct",
    "mm": "_mm",
    "g/tex": "_g_tex",
    "INR/candy": "_per_candy",
}
UNIT_IN_WORD: Final[Mapping[str, frozenset[str]]] = {
    "degree": frozenset({"latitude", "longitude", "exif_latitude", "exif_longitude"}),
    "INR": frozenset(
        {"credit_limit", "exposure", "amount", "tax_amount", "total_amount", "rate_amount", "minimum_amount"}
    )
    | frozenset({"cgst_amount", "sgst_amount", "utgst_amount", "igst_amount", "paid_amount", "outstanding_amount"})
    | frozenset({"allocated_amount", "unallocated_amount"}),
    "µg/in": frozenset({"micronaire", "micronaire_min", "micronaire_max"}),
}
"""Words that mean their unit: money is in the organisation's base currency, micronaire is a reading of its instrument."""
PRINTED_SO: Final = {"rd", "short_fibre_index"}
"""Percentages that instruments print under these names."""


# --- Names and types --------------------------------------------------------------------------------------------------


@_every(lambda field: isinstance(field.type, Number) and field.type.unit != "")
def test_unit_is_part_of_the_name(entity: Entity, field: Field) -> None:
    assert isinstance(field.type, Number)
    unit = field.type.unit
    if unit in UNIT_IN_NAME:
        assert UNIT_IN_NAME[unit] in field.name or field.name in PRINTED_SO
    else:
        assert field.name in UNIT_IN_WORD[unit]


@_every(lambda field: isinstance(field.type, Number))
def test_bounds_of_a_number_leave_room(entity: Entity, field: Field) -> None:
    assert isinstance(field.type, Number)
    assert field.type.least < field.type.ceiling


@_every(lambda field: field.default is not None)
def test_default_is_a_value_of_the_field(entity: Entity, field: Field) -> None:
    assert field.type.read(field.type.plain(field.default)) == field.default


@_every(lambda field: isinstance(field.type, Text) and field.type.pattern is not None)
def test_pattern_accepts_its_example(entity: Entity, field: Field) -> None:
    assert isinstance(field.type, Text)
    assert field.type.read(field.type.example) == field.type.example


@_every(lambda field: field.change.kind is Kind.TALLY)
def test_tally_starts_within_its_bounds(entity: Entity, field: Field) -> None:
    assert isinstance(field.type, (Integer, Number))
    assert field.type.least <= field.change.least <= field.default
    assert field.change.most is None or isinstance(field.change.most, str) or field.change.most <= field.type.most


# --- Relations --------------------------------------------------------------------------------------------------------


@EVERY_ENTITY
def test_gathered_rows_name_the_row_that_is_locked(entity: Entity) -> None:
    for gather in entity.gathers:
        named = BY_NAME[gather.entity].by_name[gather.field].type
        via = Reference(entity.name) if gather.via == "id" else entity.by_name[gather.via].type
        assert isinstance(named, Reference)
        assert named == via


@EVERY_ENTITY
def test_rollup_writes_derived_fields_of_the_row_it_names(entity: Entity) -> None:
    for rollup in entity.rollups:
        into = BY_NAME[rollup.into]
        assert entity.by_name[rollup.via].type == Reference(rollup.into)
        for name, value in rollup.compute(into.empty(), []).items():
            assert into.by_name[name].derived
            assert into.by_name[name].default == value, "a row that nothing names yet has what no rows add up to"


@EVERY_ENTITY
def test_nothing_is_newer_than_the_schema(entity: Entity) -> None:
    assert 1 <= entity.since <= SCHEMA_VERSION
    assert all(entity.since <= field.since or field.since == 1 for field in entity.all_fields)
    assert all(field.since <= SCHEMA_VERSION for field in entity.all_fields)


# --- Rules ------------------------------------------------------------------------------------------------------------


@EVERY_ENTITY
def test_sample_row_breaks_no_rule_and_needs_no_undeclared_look_up(entity: Entity) -> None:
    house = House()
    for id in house.rows.get(entity.name, {}):
        assert house.codes(entity.name, id) == []


@pytest.mark.parametrize("entity", WRITTEN, ids=[entity.name for entity in WRITTEN])
def test_row_whose_every_field_changed_needs_no_undeclared_look_up(entity: Entity) -> None:
    """The engine loads the rows that references name and those that gathers declare; the world refuses any other."""
    house = House()
    (id, row), *_ = house.rows[entity.name].items()
    was = {name: _another(field, row[name]) for name, field in entity.by_name.items()}

    assert all(v.sentence for rule in entity.rules for v in rule({**row, "id": id}, was, house.world(entity.name)))
    for machine in entity.machines.values():
        for word in machine.words:
            house.judge(entity.name, id, **{machine.field: word})
            house.judge(entity.name, f"{word}-anew", **{**row, machine.field: word})


def _another(field: Field, value: Any) -> Any:
    return None if value is not None else field.default


def test_world_of_these_tests_refuses_what_is_not_declared() -> None:
    world = House().world("partner_contact")

    with pytest.raises(AssertionError, match="no field refers to trade"):
        world.get("trade", "deal")
    with pytest.raises(AssertionError, match="declares no Gather"):
        world.siblings("trade", "buyer_id", "mill")


@pytest.mark.parametrize("entity", WRITTEN, ids=[entity.name for entity in WRITTEN])
def test_document_is_deleted_in_its_first_state_only(entity: Entity) -> None:
    if entity.states is None:
        assert entity.parent is not None, "what has no life of its own belongs to something"
        return
    house = House()
    (id, *_) = house.rows[entity.name]
    for word in entity.states.words:
        house.put(entity.name, id, **{entity.states.field: word})
        assert (house.deletion(entity.name, id) == []) == (word == entity.states.words[0])
