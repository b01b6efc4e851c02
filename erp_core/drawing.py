"""Drawing up records: what a maker looks at, what it makes, and how it says that it cannot.

Owns: the words in which makers are written (erp_core/makers.py has the table).
Must not know: any one maker.
Invariant: what is drawn up is values of the entity's own fields (checked as it is drawn up).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from erp_core.catalogue import BY_NAME
from erp_core.language import Field, Violation, World
from erp_core.values import Row, Value, ValueType


@dataclass(frozen=True, slots=True)
class Look:
    """Rows to look at: those of `entity` whose `field` is what the rows found before of the entity `of` have in `via`.

    `of` "": those whose `field` is `via` itself. `holds`: nobody changes them until all is written.
    """

    entity: str
    field: str
    of: str
    via: str
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A record to be made, or with `new` False to be changed: the values of its fields."""

    entity: str
    id: str
    values: Mapping[str, Value]
    new: bool = True

    def __post_init__(self) -> None:
        unknown = self.values.keys() - BY_NAME[self.entity].by_name.keys()
        if unknown:
            raise ValueError(f"{self.entity} has no {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a maker drew up: the records, and which of them is shown to whoever asked (entity, id)."""

    made: Sequence[Made]
    shown: tuple[str, str]


class Objection(Exception):
    """Why nothing can be drawn up."""

    def __init__(self, code: str, sentence: str, *fields: str) -> None:
        super().__init__(sentence)
        self.reason = Violation(code, sentence, fields)


Given: TypeAlias = Mapping[str, Value]
"""What a command is told: parameter -> value."""

Draw: TypeAlias = Callable[[Row, Given, World, Iterator[str]], Drawn]
"""(the record that it starts from, the parameters as read, the rows of its looks, ids for what is made) -> what is drawn up.
Raises `Objection`. A row that the asker cannot see is not among the rows."""


def taken(entity: str, *names: str, needed: bool = False) -> tuple[Field, ...]:
    """Give fields of an entity as parameters; `needed`: each must be given."""
    fields = BY_NAME[entity].by_name
    return tuple(replace(fields[name], required=needed) for name in names)


def given_field(name: str, type: ValueType, help: str) -> Field:
    """Give a parameter that may be left out."""
    return Field(name, type, help=help)


def chosen(given: Given, *names: str, **otherwise: Value) -> dict[str, Value]:
    """Give the parameters `names` that were given; where one was not, what `otherwise` has for it."""
    values = {name: given[name] for name in names if given.get(name) is not None}
    return {**{name: value for name, value in otherwise.items() if value is not None}, **values}


def seen(row: Row | None, what: str) -> Row:
    """Give a row that must be there for the asker. Raises Objection."""
    if row is None:
        raise Objection("not_for_you", f"The {what} is not for you to see; ask somebody who sees both sides.")
    return row
