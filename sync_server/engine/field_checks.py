"""Field checks: may a field change so, by how its declaration says that it may?

Owns: the checks that follow from the kind of a field (DESIGN.md, kinds of fields).
Must not know: other records, who asks, SQL.
Invariant: a field that does not change breaks no rule, whatever it holds (tests/unit/test_judge.py,
tests/integration/test_rules_in_push.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

from erp_core.language import Entity, Field, Kind, Violation
from erp_core.values import Row

LOCKED: Final = "locked"

FieldCheck: TypeAlias = Callable[[Entity, Field, Row, Row | None], Iterator[Violation]]
"""(entity, field, after, before) -> what is wrong with the field's new value."""


def check_fields(entity: Entity, after: Row, before: Row | None) -> Iterator[Violation]:
    """Say what is wrong with the fields of a record, one by one, as they change. Cost: the fields that have a check."""
    for field, check in _checked_fields(entity):
        value = after[field.name]
        if value is None and field.required:
            yield Violation("missing", f"{field.name} is needed.", (field.name,))
        if check is not None and (before is None or value != before[field.name]):
            yield from check(entity, field, after, before)


@cache
def _checked_fields(entity: Entity) -> Sequence[tuple[Field, FieldCheck | None]]:
    """Give the fields of which something is to be checked; once per entity, because every pushed record passes here."""
    fields = ((field, _CHECKS.get(field.change.kind)) for field in entity.fields if not field.derived)
    return [(field, check) for field, check in fields if field.required or check is not None]


def _once(_: Entity, field: Field, __: Row, before: Row | None) -> Iterator[Violation]:
    if before is not None and before[field.name] is not None:
        yield Violation("set_once", f"{field.name} is set once and cannot be changed afterwards.", (field.name,))


def _locked(entity: Entity, field: Field, _: Row, before: Row | None) -> Iterator[Violation]:
    if before is not None and field.change.when is not None and field.change.when.holds(before):
        sentence = f"{field.name} of this {entity.title.lower()} is fixed by now; ask for an amendment instead."
        yield Violation(LOCKED, sentence, (field.name,))


def _tally(_: Entity, field: Field, after: Row, __: Row | None) -> Iterator[Violation]:
    value, most = after[field.name], field.change.most_in(after)
    if value is not None and (value < field.change.least or (most is not None and value > most)):
        bounds = f"at least {field.change.least}" if most is None else f"between {field.change.least} and {most}"
        yield Violation("out_of_bounds", f"{field.name} would be {value}; it must be {bounds}.", (field.name,))


def _guarded(entity: Entity, field: Field, after: Row, before: Row | None) -> Iterator[Violation]:
    states = entity.machines[field.name]
    if after[field.name] is None:
        return
    goal = after[field.name]
    if before is None:
        if goal not in states.begins:
            begins = " or ".join(states.begins)
            yield Violation(
                "wrong_state", f"A new {entity.title.lower()} begins as {begins}, not as {goal}.", (field.name,)
            )
    elif not states.reaches(before[field.name], goal):
        sentence = f"{entity.title} is {before[field.name]} and cannot become {goal}."
        yield Violation("wrong_state", sentence, (field.name,))


_CHECKS: Final[Mapping[Kind, FieldCheck]] = {
    Kind.ONCE: _once,
    Kind.LOCKED: _locked,
    Kind.TALLY: _tally,
    Kind.GUARDED: _guarded,
}
