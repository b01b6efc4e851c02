"""Availabilities and requirements: what is on offer and what is needed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.availability import AVAILABILITY
from erp_core.entities.requirement import REQUIREMENT
from erp_core.values import Unreadable
from tests.harness.rule_world import TODAY, House

YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def house() -> House:
    return House()


def test_sound_offer_and_need_are_accepted(house: House) -> None:
    assert house.judge_new("availability", "lot", quality={"staple_mm": 29, "micronaire": "4.1"}) == []
    assert house.judge_new("requirement", "need", quality_limits={"micronaire": {"min": 3.6, "max": 4.8}}) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seller_id": "mill"}, "wrong_kind_of_partner"),
        ({"variety_id": "of_seed"}, "variety_of_other_commodity"),
        ({"crop_year": "2026-28"}, "malformed"),
        ({"bales_reserved": 60, "bales_sold": 41}, "oversold"),
        ({"valid_until": YESTERDAY}, "offer_ended"),
        ({"quality": {"staple_mm": 290}}, "bad_quality"),
        ({"quality": {"softness": 3}}, "bad_quality"),
    ],
)
def test_offer_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("availability", "lot", **changes) == [code]


@pytest.mark.parametrize(("reserved", "sold"), [(0, 100), (100, 0), (60, 40)])
def test_offer_can_be_taken_up_to_the_last_bale(house: House, reserved: int, sold: int) -> None:
    assert house.codes("availability", "lot", bales_reserved=reserved, bales_sold=sold) == []


def test_season_of_the_turn_of_the_century_is_one(house: House) -> None:
    assert house.judge_new("availability", "lot", crop_year="2099-00") == []


def test_last_day_of_an_offer_counts(house: House) -> None:
    assert house.judge_new("availability", "lot", valid_until=TODAY) == []


def test_offer_that_ended_can_be_edited_and_closed_but_not_opened(house: House) -> None:
    house.put("availability", "lot", valid_until=YESTERDAY)

    assert house.codes("availability", "lot", payment_terms="15 days") == []
    assert house.codes("availability", "lot", state="expired") == []
    assert house.codes("availability", "lot", state="active") == ["offer_ended"]
    assert house.codes("availability", "lot", valid_until=TODAY) == []


@pytest.mark.parametrize(
    ("entity", "field"), [(AVAILABILITY, "asking_price_per_candy"), (REQUIREMENT, "price_ceiling_per_candy")]
)
def test_price_is_more_than_nothing(entity: Any, field: str) -> None:
    with pytest.raises(Unreadable, match="between"):
        entity.by_name[field].type.read(0)
    assert entity.by_name[field].type.read(0.01) == Decimal("0.01")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"buyer_id": "ginner"}, "wrong_kind_of_partner"),
        ({"variety_id": "of_seed"}, "variety_of_other_commodity"),
        ({"bales_min": 101}, "out_of_order"),
        ({"deliver_from": date(2027, 1, 1)}, "out_of_order"),
        ({"quality_limits": {"micronaire": {"min": 5, "max": 4}}}, "bad_quality"),
        ({"quality_limits": {"staple_mm": 29}}, "bad_quality"),
    ],
)
def test_need_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("requirement", "need", **changes) == [code]


@pytest.mark.parametrize(
    ("entity", "id", "open_state"), [("availability", "lot", "active"), ("requirement", "need", "open")]
)
def test_only_a_draft_is_deleted(house: House, entity: str, id: str, open_state: str) -> None:
    house.put(entity, id, state=open_state)
    assert house.deletion(entity, id) == ["not_deletable"]
    house.put(entity, id, state="draft")
    assert house.deletion(entity, id) == []
