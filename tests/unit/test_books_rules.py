"""The books: financial years, series of documents, the accounts of the house."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from erp_core.entities.document_series import INVOICE_LONGEST, written
from erp_core.entities.organisation_bank_account import ORGANISATION_BANK_ACCOUNT
from erp_core.values import Unreadable
from tests.harness.rule_world import House

NEXT_YEAR = {"name": "2027-28", "starts_on": date(2027, 4, 1), "ends_on": date(2028, 3, 31)}


@pytest.fixture
def house() -> House:
    return House()


# --- Financial years --------------------------------------------------------------------------------------------------


def test_year_that_begins_the_day_after_the_one_before_is_accepted(house: House) -> None:
    assert house.judge_new("financial_year", "fy27", **NEXT_YEAR) == []


@pytest.mark.parametrize(
    "dates",
    [
        {"starts_on": date(2027, 3, 31)},  # the last day of the other
        {"starts_on": date(2026, 4, 1), "ends_on": date(2027, 3, 31)},  # the other itself
        {"starts_on": date(2026, 6, 1), "ends_on": date(2026, 6, 30)},  # inside of it
        {"starts_on": date(2025, 4, 1), "ends_on": date(2028, 3, 31)},  # around it
    ],
)
def test_years_that_share_a_day_are_refused(house: House, dates: dict[str, Any]) -> None:
    (violation,) = house.judge("financial_year", "new", organisation_id="org", **{**NEXT_YEAR, **dates})

    assert violation.code == "years_overlap"
    assert "2026-27" in violation.sentence


def test_year_that_is_drawn_out_over_the_next_is_refused(house: House) -> None:
    house.judge_new("financial_year", "fy27", **NEXT_YEAR)

    assert house.codes("financial_year", "fy27", ends_on=date(2027, 4, 1)) == ["years_overlap"]
    assert house.codes("financial_year", "fy27", ends_on=date(2027, 3, 30)) == []


def test_year_that_ends_before_it_begins_is_refused(house: House) -> None:
    codes = house.judge_new("financial_year", "fy27", **{**NEXT_YEAR, "ends_on": date(2027, 3, 31)})

    assert "out_of_order" in codes


# --- Series -----------------------------------------------------------------------------------------------------------


def test_sound_series_is_accepted(house: House) -> None:
    assert house.judge_new("document_series", "trades", kind="invoice") == []


def test_series_that_nobody_used_yet_may_change_its_form_and_be_deleted(house: House) -> None:
    assert house.codes("document_series", "trades", prefix="RAJ/", width=4) == []
    assert house.deletion("document_series", "trades") == []


@pytest.mark.parametrize("change", [{"prefix": "RAJ/"}, {"prefix": None}, {"width": 7}])
def test_series_in_use_keeps_its_form(house: House, change: dict[str, Any]) -> None:
    house.put("document_series", "trades", next_number=2)

    assert house.codes("document_series", "trades", **change) == ["series_in_use"]
    assert house.deletion("document_series", "trades") == ["not_deletable"]


def test_numbers_go_on_though_the_form_is_fixed(house: House) -> None:
    house.put("document_series", "trades", next_number=2)

    assert house.codes("document_series", "trades", next_number=52) == []


@pytest.mark.parametrize(("prefix", "codes"), [("RJK/26-27/I", []), ("RJK/2026-27/I", ["number_too_long"])])
def test_number_of_a_tax_invoice_has_at_most_16_characters(house: House, prefix: str, codes: list[str]) -> None:
    """Central Goods and Services Tax Rules 2017, rule 46(b)."""
    assert house.judge_new("document_series", "trades", kind="invoice", prefix=prefix, width=5) == codes
    assert (len(written({"prefix": prefix, "width": 5}, 1)) <= INVOICE_LONGEST) == (not codes)


def test_number_of_another_document_may_be_longer(house: House) -> None:
    assert house.judge_new("document_series", "trades", prefix="RJK/2026-27/TRADES/") == []


def test_series_of_a_closed_year_is_refused(house: House) -> None:
    house.put("financial_year", "fy27", is_closed=True)

    assert house.judge_new("document_series", "trades") == ["year_closed"]
    assert house.codes("document_series", "trades", prefix="RAJ/") == [], "what is there may still be corrected"


# --- Accounts of the house --------------------------------------------------------------------------------------------


def test_sound_account_is_accepted(house: House) -> None:
    assert house.judge_new("organisation_bank_account", "main", account_number="30012345679") == []


@pytest.mark.parametrize("ifsc", ["SBIN1000300", "SBI00000300", "sbin0000300", "SBIN000030", "SBIN00003000"])
def test_ifsc_is_well_formed(ifsc: str) -> None:
    read = ORGANISATION_BANK_ACCOUNT.by_name["ifsc"].type.read

    assert read("SBIN0000300") == "SBIN0000300"
    with pytest.raises(Unreadable):
        read(ifsc)


@pytest.mark.parametrize("number", ["3001 2345", "1234", "12-345678"])
def test_account_number_is_written_without_spaces(number: str) -> None:
    with pytest.raises(Unreadable):
        ORGANISATION_BANK_ACCOUNT.by_name["account_number"].type.read(number)
