"""Laws of the verdict on a lot: what meets its bases passes, and a worse reading never gives a better result."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from erp_core.quality import BY_NAME, PARAMETERS, RESULTS, Parameter, judge, misbased, mislimited, misstated

NAMED = st.sampled_from(PARAMETERS)
NUMBERS = st.decimals(0, 10, places=2)
JUNK = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
DOCUMENTS = st.dictionaries(
    st.sampled_from((*BY_NAME, "colour")),
    JUNK | st.dictionaries(st.sampled_from(("base", "allowance", "reject", "min", "max", "x")), JUNK, max_size=4),
    max_size=4,
)


def _value(data: st.DataObject, parameter: Parameter) -> Decimal:
    kind = parameter.type
    return data.draw(st.decimals(kind.least, kind.ceiling, places=kind.places))


def _owed(data: st.DataObject, parameter: Parameter) -> dict[str, Any]:
    allowance, beyond = data.draw(NUMBERS), data.draw(NUMBERS)
    return {"base": str(_value(data, parameter)), "allowance": str(allowance), "reject": str(allowance + beyond)}


@given(parameter=NAMED, data=st.data())
def test_what_a_contract_can_owe_is_well_stated_and_its_base_passes(parameter: Parameter, data: st.DataObject) -> None:
    owed = _owed(data, parameter)

    assert not list(misbased({parameter.name: owed}))
    assert judge({parameter.name: Decimal(owed["base"])}, {parameter.name: owed}) == "pass"


@given(parameter=NAMED, data=st.data())
def test_a_worse_reading_never_gives_a_better_result(parameter: Parameter, data: st.DataObject) -> None:
    owed, one, other = _owed(data, parameter), _value(data, parameter), _value(data, parameter)
    worse, better = sorted(
        (one, other), key=lambda reading: parameter.miss(Decimal(owed["base"]), reading), reverse=True
    )

    results = [judge({parameter.name: reading}, {parameter.name: owed}) or "" for reading in (worse, better)]

    assert RESULTS.index(results[0]) >= RESULTS.index(results[1])


@given(parameter=NAMED, data=st.data())
def test_without_a_reject_no_reading_rejects(parameter: Parameter, data: st.DataObject) -> None:
    owed = {"base": str(_value(data, parameter))}

    assert judge({parameter.name: _value(data, parameter)}, {parameter.name: owed}) in ("pass", "allowance")


@given(data=st.data())
def test_the_worst_parameter_decides(data: st.DataObject) -> None:
    bases = {parameter.name: _owed(data, parameter) for parameter in PARAMETERS}
    readings = {parameter.name: _value(data, parameter) for parameter in PARAMETERS}
    single = [judge({name: reading}, bases) or "" for name, reading in readings.items()]

    assert judge(readings, bases) == max(single, key=RESULTS.index)


def test_nothing_owed_or_nothing_measured_has_no_result() -> None:
    assert judge({"staple_mm": Decimal(29)}, None) is None
    assert judge({"staple_mm": Decimal(29)}, {"micronaire": {"base": 4}}) is None
    assert judge({"staple_mm": None}, {"staple_mm": {"base": 29}}) is None


@given(document=DOCUMENTS, reading=st.decimals(15, 45, places=1))
def test_no_document_is_too_odd_to_be_judged_or_complained_of(document: dict[str, Any], reading: Decimal) -> None:
    """SQL may have stored anything that is a JSON object."""
    for faults in (misstated, mislimited, misbased):
        assert all(isinstance(fault, str) and fault for fault in faults(document))
    assert judge(dict.fromkeys(BY_NAME, reading), document) in (None, *RESULTS)
