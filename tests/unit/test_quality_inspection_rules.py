"""What an inspection may not be, and what its readings mean against the contract."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


def result_of(house: House, **changes: Any) -> str | None:
    assert house.judge_new("quality_inspection", "grading", **{"state": "submitted", **changes}) == []
    result: str | None = house.rows["quality_inspection"]["new"]["result"]
    return result


@pytest.mark.parametrize(
    ("staple", "trash", "result"),
    [
        ("29.0", "3.00", "pass"),
        ("28.5", "2.00", "pass"),
        ("28.4", "2.00", "allowance"),
        ("29.5", "3.01", "allowance"),
        ("27.5", None, "allowance"),
        ("27.4", "1.00", "reject"),
    ],
)
def test_result_follows_from_the_bases_of_the_trade(house: House, staple: str, trash: str | None, result: str) -> None:
    readings = {"staple_mm": Decimal(staple), "trash_pct": None if trash is None else Decimal(trash)}
    assert result_of(house, **readings) == result


def test_nothing_is_said_where_nothing_that_is_owed_was_measured(house: House) -> None:
    assert result_of(house, staple_mm=None, micronaire=Decimal("4.10")) is None


def test_nothing_is_said_of_a_draft(house: House) -> None:
    assert result_of(house, state="draft") is None


def test_nothing_is_said_of_a_lot_without_a_contract(house: House) -> None:
    assert result_of(house, trade_id=None, availability_id="lot") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trade_id": None}, "of_nothing"),
        ({"longitude": Decimal("70.8")}, "incomplete"),
        ({"state": "submitted", "inspected_at": None}, "incomplete"),
        ({"state": "submitted", "staple_mm": None}, "incomplete"),
    ],
)
def test_inspection_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("quality_inspection", "grading", **changes) == [code]


def test_grade_alone_is_enough_for_the_hand(house: House) -> None:
    by_hand = {"state": "submitted", "staple_mm": None, "grade": "SM", "method": "hand"}
    assert house.judge_new("quality_inspection", "grading", **by_hand) == []


def test_inspection_of_a_trade_and_of_another_lot_is_refused(house: House) -> None:
    house.put("availability", "other", **house.rows["availability"]["lot"])
    assert house.judge_new("quality_inspection", "grading", availability_id="other") == ["of_another_lot"]
    assert house.codes("quality_inspection", "new", availability_id="lot") == []


def test_inspection_is_submitted_against_a_confirmed_trade_only(house: House) -> None:
    house.put("trade", "deal", state="draft")
    assert house.judge_new("quality_inspection", "grading", state="draft") == []
    assert house.codes("quality_inspection", "new", state="submitted") == ["not_agreed"]


def test_only_a_draft_is_deleted(house: House) -> None:
    assert house.deletion("quality_inspection", "grading") == []
    house.put("quality_inspection", "grading", state="submitted")
    assert house.deletion("quality_inspection", "grading") == ["not_deletable"]
