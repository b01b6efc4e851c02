"""Numbers of documents: which documents carry one of a series, when they get it, and what number a text stands for.

Owns: reading a number back, and which day decides the financial year.
Must not know: who was leased which numbers, SQL.
Invariant: of a series, every number reads back from what is written of it, and nothing else reads as a number
(tests/unit/test_numbering.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from erp_core.catalogue import ENTITIES
from erp_core.entities.document_series import KINDS, written
from erp_core.language import Entity
from erp_core.values import Row

NUMBERED: Final[Mapping[str, Entity]] = {
    entity.name: entity for entity in ENTITIES if entity.name in KINDS and "number" in entity.by_name
}
"""Kind of a series -> the documents that it numbers."""

GAPLESS: Final[Mapping[str, str]] = {"invoice": "issued"}
"""Documents that are numbered in one row, by the server alone, in the moment in which they come into the state named here."""

LEASED: Final = tuple(kind for kind in NUMBERED if kind not in GAPLESS)
"""The kinds of which a device may hold numbers in reserve."""

DAYS: Final[Mapping[str, str]] = {"trade": "trade_date", "invoice": "invoice_date"}
"""Document -> its field with the day that decides its year; others go by the day on which the server hears of it."""

NUMBER_MAX: Final = 999_999_999
"""The largest number of a series."""


def read_number(series: Row, text: str) -> int | None:
    """Read the number of a series that `text` stands for; None: it is none.

    >>> read_number({"prefix": "RJK/T", "width": 4}, "RJK/T0017"), read_number({"prefix": "RJK/T", "width": 4}, "RJK/T17")
    (17, None)
    """
    prefix = series["prefix"] or ""
    digits = text[len(prefix) :]
    if not text.startswith(prefix) or not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(NUMBER_MAX)):
        return None
    number = int(digits)
    return number if 1 <= number <= NUMBER_MAX and written(series, number) == text else None


def day_of(kind: str, row: Row, today: date) -> date:
    """Give the day that decides of which financial year a document is."""
    day = row[DAYS[kind]] if kind in DAYS else None
    return day if isinstance(day, date) else today


def gets_number(kind: str, after: Row, before: Row | None) -> bool:
    """Say whether a document that has no number gets one by this change."""
    if after["number"] is not None:
        return False
    if kind not in GAPLESS:
        return before is None
    goal = GAPLESS[kind]
    return bool(after["state"] == goal) and (before is None or before["state"] != goal)
