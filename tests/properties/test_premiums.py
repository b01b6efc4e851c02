"""Laws of quality in money: lines add up, the base is worth its price, a worse reading is never worth more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_core.premiums import MICRONAIRE_2012, Effect, Scale, Step, mean_reading, quality_value
from erp_core.quality import PARAMETERS, Parameter

NAMED = st.sampled_from(PARAMETERS)
VALUES = st.decimals(0, 10**9, places=2)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    distances = sorted(draw(st.sets(st.decimals("0.01", 5, places=2), max_size=4)))
    percents = sorted(draw(st.lists(st.decimals(0, 10, places=1), min_size=4, max_size=4)))
    return tuple(Step(*pair) for pair in zip(distances, percents, strict=False))


SCALES = st.builds(Scale, steps(), steps())


def _readings(parameter: Parameter) -> st.SearchStrategy[Decimal]:
    return st.decimals(parameter.type.least, parameter.type.ceiling, places=parameter.type.places)


@given(data=st.data(), value=VALUES)
def test_lines_add_up_and_every_base_has_its_line(data: st.DataObject, value: Decimal) -> None:
    bases = {p.name: {"base": str(data.draw(_readings(p))), "allowance": "0.5"} for p in PARAMETERS}
    readings = {p.name: data.draw(st.none() | _readings(p)) for p in PARAMETERS}
    scales = {p.name: data.draw(SCALES) for p in PARAMETERS[:4]}

    found = quality_value(value, readings, bases, scales)

    assert found.total == sum(line.rupees for line in found.lines)
    assert [line.parameter for line in found.lines] == list(bases)
    assert all((line.reading is None) == (line.effect is Effect.UNMEASURED) for line in found.lines)


@given(parameter=NAMED, data=st.data(), value=VALUES, scale=SCALES)
def test_the_base_itself_is_paid_in_full(
    parameter: Parameter, data: st.DataObject, value: Decimal, scale: Scale
) -> None:
    base = data.draw(_readings(parameter))

    found = quality_value(value, {parameter.name: base}, {parameter.name: {"base": str(base)}}, {parameter.name: scale})

    assert found.total == 0
    assert not found.rejected


@given(parameter=NAMED, data=st.data(), value=VALUES, scale=SCALES)
def test_a_worse_reading_is_never_worth_more(
    parameter: Parameter, data: st.DataObject, value: Decimal, scale: Scale
) -> None:
    base, one, other = (data.draw(_readings(parameter)) for _ in range(3))
    owed = {parameter.name: {"base": str(base), "allowance": str(data.draw(st.decimals(0, 2, places=2)))}}
    better, worse = sorted((one, other), key=lambda reading: parameter.miss(base, reading))

    more, less = (
        quality_value(value, {parameter.name: reading}, owed, {parameter.name: scale}).total
        for reading in (better, worse)
    )

    assert less <= more


def test_steps_hold_up_to_their_end_and_the_last_one_beyond() -> None:
    owed = {"micronaire": {"base": 3.8, "allowance": 0.3, "reject": 1}}

    def percent(reading: str) -> Decimal:
        scales = {"micronaire": MICRONAIRE_2012}
        return quality_value(Decimal(100), {"micronaire": Decimal(reading)}, owed, scales).lines[0].percent

    assert [percent(r) for r in ("3.50", "3.49", "3.40", "3.39", "2.90")] == [
        0,
        Decimal("-0.5"),
        Decimal("-0.5"),
        -1,
        -4,
    ]


def test_a_rejected_lot_has_no_price_but_a_verdict() -> None:
    owed = {"trash_pct": {"base": 3, "allowance": 0.5, "reject": 2}}
    found = quality_value(Decimal(100), {"trash_pct": Decimal("5.01")}, owed, {"trash_pct": MICRONAIRE_2012})

    assert found.rejected
    assert found.total == 0
    assert found.lines[0].effect is Effect.REJECT


def test_a_premium_is_paid_for_a_step_reached_in_full() -> None:
    scales = {"staple_mm": Scale(up=(Step(Decimal("0.5"), Decimal(1)), Step(Decimal(1), Decimal(2))))}
    owed = {"staple_mm": {"base": 29}}
    totals = [
        quality_value(Decimal(100), {"staple_mm": Decimal(mm)}, owed, scales).total for mm in ("29.4", "29.9", "31")
    ]

    assert totals == [0, 1, 2]


@pytest.mark.parametrize("down", [(("0", "1"),), (("1", "-1"),), (("1", "2"), ("1", "3")), (("1", "2"), ("2", "1"))])
def test_steps_that_fall_back_are_refused(down: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match="step"):
        Scale(tuple(Step(Decimal(up_to), Decimal(percent)) for up_to, percent in down))


def test_the_mean_counts_bales() -> None:
    assert mean_reading("staple_mm", ((Decimal(28), 1), (Decimal(30), 3))) == Decimal("29.5")
    assert mean_reading("staple_mm", ()) is None
