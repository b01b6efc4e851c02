"""Laws of net weight: lines add up, water is not paid, and a tolerance settles nothing inside it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.net_weight import Weighing, net_weight, weight_difference

KG = st.decimals(1, 30_000, places=2)
PCT = st.decimals(0, 30, places=2)


@st.composite
def weighings(draw: st.DrawFn) -> Weighing:
    tare, lint = draw(KG), draw(st.decimals(500, 30_000, places=2))
    bales = draw(st.integers(0, 200))
    return Weighing(tare + lint, tare, bales, draw(st.decimals(0, 2, places=2)), draw(st.decimals(0, 20)), draw(PCT))


@given(weighing=weighings(), base=PCT, credit=st.booleans())
def test_lines_add_up_to_what_is_paid(weighing: Weighing, base: Decimal, credit: bool) -> None:
    found = net_weight(weighing, moisture_base_pct=base, credit_dry=credit)

    assert found.payable_kg == sum(line.kg for line in found.lines) > 0


@given(weighing=weighings(), base=PCT)
def test_water_is_never_paid_and_dryness_only_where_agreed(weighing: Weighing, base: Decimal) -> None:
    assert weighing.moisture_pct is not None
    plain = net_weight(weighing).payable_kg
    strict = net_weight(weighing, moisture_base_pct=base).payable_kg
    fair = net_weight(weighing, moisture_base_pct=base, credit_dry=True).payable_kg

    assert strict <= min(plain, fair)
    assert fair >= plain if weighing.moisture_pct <= base else fair == strict


@given(weighing=weighings())
def test_lint_at_the_base_is_paid_as_it_weighs(weighing: Weighing) -> None:
    assert net_weight(weighing, moisture_base_pct=weighing.moisture_pct).payable_kg == net_weight(weighing).payable_kg


@given(contracted=KG, delivered=KG, price=st.decimals(1, 10**6, places=2), tolerance=st.decimals(0, 5, places=2))
def test_inside_the_tolerance_nothing_moves_and_beyond_it_less_than_all(
    contracted: Decimal, delivered: Decimal, price: Decimal, tolerance: Decimal
) -> None:
    found = weight_difference(contracted, delivered, price, tolerance_pct=tolerance)

    assert abs(found.settled_kg) <= abs(found.difference_kg)
    assert found.settled_kg * found.difference_kg >= 0
    assert found.rupees * found.settled_kg >= 0
    if abs(found.difference_kg) * 100 <= contracted * tolerance:
        assert found.rupees == 0


def test_a_candy_too_few_costs_its_price() -> None:
    assert weight_difference(Decimal("711.24"), Decimal("355.62"), Decimal(62000)).rupees == Decimal(-62000)


@pytest.mark.parametrize(
    "changed",
    [
        {"tare_kg": Decimal(0)},
        {"gross_kg": Decimal(5)},
        {"bales": -1},
        {"moisture_pct": Decimal(100)},
        {"samples_kg": Decimal(-1)},
    ],
)
def test_a_slip_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tare|more|moisture"):
        Weighing(**{"gross_kg": Decimal(10), "tare_kg": Decimal(5), "bales": 1, **changed})
