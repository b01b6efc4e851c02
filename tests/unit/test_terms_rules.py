"""The lists of terms, and how brokers are paid."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from erp_core.brokerage import Basis, Slab, brokerage
from erp_core.catalogue import BY_NAME
from erp_core.entities.commission_structure import structure_of
from erp_core.language import ONCE, Phone
from erp_core.values import Number, Unreadable
from erp_core.vocabulary import PERCENT
from tests.harness.rule_world import House

LISTS = {
    "payment_term": "month",
    "delivery_term": "ex_gin",
    "weighment_term": "at_mill",
    "passing_term": "at_gin",
    "trade_type": "home",
    "bargain_type": "fixed",
    "commission_structure": "usual",
}


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("entity", "like"), list(LISTS.items()))
def test_sound_row_is_accepted(house: House, entity: str, like: str) -> None:
    assert house.judge_new(entity, like, code="ANOTHER") == []


@pytest.mark.parametrize("name", LISTS)
def test_list_is_kept_by_the_office_and_its_codes_stay(name: str) -> None:
    entity = BY_NAME[name]

    assert entity.phone is Phone.DOWN
    assert entity.by_name["code"].change == ONCE
    assert ("code",) in entity.unique_keys


@pytest.mark.parametrize("name", LISTS)
def test_percentages_are_between_0_and_100(name: str) -> None:
    numbers = [field for field in BY_NAME[name].fields if isinstance(field.type, Number) and field.type.unit == "%"]

    assert all(field.type == PERCENT for field in numbers)
    for field in numbers:
        assert [field.type.read(0), field.type.read(100)] == [Decimal("0.00"), Decimal("100.00")]
        for beyond in (-0.01, 100.01):
            with pytest.raises(Unreadable):
                field.type.read(beyond)


def slabs(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"slabs": [{"above": above, "rate": rate} for above, rate in pairs]}


@pytest.mark.parametrize(
    "changes",
    [
        {"slabs": {}},
        {"slabs": {"slabs": []}},
        {"slabs": {"slabs": {"above": 0, "rate": 1}}},
        {"slabs": {"slabs": [1]}},
        {"slabs": {"slabs": [{"above": 0}]}},
        {"slabs": {"slabs": [{"above": 0, "rate": 1, "note": "x"}]}},
        {"slabs": {**slabs((0, 1)), "more": 1}},
        {"slabs": slabs((0, "half"))},
        {"slabs": slabs((0, None))},
        {"slabs": slabs((1, 1))},  # nothing said of what is below 1
        {"slabs": slabs((0, 1), (0, 2))},
        {"slabs": slabs((0, 1), (20, 2), (10, 3))},
        {"slabs": slabs((0, -1))},
        {"slabs": slabs(*((n, 1) for n in range(21)))},
        {"slabs": slabs((0, 100.5))},
        {"buyer_share": 0, "seller_share": 0},
    ],
)
def test_structure_that_cannot_be_worked_out_is_refused(house: House, changes: dict[str, Any]) -> None:
    (violation,) = house.judge(
        "commission_structure", "new", **{**house.rows["commission_structure"]["usual"], **changes}
    )

    assert violation.code == "bad_structure"
    assert violation.sentence.endswith(".")


def test_rate_in_rupees_may_be_above_100(house: House) -> None:
    assert house.judge_new("commission_structure", "usual", basis="rupees_per_bale", slabs=slabs((0, 150))) == []


def test_structure_ends_after_it_begins(house: House) -> None:
    dates = {"valid_from": date(2026, 11, 2), "valid_until": date(2026, 11, 1)}

    assert house.judge_new("commission_structure", "usual", **dates) == ["out_of_order"]


def test_accepted_structure_is_what_the_arithmetic_takes(house: House) -> None:
    row = house.put("commission_structure", "usual", slabs=slabs((0, 0.5), ("1000000", "0.25")), minimum_amount=None)
    structure = structure_of(row)

    assert structure.basis is Basis.PERCENT_OF_VALUE
    assert structure.slabs == (Slab(Decimal(0), Decimal("0.5")), Slab(Decimal(1000000), Decimal("0.25")))
    earned = brokerage(structure, value=Decimal(1600000), bales=60, candies=Fraction(28))
    assert earned.total == Decimal("6500.00")
