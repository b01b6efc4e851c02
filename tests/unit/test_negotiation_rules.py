"""What a negotiation and its offers may not do: be accepted by whoever made the offer, or twice, or after it is over."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.offer import OFFER
from tests.harness.rule_world import House

PAST = date(2026, 11, 22)


@pytest.fixture
def house() -> House:
    return House()


def bid(house: House, id: str, **changes: Any) -> list[str]:
    return house.codes("offer", id, **{**house.rows["offer"]["bid"], "round": None, **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"buyer_id": "ginner"}, "one_party"),
        ({"seller_id": "mill"}, "wrong_kind_of_partner"),
        ({"buyer_id": "broker"}, "wrong_kind_of_partner"),
        ({"commodity_id": "seed"}, "of_another"),
        ({"seller_id": "broker", "requirement_id": None}, "of_another"),
        ({"state": "accepted"}, "no_accepted_offer"),
        ({"valid_until": PAST}, "negotiation_ended"),
    ],
)
def test_negotiation_with_one_thing_wrong_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert code in house.codes("negotiation", "talk", **changes)


def test_negotiation_is_accepted_with_its_offer(house: House) -> None:
    house.put("negotiation", "talk", accepted_round=1)

    assert house.codes("negotiation", "talk", state="accepted") == []
    assert house.codes("offer", "bid", state="accepted") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "accepted", "answered_by": "buyer"}, "own_offer"),
        ({"state": "rejected", "answered_by": "buyer"}, "own_offer"),
        ({"state": "accepted", "answered_by": None}, "incomplete"),
        ({"state": "accepted", "valid_until": PAST}, "offer_ended"),
    ],
)
def test_offer_is_answered_by_the_other_side_while_it_stands(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.codes("offer", "bid", **changes) == [code]


@pytest.mark.parametrize("state", ["rejected", "withdrawn", "expired"])
def test_nothing_is_offered_or_accepted_after_the_end(house: House, state: str) -> None:
    house.put("negotiation", "talk", state=state)

    assert bid(house, "next") == ["negotiation_closed"]
    assert house.codes("offer", "bid", state="accepted") == ["negotiation_closed"]


def test_accepted_negotiation_takes_no_further_offer(house: House) -> None:
    house.put("negotiation", "talk", state="accepted", accepted_round=1)

    assert bid(house, "next") == ["negotiation_closed"]


def test_of_a_negotiation_one_offer_is_accepted(house: House) -> None:
    assert house.codes("offer", "bid", state="accepted") == []
    assert bid(house, "other", state="accepted") == ["second_accepted"]


def test_rounds_count_up_and_an_offer_keeps_its_own(house: House) -> None:
    assert bid(house, "second", offered_by="seller") == []
    assert bid(house, "third") == []
    house.judge("offer", "second", state="withdrawn")

    assert [house.rows["offer"][id]["round"] for id in ("bid", "second", "third")] == [1, 2, 3]


def test_negotiation_shows_the_accepted_offer_else_the_newest(house: House) -> None:
    bid(house, "second", price_per_candy=Decimal("61500.00"), bales=40)
    (rollup,) = OFFER.rollups
    talk = house.rows["negotiation"]["talk"]

    newest = rollup.compute(talk, list(house.rows["offer"].values()))
    house.put("offer", "bid", state="accepted")
    agreed = rollup.compute(talk, list(house.rows["offer"].values()))

    assert newest == {"rounds": 2, "accepted_round": 0, "price_per_candy": Decimal("61500.00"), "bales": 40}
    shown = {"rounds": 2, "accepted_round": 1, "price_per_candy": Decimal("61000.00"), "bales": 50}
    assert agreed == {"state": "accepted", **shown}
    assert rollup.compute({**talk, "state": "withdrawn"}, list(house.rows["offer"].values())) == shown
