"""What lorries come to: by weight, by quality, by the contract; the same on an invoice as in the settlement."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.billing import ONE, BillLine, lines_of, readings_of
from erp_core.entities.invoice_line import INVOICE_LINE
from erp_core.language import World
from tests.harness.rule_world import House

LORRY = {"id": "lorry", "bales": 100, "gross_kg": None, "tare_kg": None}
TRADE = {
    "price_per_candy": Decimal(62_000),
    "bale_weight_kg": Decimal(170),
    "quality_bases": None,
    "weight_terms": {"tolerance_pct": 0.5},
}
STEPS = {"down": [{"up_to": 0.5, "percent": 2}], "up": [{"up_to": 0.5, "percent": 1}]}
KG = st.decimals(10_000, 40_000, places=2)


def slip(gross: Any, tare: Any, id: str = "1", day: int | None = None) -> dict[str, Any]:
    at = None if day is None else datetime(2026, 11, day, tzinfo=UTC)
    return {"id": id, "gross_kg": Decimal(gross), "tare_kg": Decimal(tare), "weighed_at": at}


def come_to(trade: dict[str, Any], lorry: dict[str, Any], slips: Any = (), **readings: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines_of(trade, lorry, slips, {name: Decimal(value) for name, value in readings.items()}):
        found[line.what] = found.get(line.what, Decimal(0)) + line.rupees
    return found


# --- Weight -------------------------------------------------------------------------------------------------------------


def test_lorry_that_nobody_weighed_is_paid_as_agreed() -> None:
    assert come_to(TRADE, LORRY) == {"goods": Decimal("2963837.80")}


@pytest.mark.parametrize(
    ("net", "what"), [("17085", None), ("16915", None), ("17185", "17434.34"), ("16815", "-17434.34")]
)
def test_weight_moves_only_what_is_beyond_the_tolerance(net: str, what: str | None) -> None:
    found = come_to(TRADE, LORRY, [slip(Decimal(net) + 9_000, 9_000)])

    assert found.get("weight") == (None if what is None else Decimal(what))


def test_newest_slip_counts_and_the_lorry_s_own_weights_only_without_one() -> None:
    weighed = {**LORRY, "gross_kg": Decimal(25_000), "tare_kg": Decimal(9_000)}
    old, new, undated = slip(27_000, 9_000, "9", 1), slip(26_000, 9_000, "1", 2), slip(24_000, 9_000, "8")

    assert "weight" not in come_to(TRADE, weighed, [old, new, undated])
    assert come_to(TRADE, weighed) == come_to(TRADE, LORRY, [slip(25_000, 9_000)])


def test_moisture_moves_the_weight_unless_the_contract_prices_it() -> None:
    wet = {**TRADE, "weight_terms": {"moisture_pct": 8.5}}
    weighed = [slip(26_000, 9_000)]
    assert come_to(wet, LORRY, weighed, moisture_pct="9.5")["weight"] < 0
    assert "weight" not in come_to(wet, LORRY, weighed, moisture_pct="7.5")
    assert come_to(
        {**wet, "weight_terms": {"moisture_pct": 8.5, "credit_dry": True}}, LORRY, weighed, moisture_pct="7.5"
    )["weight"] > Decimal(0)

    priced = {**wet, "quality_bases": {"moisture_pct": {"base": 8.5, **STEPS}}}
    found = come_to(priced, LORRY, weighed, moisture_pct="9.5")
    assert "weight" not in found
    assert found["quality"] == Decimal("-59276.76")


@given(one=KG, other=KG)
def test_more_weight_is_never_paid_less(one: Decimal, other: Decimal) -> None:
    light, heavy = sorted((one, other))

    lower, higher = (sum(come_to(TRADE, LORRY, [slip(net + 9_000, 9_000)]).values()) for net in (light, heavy))

    assert lower <= higher


# --- Quality ------------------------------------------------------------------------------------------------------------


def test_readings_are_the_mean_of_what_was_accepted_by_bales() -> None:
    house = House().rows["quality_inspection"]["grading"]
    inspections = [
        {**house, "state": "accepted", "micronaire": Decimal("4.1"), "bale_numbers": [str(n) for n in range(60)]},
        {**house, "state": "accepted", "micronaire": Decimal("3.8"), "bale_numbers": [str(n) for n in range(40)]},
        {**house, "state": "disputed", "micronaire": Decimal("2.0"), "bale_numbers": ["1"]},
    ]

    assert readings_of(inspections)["micronaire"] == Decimal("3.98")
    assert readings_of([])["micronaire"] is None


@pytest.mark.parametrize(("reading", "percent"), [("3.25", -2), ("3.6", 0), ("3.8", 0)])
def test_quality_moves_the_price_by_its_steps(reading: str, percent: int) -> None:
    trade = {**TRADE, "quality_bases": {"micronaire": {"base": 3.8, "allowance": 0.3, **STEPS}}}

    found = come_to(trade, LORRY, micronaire=reading)

    assert found.get("quality", 0) == (found["goods"] * percent / 100).quantize(Decimal("0.01"))


# --- The same everywhere ------------------------------------------------------------------------------------------------


@given(
    quantity=st.decimals(0, 100_000, places=3),
    rate=st.decimals(-100_000, 100_000, places=2),
    per=st.sampled_from([ONE, Decimal("355.620")]),
)
def test_line_comes_to_the_same_on_an_invoice(quantity: Decimal, rate: Decimal, per: Decimal) -> None:
    row = {"quantity": quantity, "rate_amount": rate, "rate_quantity": per}
    assert INVOICE_LINE.derive is not None

    world: World = House().world("invoice_line")
    assert INVOICE_LINE.derive(row, world) == {"amount": BillLine("goods", "", quantity, rate, per).rupees}
