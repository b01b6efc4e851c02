"""The series of documents: how the documents of a kind are numbered in a branch over a financial year.

Owns: its declaration and its rules, and how a number is written.
Must not know: who is given which numbers, and when.
Invariant: what was given out looks like what will be given out: once a series is in use its form is fixed
(tests/unit/test_books_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from erp_core.access import MEMBER, Access
from erp_core.language import ONCE, Entity, Field, Phone, Violation, World
from erp_core.rules import touched, when_touched
from erp_core.scopes import Everybody
from erp_core.values import Choice, Integer, Reference, Row, Text

KINDS: Final = (
    *("availability", "requirement", "negotiation", "trade", "dispatch", "quality_inspection", "weighment"),
    *("invoice", "payment"),
)
"""The documents that carry a number of the house."""
INVOICE_LONGEST: Final = 16
"""Characters of the number of a tax invoice, which are letters, digits, '-' and '/': Central Goods and Services Tax Rules 2017,
rule 46(b)."""


def written(series: Row, number: int) -> str:
    """Write the number of a document; one that has more digits than the series is wide is written in full.

    >>> written({"prefix": "RJK/26-27/T", "width": 4}, 17), written({"prefix": "", "width": 2}, 117)
    ('RJK/26-27/T0017', '117')
    """
    return f"{series['prefix'] or ''}{number:0{series['width']}d}"


def _form_is_kept(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if before is not None and before["next_number"] > 1 and touched(after, before, "prefix", "width"):
        sentence = f"{before['next_number'] - 1} numbers were given out already; keep the form until the year ends."
        yield Violation("series_in_use", sentence, ("prefix", "width"))


def _never_back(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    """What is below the next number was given to a document or leased to a device, and would be given twice."""
    if before is not None and after["next_number"] < before["next_number"]:
        sentence = (
            f"The numbers up to {before['next_number'] - 1} are given out; the next is not {after['next_number']}."
        )
        yield Violation("number_given_out", sentence, ("next_number",))


@when_touched("kind", "prefix", "width")
def _fits_an_invoice(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    length = len(written(after, 1))
    if after["kind"] == "invoice" and length > INVOICE_LONGEST:
        sentence = f"Its numbers have {length} characters; those of a tax invoice have at most {INVOICE_LONGEST}."
        yield Violation("number_too_long", sentence, ("prefix", "width"))


@when_touched("financial_year_id")
def _year_is_open(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    year = world.get("financial_year", after["financial_year_id"])
    if year is not None and year["is_closed"]:
        sentence = f"The financial year {year['name']} is closed; choose one that is open."
        yield Violation("year_closed", sentence, ("financial_year_id",))


def _unused(row: Row, _: World) -> Iterator[Violation]:
    if row["next_number"] > 1:
        yield Violation("not_deletable", "Numbers of it were given out; it is kept with the books.", ("next_number",))


DOCUMENT_SERIES = Entity(
    name="document_series",
    table="document_series",
    title="Document series",
    since=3,
    phone=Phone.NONE,
    access=Access(read=(MEMBER,), create=("series.manage",), update=("series.manage",), delete=("series.manage",)),
    labels=(Everybody(),),
    rules=(_form_is_kept, _never_back, _fits_an_invoice, _year_is_open),
    delete_rules=(_unused,),
    fields=(
        Field("branch_id", Reference("branch"), ONCE, required=True),
        Field("kind", Choice(KINDS), ONCE, required=True),
        Field("financial_year_id", Reference("financial_year"), ONCE, required=True),
        Field("prefix", Text(30, re.compile("[A-Z0-9/-]{1,30}"), "RJK/26-27/T")),
        Field("width", Integer(1, 9), required=True, default=6, help="digits, filled up with noughts"),
        Field(
            "next_number",
            Integer(1, 1_000_000_000),
            required=True,
            default=1,
            help="the first that nobody was given yet; it never goes back",
        ),
    ),
    uniques=(("branch_id", "kind", "financial_year_id"),),
)
