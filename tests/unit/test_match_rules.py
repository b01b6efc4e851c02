"""A match: its score follows from the two records, part by part, and what cannot meet a need is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.match import lot_of, need_of
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


def test_score_is_the_sum_of_its_parts(house: House) -> None:
    assert house.codes("match", "fit") == []

    fit = house.rows["match"]["fit"]
    assert fit["score"] == sum(fit["parts"].values())
    assert 0 < fit["score"] <= 100


@pytest.mark.parametrize(
    ("entity", "id", "values"),
    [
        ("availability", "lot", {"asking_price_per_candy": Decimal("60000.00")}),
        ("requirement", "need", {"quality_limits": {"staple_mm": {"min": 28}}}),
    ],
)
def test_score_follows_either_record(house: House, entity: str, id: str, values: dict[str, Any]) -> None:
    house.put("requirement", "need", price_ceiling_per_candy=Decimal("63000.00"))
    house.judge("match", "fit")
    before = house.rows["match"]["fit"]["score"]
    house.put(entity, id, **values)
    house.judge("match", "fit")

    assert house.rows["match"]["fit"]["score"] != before


@pytest.mark.parametrize(
    ("entity", "id", "values"),
    [
        ("availability", "lot", {"bales_sold": 60}),
        ("requirement", "need", {"price_ceiling_per_candy": Decimal("61000.00")}),
        ("requirement", "need", {"commodity_id": "seed"}),
    ],
)
def test_what_breaks_a_limit_is_no_match(house: House, entity: str, id: str, values: dict[str, Any]) -> None:
    house.put(entity, id, **values)

    assert house.judge_new("match", "fit") == ["no_match"]


def test_records_are_read_in_paise_hundredths_and_days(house: House) -> None:
    house.put("availability", "lot", quality={"micronaire": "4.1", "staple_mm": "28.5-29"}, bales_reserved=20)
    house.put("requirement", "need", quality_limits={"staple_mm": {"min": 28.5}}, bales_fulfilled=60)

    lot, need = lot_of("lot", house.rows["availability"]["lot"]), need_of("need", house.rows["requirement"]["need"])

    assert (lot.price, lot.bales, lot.quality) == (6_200_000, 80, {"micronaire": 410})
    assert (need.bales_min, need.bales_max, need.limits) == (40, 40, {"staple_mm": (2850, None)})
