"""Laws of the rules, over every entity and rows drawn from its declaration: rules never fail, and speak only when touched.

A rule runs on whatever a phone or SQL made of a row, so "never fails" is what keeps one odd record from blocking a push.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity
from erp_core.values import Row
from tests.properties.test_values import values_of

RULED = [entity for entity in ENTITIES if entity.rules]
DERIVING = [entity for entity in ENTITIES if entity.derive is not None]
ADDING = [(entity, rollup) for entity in ENTITIES for rollup in entity.rollups]
EVERY_ENTITY = pytest.mark.parametrize("entity", RULED, ids=[entity.name for entity in RULED])
EVERY_DERIVING = pytest.mark.parametrize("entity", DERIVING, ids=[entity.name for entity in DERIVING])


class DrawnWorld:
    """A world in which every reference names a row, drawn when it is first looked at."""

    today: date = date(2026, 11, 23)

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.rows: dict[tuple[str, str], Row] = {}
        self.asked: set[tuple[str, str]] = set()

    def get(self, entity: str, id: str | None) -> Row | None:
        if id is None:
            return None
        if (entity, id) not in self.rows:
            self.rows[entity, id] = self.data.draw(records_of(BY_NAME[entity]), label=f"{entity} {id}")
        return self.rows[entity, id]

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        self.asked.add((entity, field))
        drawn = self.data.draw(st.lists(records_of(BY_NAME[entity]), max_size=2), label=f"{entity} of {field} {id}")
        return [] if id is None else [{**row, field: id} for row in drawn]


def rows_of(entity: Entity) -> st.SearchStrategy[dict[str, Any]]:
    """Draw rows that hold what their fields can hold: what is not required may be empty."""

    def field_of(name: str) -> st.SearchStrategy[Any]:
        field = entity.by_name[name]
        drawn = values_of(field.type)
        return drawn if field.required else st.none() | drawn

    return st.fixed_dictionaries({field.name: field_of(field.name) for field in entity.all_fields})


def records_of(entity: Entity) -> st.SearchStrategy[dict[str, Any]]:
    """Draw rows as the rules get them: with their id."""
    return st.builds(lambda row, known: {**row, "id": known}, rows_of(entity), st.sampled_from(("a", "b")))


@EVERY_ENTITY
@settings(max_examples=25)
@given(data=st.data())
def test_rules_answer_in_words_about_any_row(entity: Entity, data: st.DataObject) -> None:
    after = data.draw(records_of(entity), label="after")
    before = data.draw(st.none() | records_of(entity), label="before")
    world = DrawnWorld(data)

    if entity.derive is not None:
        derived = entity.derive(after, world)
        assert all(entity.by_name[name].derived for name in derived)
        after |= derived
    found = [violation for rule in entity.rules for violation in rule(after, before, world)]

    assert all(v.code and v.sentence.endswith(".") for v in found)
    assert all(set(v.fields) <= entity.by_name.keys() for v in found)
    gathered = {(g.entity, g.field) for g in entity.gathers} | {(entity.name, r.via) for r in entity.rollups}
    assert world.asked <= gathered, "the engine loads siblings that an entity gathers, no others"


@EVERY_ENTITY
@settings(max_examples=25)
@given(data=st.data())
def test_rules_are_silent_about_a_row_that_nobody_touched(entity: Entity, data: st.DataObject) -> None:
    """What SQL, an older rule or the passing of time left in a bad way must still be editable elsewhere."""
    row = data.draw(records_of(entity), label="row")

    found = [violation for rule in entity.rules for violation in rule(row, dict(row), DrawnWorld(data))]

    assert not found


@EVERY_ENTITY
@settings(max_examples=10)
@given(data=st.data())
def test_deletion_is_allowed_or_refused_in_words(entity: Entity, data: st.DataObject) -> None:
    row, world = data.draw(records_of(entity)), DrawnWorld(data)

    assert all(v.code and v.sentence.endswith(".") for rule in entity.delete_rules for v in rule(row, world))


@EVERY_DERIVING
@settings(max_examples=20)
@given(data=st.data())
def test_derivations_depend_on_what_is_given_only(entity: Entity, data: st.DataObject) -> None:
    """Deriving from a row that was derived already changes nothing, or the same push sent twice would be a change."""
    assert entity.derive is not None
    row, world = data.draw(records_of(entity)), DrawnWorld(data)

    once: Mapping[str, Any] = entity.derive(row, world)

    assert entity.derive({**row, **once}, world) == once


@EVERY_DERIVING
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_derived_fits_its_field(entity: Entity, data: st.DataObject) -> None:
    """A value that no column can hold would fail the whole push."""
    assert entity.derive is not None
    row = data.draw(records_of(entity))

    for name, value in entity.derive(row, DrawnWorld(data)).items():
        kind = entity.by_name[name].type
        assert value is None or kind.read(kind.plain(value)) == value


@pytest.mark.parametrize(("entity", "rollup"), ADDING, ids=[f"{e.name}->{r.into}" for e, r in ADDING])
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_added_up_fits_its_field(entity: Entity, rollup: Any, data: st.DataObject) -> None:
    into = BY_NAME[rollup.into]
    row = data.draw(records_of(into))
    below = data.draw(st.lists(records_of(entity), max_size=5))

    added = rollup.compute(row, below)

    assert rollup.compute(row, below[::-1]) == added
    for name, value in added.items():
        follows = name in into.machines and value in into.machines[name].moves[row[name]]
        assert into.by_name[name].derived or follows
        if value is not None or into.by_name[name].required:
            assert into.by_name[name].type.read(into.by_name[name].type.plain(value)) == value
