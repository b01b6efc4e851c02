"""The financial year: the days over which the books of the organisation run, and numbers of documents count.

Owns: its declaration and its rules.
Must not know: what is booked in it.
Invariant: a day is in one financial year at most (tests/unit/test_books_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import MEMBER, Access
from erp_core.language import ONCE, Entity, Field, Gather, Phone, Violation, World
from erp_core.rules import in_order, when_touched
from erp_core.scopes import Everybody
from erp_core.values import Day, Flag, Reference, Row, Text

DATES = ("starts_on", "ends_on")


@when_touched("organisation_id", *DATES)
def _no_overlap(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    years = world.siblings("financial_year", "organisation_id", after["organisation_id"])
    shared = [y for y in years if y["starts_on"] <= after["ends_on"] and after["starts_on"] <= y["ends_on"]]
    if len(shared) > 1:  # it is one of them
        others = " and ".join(sorted(year["name"] for year in shared if year["name"] != after["name"]))
        sentence = f"Its days are partly those of {others}; let it begin the day after the one before it ends."
        yield Violation("years_overlap", sentence, DATES)


FINANCIAL_YEAR = Entity(
    name="financial_year",
    table="financial_years",
    title="Financial year",
    since=3,
    phone=Phone.NONE,
    access=Access(read=(MEMBER,), create=("series.manage",), update=("series.manage",), delete=("series.manage",)),
    labels=(Everybody(),),
    rules=(in_order(*DATES), _no_overlap),
    gathers=(Gather("financial_year", "organisation_id", "organisation_id"),),
    fields=(
        Field("organisation_id", Reference("organisation"), ONCE, required=True),
        Field("name", Text(20), required=True, unique=True, help="as it stands in numbers of documents: 2026-27"),
        Field("starts_on", Day(), required=True),
        Field("ends_on", Day(), required=True),
        Field("is_closed", Flag(), required=True, default=False, help="nothing more is numbered in it"),
    ),
)
