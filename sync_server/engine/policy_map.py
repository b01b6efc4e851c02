"""The only place where the trade's words meet the merge's: how a field may change -> which policy decides a clash.

Owns: the table.
Must not know: rows, SQL.
Invariant: every kind has a policy (tests/unit/test_policy_map.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from conflict.policies import (
    OURS,
    THEIRS,
    Bag,
    Condition,
    Guarded,
    Highest,
    Locked,
    Lowest,
    Newest,
    Once,
    Policy,
    Prose,
    Reviewed,
    Tally,
)
from erp_core.catalogue import ENTITIES
from erp_core.language import Entity, Field, Kind


def _guarded(entity: Entity, field: Field) -> Policy:
    machine = entity.machines[field.name]
    return Guarded(machine.moves, machine.breaks)


def _locked(_: Entity, field: Field) -> Policy:
    fixed = field.change.when
    assert fixed is not None, f"{field.name} is LOCKED, and nothing says when"
    return Locked(Condition(fixed.field, fixed.words, fixed.unless))


def _tally(_: Entity, field: Field) -> Policy:
    return Tally(field.change.least, field.change.most)


def _always(policy: Policy) -> Callable[[Entity, Field], Policy]:
    return lambda _entity, _field: policy


POLICIES: Final[Mapping[Kind, Callable[[Entity, Field], Policy]]] = {
    Kind.LATEST: _always(THEIRS),
    Kind.ONCE: _always(Once()),
    Kind.NEWEST: _always(Newest()),
    Kind.TALLY: _tally,
    Kind.BAG: _always(Bag()),
    Kind.HIGHEST: _always(Highest()),
    Kind.LOWEST: _always(Lowest()),
    Kind.PROSE: _always(Prose()),
    Kind.GUARDED: _guarded,
    Kind.LOCKED: _locked,
    Kind.REVIEWED: _always(Reviewed()),
    Kind.DERIVED: _always(OURS),
}


@cache
def policies_of(entity: Entity) -> Mapping[str, Policy]:
    """Give the policy of each field of `entity`."""
    return {f.name: POLICIES[f.change.kind](entity, f) for f in entity.all_fields}


NEWEST_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    entity.name: frozenset(f.name for f in entity.fields if f.change.kind is Kind.NEWEST) for entity in ENTITIES
}
"""Entity -> the fields of which the one that was authored last wins."""
