"""Conditions on fields: which operators a field takes, and the values that are asked for.

Owns: the operators of a list, as the table `OPERATORS`, which documents are made from too, and how a parameter is read as one.
Must not know: engine, store, aiohttp; what the asker may see.
Invariant: a value that passes is one that the field can have, written so that PostgreSQL reads it
(tests/integration/test_listing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from erp_core.catalogue import BY_TABLE
from erp_core.language import Field
from erp_core.values import (
    SAFE_ID,
    Choice,
    Day,
    Document,
    Flag,
    Instant,
    Integer,
    Number,
    Plain,
    Reference,
    Text,
    Unreadable,
    Value,
    Words,
)
from sync_server.wire.problems import Problem

SEVERAL_MAX: Final = 100
"""Values of one `.in`."""

VALUE_MAX: Final = 200
"""Characters of a value that is asked for."""

SORTED_TEXT_MAX: Final = 200
"""Characters that a text may have to be sorted by: the place of a page holds them, and is sent in a URL."""

ID: Final = Field("id", Text(64, SAFE_ID))
"""The id, asked for as a field is."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What may be asked of a field: `field.suffix=value`. `types`: of which fields; `several`: values between commas."""

    operation: str
    types: tuple[type, ...]
    help: str
    several: bool = False


_ORDERED: Final = (Text, Integer, Number, Day, Instant)
_SCALARS: Final = (*_ORDERED, Reference, Choice)

OPERATORS: Final[Mapping[str, Operator]] = {
    "": Operator("eq", (*_SCALARS, Flag, Words, Document), "is; an empty value: the field is empty"),
    "eq": Operator("eq", (*_SCALARS, Flag, Words, Document), "is; for a field that has the name of a parameter, too"),
    "ne": Operator("ne", (*_SCALARS, Flag, Words), "is not; an empty field is not either"),
    "lt": Operator("lt", _ORDERED, "is less, or earlier"),
    "lte": Operator("lte", _ORDERED, "is at most, or no later"),
    "gt": Operator("gt", _ORDERED, "is more, or later"),
    "gte": Operator("gte", _ORDERED, "is at least, or no earlier"),
    "in": Operator("in", _SCALARS, f"is one of up to {SEVERAL_MAX} values, with commas between them", several=True),
    "like": Operator("like", (Text,), "contains these letters, in any case"),
    "has": Operator("has", (Words,), "has this word"),
    "null": Operator("null", (*_SCALARS, Flag, Words, Document), "is empty: true or false"),
}
"""Suffix -> operator; of a field without a dot: the first."""


def operators_of(field: Field) -> Mapping[str, Operator]:
    """Give the operators that a field can be asked with, by suffix."""
    return {suffix: one for suffix, one in OPERATORS.items() if isinstance(field.type, one.types)}


def is_sortable(field: Field) -> bool:
    """Say whether a list can be sorted by a field."""
    if isinstance(field.type, Text):
        return field.type.longest <= SORTED_TEXT_MAX
    return not isinstance(field.type, (Words, Document))


# --- Reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition as asked: an operation of `OPERATORS`, and its values as text (a moment in milliseconds)."""

    field: str
    operation: str
    values: tuple[str, ...]


class UnknownParameter(Exception):
    """A parameter is no field, or asks of one what it cannot be asked."""


def field_of(table: str, name: str) -> Field:
    """Give a field of a table; the id is one too. Raises `UnknownParameter`."""
    field = ID if name == "id" else BY_TABLE[table].by_name.get(name)
    if field is None:
        raise UnknownParameter(name)
    return field


def read_filter(table: str, parameter: str, text: str) -> Filter:
    """Read `field=value` or `field.suffix=value`. Raises Problem, `UnknownParameter`."""
    name, _, suffix = parameter.partition(".")
    field = field_of(table, name)
    operator = operators_of(field).get(suffix)
    if operator is None or (not suffix and "." in parameter):
        raise UnknownParameter(parameter)
    if "\0" in text or len(text) > VALUE_MAX * (SEVERAL_MAX if operator.several else 1):
        raise Problem("bad_parameter", f"{name} cannot be asked for by this value.")
    if not suffix and not text:
        return Filter(name, "null", ("true",))
    if suffix == "null" and text not in ("true", "false"):
        raise Problem("bad_parameter", f"{parameter} is true or false.")
    if suffix in ("null", "like", "has"):
        return Filter(name, operator.operation, (text,))
    return Filter(name, operator.operation, _several(field, text) if operator.several else (_value(field, text),))


def _several(field: Field, text: str) -> tuple[str, ...]:
    texts = text.split(",")
    if len(texts) > SEVERAL_MAX:
        raise Problem("bad_parameter", f"At most {SEVERAL_MAX} values of {field.name} can be asked for at once.")
    return tuple(_value(field, one) for one in texts)


def _value(field: Field, text: str) -> str:
    """Turn the text of a parameter into that of a value which the field can have. Raises Problem."""
    try:
        if len(text) > VALUE_MAX or not text:
            raise ValueError
        return _text(field, field.type.read(_plain(field, text)))
    except (Unreadable, ValueError):
        raise Problem("bad_parameter", f"No record has this value in {field.name}.") from None


def _plain(field: Field, text: str) -> Plain:
    """Give the plain form of a text. Raises ValueError."""
    if field.type.plain_kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"
    if field.type.plain_kind == "number":
        return int(text) if re.fullmatch("-?[0-9]{1,15}", text) else float(text)
    return text


def _text(field: Field, value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return str(field.type.plain(value))
        case date():
            return value.isoformat()
    return str(field.type.plain(value)) if isinstance(field.type, (Words, Document)) else str(value)
