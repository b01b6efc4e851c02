"""Columns of the entity tables as a list asks for them: how a value is compared, and with what.

Owns: the SQL expression of a field, the type that a text of it is cast to, and the SQL of each operation.
Must not know: which fields may be asked for by whom; what a client wrote.
Invariant: a comparison says of a record what it says of the plain form that clients are given: a moment counts in whole
milliseconds, a text by its code points (tests/integration/test_listing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from erp_core.language import Entity
from erp_core.values import Day, Document, Flag, Instant, Integer, Number, Words


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the row `t`: its expression, how it is ordered, and what a parameter is cast to."""

    expression: str
    ordered: str
    cast: str


def column(entity: Entity, name: str) -> Column:
    """Give the column of a field; `id` is one too."""
    found = entity.by_name.get(name)
    held = f"t.{name}"
    match None if found is None else found.type:
        case Instant():
            # As it is given (migrations/capture.py:payload_expression), so that what is shown as equal is equal.
            moment = f"(date_part('epoch', {held}) * 1000)::bigint"
            return Column(moment, moment, "bigint")
        case Day():
            return Column(held, held, "date")
        case Integer():
            return Column(held, held, "bigint")
        case Number():
            return Column(held, held, "numeric")
        case Flag():
            return Column(held, held, "boolean")
        case Words():
            return Column(held, held, "text[]")
        case Document():
            return Column(held, held, "jsonb")
        case _:
            # Byte order is code point order, the same on every machine and after every update of its libraries.
            return Column(held, f'{held} COLLATE "C"', "text")


Write = Callable[[Column, str], str]
"""(column, parameter) -> SQL; the parameter is a text, or a text[] for what takes several values."""


def _compared(sign: str) -> Write:
    return lambda c, p: f"{c.ordered} {sign} {p}::text::{c.cast}"


def _equal(c: Column, p: str) -> str:
    if c.cast == "text[]":  # a set: its order in the column says nothing
        words = f"ARRAY(SELECT json_array_elements_text({p}::text::json))"
        return f"({c.expression} @> {words} AND {c.expression} <@ {words})"
    return f"{c.expression} = {p}::text::{c.cast}"


OPERATIONS: Final[Mapping[str, Write]] = {
    "eq": _equal,
    "ne": lambda c, p: f"({_equal(c, p)}) IS NOT TRUE",
    "lt": _compared("<"),
    "lte": _compared("<="),
    "gt": _compared(">"),
    "gte": _compared(">="),
    "in": lambda c, p: f"{c.expression} = ANY ({p}::text[]::{c.cast}[])",
    "like": lambda c, p: f"{c.expression} ILIKE {p}::text",
    "has": lambda c, p: f"{c.expression} @> ARRAY[{p}::text]",
    "null": lambda c, p: f"({c.expression} IS NULL) = {p}::text::boolean",
}
"""Operation -> its SQL. Beside `ne` and `null` none holds for an empty field."""

SEVERAL: Final = frozenset({"in"})
"""What takes several values."""


def containing(text: str) -> str:
    r"""Give the pattern of what contains `text`, for LIKE.

    >>> containing("50%_a\\b")
    '%50\\%\\_a\\\\b%'
    """
    escaped = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
