"""Numbers of documents: what a number reads back as, and how a report explains each of them."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from erp_core.entities.document_series import written
from erp_core.numbering import NUMBER_MAX, day_of, gets_number, read_number

PREFIXES = st.from_regex(r"[A-Z0-9/-]{0,30}", fullmatch=True)


@given(PREFIXES, st.integers(1, 9), st.integers(1, NUMBER_MAX))
def test_every_number_reads_back_from_what_is_written(prefix: str, width: int, number: int) -> None:
    series = {"prefix": prefix, "width": width}

    assert read_number(series, written(series, number)) == number


@given(PREFIXES, st.integers(1, 9), st.text("RJK/-0123456789٣", max_size=20))
def test_nothing_else_reads_as_a_number(prefix: str, width: int, text: str) -> None:
    series = {"prefix": prefix, "width": width}
    number = read_number(series, text)

    assert number is None or written(series, number) == text


def test_a_document_is_of_the_year_of_its_day_and_else_of_today() -> None:
    today = date(2026, 11, 24)

    assert day_of("trade", {"trade_date": date(2026, 3, 31)}, today) == date(2026, 3, 31)
    assert day_of("invoice", {"invoice_date": None}, today) == day_of("availability", {}, today) == today


def test_an_invoice_is_numbered_when_it_is_issued_and_others_when_they_are_made() -> None:
    draft, issued = {"number": None, "state": "draft"}, {"number": None, "state": "issued"}

    assert [
        gets_number("invoice", after, before) for after, before in ((draft, None), (issued, draft), (issued, None))
    ] == [*(False, True, True)]
    assert not gets_number("invoice", issued, issued)
    assert gets_number("trade", draft, None)
    assert not gets_number("trade", issued, draft)
    assert not gets_number("trade", {"number": "T1", "state": "draft"}, None)
