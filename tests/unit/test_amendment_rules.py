"""What an amendment may propose: terms of its trade, as values that they can have, while the trade is under way."""

from __future__ import annotations

from typing import Any

import pytest

from erp_core.entities.amendment import AMENDMENT, TERMS
from erp_core.entities.trade import SIDES
from erp_core.language import Kind
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


def test_terms_are_what_is_locked_in_a_trade() -> None:
    assert {"bales", "price_per_candy", "quality_bases", "deliver_until", *SIDES} <= TERMS.keys()
    assert not {"remarks", "state", "number", "amount", "branch_id"} & TERMS.keys()


@pytest.mark.parametrize(
    ("proposed", "code"),
    [
        ({}, "nothing_proposed"),
        ({"remarks": "x"}, "not_a_term"),
        ({"state": "completed"}, "not_a_term"),
        ({"amount": 1}, "not_a_term"),
        ({"bales": 0}, "bad_term"),
        ({"bales": "40"}, "bad_term"),
        ({"bales": True}, "bad_term"),
        ({"price_per_candy": None}, "bad_term"),
        ({"deliver_until": "soon"}, "bad_term"),
        ({"bales": 40, "remarks": "x"}, "not_a_term"),
    ],
)
def test_what_is_no_value_of_a_term_is_refused(house: House, proposed: dict[str, Any], code: str) -> None:
    assert house.codes("amendment", "cheaper", proposed=proposed) == [code]


@pytest.mark.parametrize(
    "proposed",
    [{"bales": 40}, {"broker_id": None}, {"deliver_until": "2026-12-31"}, {"quality_bases": '{"rd": {"base": 75}}'}],
)
def test_values_of_terms_are_accepted(house: House, proposed: dict[str, Any]) -> None:
    assert house.codes("amendment", "cheaper", proposed=proposed) == []


@pytest.mark.parametrize(
    ("state", "code"), [("draft", "not_agreed"), ("completed", "trade_closed"), ("cancelled", "trade_closed")]
)
def test_amendment_is_of_a_trade_under_way(house: House, state: str, code: str) -> None:
    house.put("trade", "deal", state=state)

    assert house.judge_new("amendment", "cheaper") == [code]
    assert house.codes("amendment", "cheaper", state="approved") == [code]
    assert house.codes("amendment", "cheaper", state="rejected") == []


def test_what_is_written_is_fixed_once_it_is_decided() -> None:
    kinds = {name: AMENDMENT.by_name[name].change.kind for name in ("trade_id", "proposed", "reason")}

    assert kinds == {"trade_id": Kind.ONCE, "proposed": Kind.LOCKED, "reason": Kind.LOCKED}
