"""Quality of lint: the parameters that are measured, their limits, and what readings mean against a contract.

Owns: the table of parameters, the form in which limits are agreed, and the verdict on readings.
Must not know: entities.
Invariant: readings within their bases pass, one beyond its allowance rejects the lot (tests/unit/test_quality.py).

Limits are agreed as a JSON object of `<parameter>_min`, `<parameter>_max` and `<parameter>_allowance` (how far beyond
them a reading only lowers the price); numbers, or decimals in a string: `{"staple_mm_min": "28.5", "trash_pct_max": 3.5}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, TypeAlias

from erp_core.values import Number, Row

Limits: TypeAlias = Mapping[str, Any]
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One measured property: its field name (with its unit, where it has one), and its type with physical bounds."""

    name: str
    type: Number


def _parameter(name: str, unit: str, digits: int, places: int, least: int, most: int) -> Parameter:
    return Parameter(name, Number(digits, places, unit, Decimal(least), Decimal(most)))


PARAMETERS: Final = (
    _parameter("staple_mm", "mm", 4, 1, 15, 45),
    _parameter("micronaire", "µg/in", 4, 2, 2, 8),
    _parameter("strength_g_tex", "g/tex", 4, 1, 10, 60),
    _parameter("moisture_pct", "%", 5, 2, 0, 30),
    _parameter("trash_pct", "%", 5, 2, 0, 30),
    _parameter("rd", "%", 4, 1, 40, 95),
    _parameter("plus_b", "", 4, 1, 2, 25),
    _parameter("short_fibre_index", "%", 4, 1, 0, 50),
)
"""Wider than what is traded (staple 20–40 mm, micronaire 2.5–7), so that bad cotton can be written down and a slip of the
decimal point cannot. Names and units as HVI instruments print them (ASTM D5867): staple is the UHML or the 2.5 % span."""

BY_NAME: Final[Mapping[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}
SIDES: Final = ("min", "max", "allowance")


class Result(Enum):
    """What an inspection means for the contract, from good to bad: the agreed price, a lower one, none."""

    PASS = "pass"  # noqa: S105 - a lot passes
    ALLOWANCE = "allowance"
    REJECT = "reject"


def faults_of(limits: Limits | None) -> Iterator[str]:
    """Say what is wrong with agreed limits, one part of a sentence each."""
    for key, plain in (limits or {}).items():
        name, _, side = key.rpartition("_")
        parameter, value = BY_NAME.get(name), _number(plain)
        if parameter is None or side not in SIDES:
            yield f"{key} is not a limit; {', '.join(f'<parameter>_{side}' for side in SIDES)} of a known parameter are"
        elif value is None or value < ZERO or value > parameter.type.ceiling:
            yield f"{key} is {plain}; a number up to {parameter.type.ceiling} is needed"
    for name in BY_NAME:
        least, most = _limit(limits, name, "min"), _limit(limits, name, "max")
        if least is not None and most is not None and least > most:
            yield f"{name}_min is above {name}_max"


def judge(readings: Row, limits: Limits | None) -> Result | None:
    """Judge readings (parameter -> Decimal or None) against agreed limits; None if nothing of what they limit was measured.

    The worst parameter decides. Without an allowance, a reading outside its limits rejects.

    >>> judge({"staple_mm": Decimal("28.7")}, {"staple_mm_min": "29", "staple_mm_allowance": "0.5"})
    <Result.ALLOWANCE: 'allowance'>
    """
    order = tuple(Result)
    found = [result for name in BY_NAME if (result := _of_one(name, readings.get(name), limits)) is not None]
    return max(found, key=order.index, default=None)


def _of_one(name: str, reading: Decimal | None, limits: Limits | None) -> Result | None:
    least, most = _limit(limits, name, "min"), _limit(limits, name, "max")
    if reading is None or (least is None and most is None):
        return None
    miss = max(ZERO if least is None else least - reading, ZERO if most is None else reading - most)
    if miss <= ZERO:
        return Result.PASS
    return Result.ALLOWANCE if miss <= (_limit(limits, name, "allowance") or ZERO) else Result.REJECT


def _limit(limits: Limits | None, name: str, side: str) -> Decimal | None:
    return _number((limits or {}).get(f"{name}_{side}"))


def _number(plain: Any) -> Decimal | None:
    """Read a number of a JSON document; None if it is none."""
    if isinstance(plain, bool) or not isinstance(plain, (int, float, str)):
        return None
    try:
        exact = Decimal(str(plain))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None
