"""What a trade may not be: between one party, beyond its lot or the buyer's credit, unreadable in its quality."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.trade import TRADE
from erp_core.exposure import open_value, value_with_tax
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("state", ["draft", "confirmed"])
def test_sound_trade_is_accepted(house: House, state: str) -> None:
    assert house.judge_new("trade", "deal", bales=50, state=state) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seller_id": "mill", "availability_id": None}, "one_party"),
        ({"buyer_id": "broker"}, "wrong_kind_of_partner"),
        ({"seller_id": "broker", "availability_id": None}, "wrong_kind_of_partner"),
        ({"broker_id": "ginner"}, "wrong_kind_of_partner"),
        ({"variety_id": "of_seed"}, "variety_of_other_commodity"),
        ({"commodity_id": "seed", "variety_id": None}, "not_of_the_lot"),
        ({"deliver_from": date(2026, 12, 21)}, "out_of_order"),
        ({"deliver_until": date(2026, 11, 19), "deliver_from": None}, "out_of_order"),
        ({"bales": 51}, "not_enough_bales"),
        ({"bales": 1_000_000, "price_per_candy": Decimal(9_999_999), "availability_id": None}, "too_large"),
        ({"quality_bases": {"length": {"base": 29}}}, "bad_quality"),
        ({"quality_bases": {"staple_mm": 29}}, "bad_quality"),
        ({"quality_bases": {"micronaire": {"base": 3.8, "down": [{"up_to": 0.1}]}}}, "bad_quality"),
        ({"weight_terms": {"tolerance_pct": 11}}, "bad_quality"),
        ({"weight_terms": {"credit_dry": "yes"}}, "bad_quality"),
    ],
)
def test_trade_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert code in house.judge_new("trade", "deal", **{"state": "draft", **changes})


def test_negotiation_becomes_one_trade_between_its_two(house: House) -> None:
    house.put("negotiation", "talk", state="accepted")
    agreed = {"negotiation_id": "talk", "bales": 10, "state": "draft"}
    assert (
        house.judge_new("trade", "deal", **agreed, buyer_id="ginner", availability_id=None).count(
            "not_of_the_negotiation"
        )
        == 1
    )
    house.put("trade", "new", state="cancelled")
    assert house.codes("trade", "again", **{**house.rows["trade"]["deal"], **agreed}) == []
    assert "second_trade" in house.codes("trade", "third", **{**house.rows["trade"]["deal"], **agreed})
    house.put("trade", "again", state="cancelled")
    assert "second_trade" not in house.codes("trade", "third", bales=11)


def test_lot_covers_all_its_trades_but_the_cancelled_ones(house: House) -> None:
    house.put("trade", "second", **{**house.rows["trade"]["deal"], "bales": 50, "state": "draft"})
    assert house.judge_new("trade", "deal", bales=1, state="draft") == ["not_enough_bales"]

    house.put("trade", "second", state="cancelled")
    assert house.codes("trade", "new", bales=50) == []


def test_sentence_says_how_many_bales_are_left(house: House) -> None:
    row = {**house.rows["trade"]["deal"], "bales": 70, "state": "draft"}

    (violation,) = house.judge("trade", "new", **row)

    assert violation.sentence == "Of 100 bales offered 50 are left, but the trade is for 70."


@pytest.mark.parametrize("closed", ["expired", "cancelled"])
def test_closed_lot_is_not_traded_but_a_trade_of_it_goes_on(house: House, closed: str) -> None:
    house.put("availability", "lot", state=closed)

    assert house.judge_new("trade", "deal", bales=10, state="draft") == ["lot_closed"]
    assert house.codes("trade", "deal", state="in_delivery") == []


def test_only_approved_partners_confirm(house: House) -> None:
    house.put("business_partner", "mill", state="suspended")

    assert house.judge_new("trade", "deal", state="draft") == []
    assert house.codes("trade", "new", state="confirmed") == ["partner_not_approved"]


def test_suspension_does_not_stop_a_confirmed_trade(house: House) -> None:
    house.put("business_partner", "mill", state="suspended")
    assert house.codes("trade", "deal", state="in_delivery") == []


def test_credit_limit_holds_over_all_open_trades(house: House) -> None:
    worth = value_with_tax(house.rows["trade"]["deal"])
    house.put("business_partner", "mill", credit_limit=worth * 2)

    assert house.judge_new("trade", "deal") == []
    assert house.codes("trade", "third", **{**house.rows["trade"]["deal"], "bales": 1, "availability_id": None}) == [
        "over_credit_limit"
    ]


@pytest.mark.parametrize("limit", [None, Decimal("0.00")])
def test_partner_without_a_credit_limit_is_not_checked(house: House, limit: Decimal | None) -> None:
    house.put("business_partner", "mill", credit_limit=limit)
    assert house.judge_new("trade", "deal") == []


def test_draft_needs_no_credit(house: House) -> None:
    house.put("business_partner", "mill", credit_limit=Decimal("1.00"))
    assert house.judge_new("trade", "deal", state="draft") == []


def test_what_was_out_of_order_before_can_still_be_edited_elsewhere(house: House) -> None:
    house.put("trade", "deal", bales=5000, deliver_until=date(2020, 1, 1), seller_id="mill", quality_bases={"x": 1})
    assert house.codes("trade", "deal", remarks="called the mill") == []


def test_amounts_follow_from_the_terms(house: House) -> None:
    house.judge("trade", "deal", bales=100, availability_id=None)

    assert house.rows["trade"]["deal"]["amount"] == Decimal("2963837.80")
    assert house.rows["trade"]["deal"]["tax_amount"] == Decimal("148191.89")


def test_exposure_is_the_open_trades_with_tax(house: House) -> None:
    (rollup,) = TRADE.rollups
    rows = [{**house.rows["trade"]["deal"], "state": state} for state in TRADE.states.words]  # type: ignore[union-attr]

    exposure = rollup.compute({}, rows)["exposure"]

    assert exposure == 3 * value_with_tax(rows[0]) == open_value(rows)


def test_exposure_beyond_the_field_is_the_most_it_holds(house: House) -> None:
    (rollup,) = TRADE.rollups
    row = {**house.rows["trade"]["deal"], "bales": 1_000_000, "price_per_candy": Decimal("9999999999.99")}
    assert rollup.compute({}, [row])["exposure"] == Decimal("999999999999.99")


def test_only_a_draft_is_deleted(house: House) -> None:
    assert house.deletion("trade", "deal") == ["not_deletable"]
    house.put("trade", "deal", state="draft")
    assert house.deletion("trade", "deal") == []
