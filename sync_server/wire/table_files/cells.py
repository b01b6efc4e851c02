"""Cells: a value as a person finds it in a spreadsheet, and back.

Owns: how each type of value is written into a cell and read from one.
Must not know: CSV, XLSX, which rows there are.
Invariant: what is read from a cell that was written here is the value that was written
(tests/properties/test_table_files.py); no cell begins as a formula (OWASP, "CSV Injection").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

import orjson

from erp_core.language import Field
from erp_core.values import Document, Flag, Instant, Integer, Number, Plain, Words

Cell: TypeAlias = str | int | float | bool | None

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""How a cell begins that a spreadsheet works out; the apostrophe stands before such a one, so it needs one itself."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_YES: Final[Mapping[str, bool]] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class BadCell(Exception):
    """A cell that cannot be what its column asks for; the message goes behind the name of the field."""


def to_cell(field: Field, value: Plain) -> Cell:
    """Write a value as `field.type.plain` gives it: moments as ISO 8601 in UTC, sets as words between semicolons."""
    if value is None:
        return None
    match field.type:
        case Instant():
            assert isinstance(value, (int, float))
            moment = _EPOCH + timedelta(milliseconds=value)
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(value) % 1000:03}Z"
        case Words():
            return _joined(str(value))
        case _:
            return value


def to_text(field: Field, value: Plain) -> str:
    """Write a value as text that no spreadsheet takes for a formula; empty: there is none."""
    cell = to_cell(field, value)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return guarded(cell) if isinstance(cell, str) else f"{Decimal(repr(cell)):f}".removesuffix(".0")


def guarded(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would work out.

    >>> guarded("=1+1"), guarded("+919825012345"), guarded("Shah")
    ("'=1+1", "'+919825012345", 'Shah')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """Take that apostrophe away; one before anything else was typed."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def from_cell(field: Field, cell: Any) -> Plain:
    """Read a cell, of text or typed, as the plain form of its field's type. Raises `BadCell`.

    An empty cell is no value. What is right for the type may still be refused by `field.type.read`.
    """
    if isinstance(cell, datetime):
        cell = cell.isoformat() if isinstance(field.type, Instant) else cell.date().isoformat()
    if isinstance(cell, str):
        cell = cell.strip()
    if cell is None or cell == "":
        return None
    match field.type:
        case Instant():
            return _moment(cell)
        case Words():
            return _words(str(cell))
        case Document():
            return str(cell)
        case Flag():
            return _flag(cell)
        case Integer() | Number():
            return _number(field, cell)
        case _:
            return _text(cell)


def _joined(value: str) -> str:
    """Put semicolons between words, as far as they can be told apart again; else JSON it is."""
    words = orjson.loads(value)
    return "; ".join(words) if words and all(map(_stands_alone, words)) else value


def _stands_alone(word: str) -> bool:
    return word.isprintable() and word == word.strip() and ";" not in word and not word.startswith(("[", *_FORMULA))


def _words(text: str) -> str:
    if text.startswith("["):
        return text
    return orjson.dumps([word for one in text.split(";") if (word := one.strip())]).decode()


def _text(cell: Any) -> str:
    """A telephone number that a spreadsheet took for a number has a `.0` that nobody typed."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _flag(cell: Any) -> bool:
    found = _YES.get(_text(cell).lower())
    if found is None:
        raise BadCell(f"is {_shown(cell)}; true or false is needed")
    return found


def _number(field: Field, cell: Any) -> Plain:
    if isinstance(cell, bool):
        raise BadCell("is true or false; a number is needed")
    text = str(cell).replace(",", "")  # 1,25,000 as people write lakhs
    if isinstance(cell, str) and not _NUMBER.fullmatch(text):
        raise BadCell(f"is {_shown(cell)}; a number is needed")
    if str in field.type.accepts:
        return text
    number = float(text)
    return int(number) if number.is_integer() else number


def _moment(cell: Any) -> float:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return cell
    try:
        moment = datetime.fromisoformat(str(cell))
    except ValueError:
        raise BadCell(f"is {_shown(cell)}; a moment such as 2026-11-23T14:05:00Z is needed") from None
    if moment.tzinfo is None:
        raise BadCell(f"is {_shown(cell)}, and nobody knows in which time zone; write 2026-11-23T14:05:00+05:30")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _shown(cell: Any) -> str:
    text = str(cell)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
