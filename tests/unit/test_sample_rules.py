"""What a sample and a slip of the weighbridge may not say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.sample import SAMPLE
from erp_core.entities.weighment import WEIGHMENT
from erp_core.language import Kind
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trade_id": None}, "of_nothing"),
        ({"latitude": Decimal("22.3")}, "incomplete"),
        ({"weight_kg": Decimal("0.000")}, "no_weight"),
        ({"state": "submitted", "drawn_at": None}, "incomplete"),
    ],
)
def test_sample_with_one_thing_wrong_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("sample", "handful", **changes) == [code]


def test_sample_is_of_the_lot_of_its_trade(house: House) -> None:
    house.put("availability", "other", **house.rows["availability"]["lot"])

    assert house.judge_new("sample", "handful", availability_id="other") == ["of_another_lot"]
    assert house.judge_new("sample", "handful", availability_id="lot") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dispatch_id": None}, "of_one"),
        ({"inspection_id": "grading"}, "of_one"),
        ({"tare_kg": Decimal("0.00")}, "no_tare"),
        ({"gross_kg": Decimal("9800.00")}, "gross_not_above_tare"),
        ({"gross_kg": Decimal("9000.00")}, "gross_not_above_tare"),
    ],
)
def test_slip_with_one_thing_wrong_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("weighment", "slip", **changes) == [code]


def test_net_is_the_difference(house: House) -> None:
    assert house.judge_new("weighment", "slip", dispatch_id=None, inspection_id="grading") == []
    assert house.rows["weighment"]["new"]["net_kg"] == Decimal("7200.00")


def test_what_was_drawn_or_weighed_is_written_once() -> None:
    changing = {f.name for f in WEIGHMENT.fields if f.change.kind is not Kind.ONCE}
    assert changing == {"net_kg"}
    changing = {f.name for f in SAMPLE.fields if f.change.kind is not Kind.ONCE}
    assert changing == {"bale_numbers", "inspector_id", "location_id", "state"}
    assert SAMPLE.by_name["bale_numbers"].change.kind is Kind.BAG
