"""Whole records of every entity of the catalogue: what their policies make of edits, and of three replicas in every order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflict.laws import Law
from conflict.merge import Authored, merge
from conflict.policies import Stamp, Tally
from erp_core.catalogue import ENTITIES
from erp_core.language import Entity
from sync_server.engine.policy_map import policies_of
from tests.properties.test_rules import rows_of
from tests.properties.test_values import values_of

Row = Mapping[str, Any]

EVERY_ENTITY = pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
STAMPS: Final = (Stamp(1, "a"), Stamp(2, "b"), Stamp(3, "c"))


class Edit(NamedTuple):
    """What one replica wrote into the record as all three saw it."""

    values: Row
    stamp: Stamp


class End(NamedTuple):
    """The record after all arrived, and what became of each edit: it went in, was told to have lost, or waits for a person."""

    row: Row
    waits: frozenset[str]


@st.composite
def edited(draw: st.DrawFn, entity: Entity, count: int = 3) -> tuple[Row, list[Edit]]:
    """Draw a record, and edits of it that each change a few fields; often the same ones."""
    base = draw(rows_of(entity))
    names = st.sets(st.sampled_from(sorted(entity.by_name)), min_size=1, max_size=4)
    busy = draw(names)
    edits = []
    for stamp in STAMPS[:count]:
        fields = [entity.by_name[name] for name in sorted(busy | draw(names))]
        edits.append(Edit({f.name: draw(values_of(f.type)) for f in fields}, stamp))
    return base, edits


def arrive(entity: Entity, base: Row, edits: Sequence[Edit]) -> End:
    """Take the edits one after the other, as the server does: whole, or to wait whole."""
    policies = policies_of(entity)
    here, written = base, dict.fromkeys(base, Stamp(0))
    waits = set()
    for edit in edits:
        theirs = {**base, **edit.values}
        found = merge(base, here, theirs, edit.values, policies, Authored(edit.stamp, written))
        told = {outcome.column: outcome for outcome in found.outcomes}
        for name, value in edit.values.items():
            silent = value != base[name] and found.row[name] != value and name not in told
            assert not silent, f"{name}: {value!r} is gone, and nobody is told"
        if found.parked:
            waits.add(edit.stamp.device)
            continue
        written |= {name: edit.stamp for name in base if found.row[name] != here[name]}
        here = found.row
    return End(here, frozenset(waits))


@EVERY_ENTITY
@settings(max_examples=15)
@given(data=st.data())
def test_one_edit_goes_in_whole_or_waits_whole(entity: Entity, data: st.DataObject) -> None:
    base, edits = data.draw(edited(entity, 1))
    end, policies = arrive(entity, base, edits), policies_of(entity)

    if end.waits:
        assert end.row == base
    for name, value in edits[0].values.items():
        if not end.waits and Law.ONE_SIDED in policies[name].LAWS:
            assert end.row[name] == value
    assert all(end.row[name] == base[name] for name in base if policies[name].name == "ours")


@EVERY_ENTITY
@settings(max_examples=15)
@given(data=st.data())
def test_three_replicas_are_all_heard_in_every_order(entity: Entity, data: st.DataObject) -> None:
    """Each field that nobody's waiting change touches is the same in every order, if its policy says so."""
    base, edits = data.draw(edited(entity))
    ends = [arrive(entity, base, order) for order in itertools.permutations(edits)]
    policies = policies_of(entity)

    for name in base:
        wrote = [edit.values[name] for edit in edits if edit.values.get(name, base[name]) != base[name]]
        apart = all(one != other for one, other in itertools.combinations(wrote, 2)) or isinstance(
            policies[name], Tally
        )
        if not any(end.waits for end in ends) and Law.ANY_ORDER in policies[name].LAWS and apart:
            assert all(end.row[name] == ends[0].row[name] for end in ends), name
        if len(wrote) <= 1 and not any(end.waits for end in ends):
            assert all(end.row[name] == ends[0].row[name] for end in ends), name


@EVERY_ENTITY
@settings(max_examples=15)
@given(data=st.data())
def test_replicas_that_changed_different_fields_lose_nothing(entity: Entity, data: st.DataObject) -> None:
    base, edits = data.draw(edited(entity))
    free = [name for name, policy in policies_of(entity).items() if not policy.frozen]
    shares = [dict.fromkeys(free[number::3]) for number in range(3)]
    apart = [
        Edit({name: value for name, value in edit.values.items() if name in share}, edit.stamp)
        for edit, share in zip(edits, shares, strict=True)
    ]
    whole = {**base, **{name: value for edit in apart for name, value in edit.values.items()}}

    for order in itertools.permutations(apart):
        assert arrive(entity, base, order) == End(whole, frozenset())
