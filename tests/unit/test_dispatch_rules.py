"""What a lorry may not do: leave without a trade, carry more than it, weigh less full than empty, arrive before it left."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.dispatch import DISPATCH, ON_THE_ROAD
from tests.harness.rule_world import NOON, House

HOUR = timedelta(hours=1)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("state", ["planned", *sorted(ON_THE_ROAD)])
def test_sound_lorry_is_accepted_in_every_state(house: House, state: str) -> None:
    times = {"loaded_at": NOON, "departed_at": NOON + HOUR, "arrived_at": NOON + 9 * HOUR}
    weights = {"gross_kg": Decimal("17000.00"), "tare_kg": Decimal("9800.00")}
    assert house.judge_new("dispatch", "lorry", state=state, bales=12, **times, **weights) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"transporter_id": "mill"}, "wrong_kind_of_partner"),
        ({"vehicle_number": "GJ-3 BT 4471"}, "malformed"),
        ({"vehicle_number": "XX03BT4471"}, "malformed"),
        ({"loaded_at": NOON, "departed_at": NOON - HOUR}, "out_of_order"),
        ({"loaded_at": NOON, "arrived_at": NOON - HOUR}, "out_of_order"),
        ({"latitude": Decimal("22.3")}, "incomplete"),
        ({"tare_kg": Decimal("0.00")}, "no_tare"),
        ({"gross_kg": Decimal("9000.00"), "tare_kg": Decimal("9000.00")}, "gross_not_above_tare"),
        ({"gross_kg": Decimal("0.00")}, "gross_not_above_tare"),
        ({"state": "loaded", "vehicle_number": None}, "incomplete"),
        ({"state": "loaded", "bales": 0}, "incomplete"),
        ({"bales": 13}, "more_than_traded"),
    ],
)
def test_lorry_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("dispatch", "lorry", **{"bales": 5, **changes}) == [code]


@pytest.mark.parametrize(("bales", "fits"), [(52, True), (53, False)])
def test_lorries_carry_five_per_cent_more_at_most(house: House, bales: int, fits: bool) -> None:
    house.put("dispatch", "lorry", bales=0)
    assert (house.judge_new("dispatch", "lorry", bales=bales) == []) is fits


def test_rejected_lorry_comes_back_and_does_not_count(house: House) -> None:
    house.put("dispatch", "lorry", state="rejected")
    assert house.judge_new("dispatch", "lorry", bales=50, state="planned") == []


@pytest.mark.parametrize("state", ["draft", "completed", "cancelled", "disputed"])
def test_lorry_leaves_for_a_confirmed_trade_only(house: House, state: str) -> None:
    house.put("trade", "deal", state=state)
    assert house.judge_new("dispatch", "lorry", bales=5) == ["trade_not_open"]
    assert house.codes("dispatch", "lorry", state="loaded") == ["trade_not_open"]


def test_lorry_on_its_way_arrives_whatever_becomes_of_the_trade(house: House) -> None:
    house.put("dispatch", "lorry", state="in_transit")
    house.put("trade", "deal", state="disputed")
    assert house.codes("dispatch", "lorry", state="delivered", arrived_at=NOON) == []


def test_net_weight_is_derived(house: House) -> None:
    house.judge("dispatch", "lorry", gross_kg=Decimal("17000.00"), tare_kg=Decimal("9800.00"), net_kg=Decimal(1))
    assert house.rows["dispatch"]["lorry"]["net_kg"] == Decimal("7200.00")

    house.judge("dispatch", "lorry", tare_kg=None)
    assert house.rows["dispatch"]["lorry"]["net_kg"] is None


def test_trade_counts_the_bales_that_were_sent(house: House) -> None:
    (rollup,) = DISPATCH.rollups
    rows = [{"bales": 40, "state": "loaded"}, {"bales": 9, "state": "rejected"}, {"bales": 2, "state": "planned"}]
    assert rollup.compute({}, rows) == {"bales_dispatched": 42}


def test_only_a_planned_lorry_is_deleted(house: House) -> None:
    assert house.deletion("dispatch", "lorry") == []
    house.put("dispatch", "lorry", state="loaded")
    assert house.deletion("dispatch", "lorry") == ["not_deletable"]
