"""Quality of lint: the parameters that are measured, their limits, and what readings mean against a contract.

Owns: the table of parameters, the three documents that speak of them, and the verdict on readings.
Must not know: entities.
Invariant: readings at their bases pass, a worse reading never gives a better result (tests/properties/test_quality.py).

The documents, each a JSON object of parameter -> what is said of it; a number may be written as one or as a text:

    what a seller states   {"staple_mm": 29, "micronaire": "4.1"}
    what a buyer accepts   {"staple_mm": {"min": 28.5}, "micronaire": {"min": 3.6, "max": 4.8}}
    what a contract owes   {"staple_mm": {"base": 29, "allowance": 0.5, "reject": 1.5}}

In a contract `base` is the reading that is owed, `allowance` how far a reading may miss it and still be paid in full (none
given: 0), and `reject` how far it may miss it before the lot can be rejected (none given: never); between the two the price
is lowered by an allowance. All are in the parameter's own unit. To miss is to fall short of the base where more is better,
to exceed it where less is better, and to be off to either side in the case of micronaire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

from erp_core.values import Number


class Wanted(Enum):
    """On which side of its base a reading is good."""

    AT_LEAST = "at least"
    AT_MOST = "at most"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One measured property: its field name (with its unit, where it has one), type and limits, and the good side."""

    name: str
    type: Number
    wanted: Wanted

    def miss(self, base: Decimal, reading: Decimal) -> Decimal:
        """Say by how much `reading` misses `base`; zero or less is good."""
        if self.wanted is Wanted.AT_LEAST:
            return base - reading
        return reading - base if self.wanted is Wanted.AT_MOST else abs(reading - base)

    def holds(self, value: Decimal) -> bool:
        """Say whether lint can have this value at all."""
        return self.type.least <= value <= self.type.ceiling


def _parameter(name: str, unit: str, digits: int, places: int, least: int, most: int, wanted: Wanted) -> Parameter:
    return Parameter(name, Number(digits, places, unit, Decimal(least), Decimal(most)), wanted)


PARAMETERS: Final = (
    _parameter("staple_mm", "mm", 4, 1, 15, 45, Wanted.AT_LEAST),
    _parameter("micronaire", "µg/in", 4, 2, 2, 8, Wanted.NEAR),
    _parameter("strength_g_tex", "g/tex", 4, 1, 10, 60, Wanted.AT_LEAST),
    _parameter("moisture_pct", "%", 5, 2, 0, 30, Wanted.AT_MOST),
    _parameter("trash_pct", "%", 5, 2, 0, 30, Wanted.AT_MOST),
    _parameter("rd", "%", 4, 1, 40, 95, Wanted.AT_LEAST),
    _parameter("plus_b", "", 4, 1, 2, 25, Wanted.AT_MOST),
    _parameter("short_fibre_index", "%", 4, 1, 0, 50, Wanted.AT_MOST),
)
"""Wider than what is traded (staple 20–40 mm, micronaire 2.5–7), so that bad cotton can be written down and a slip of the
decimal point cannot. Names and units as HVI instruments print them (ASTM D5867): staple is the UHML or the 2.5 % span."""

BY_NAME: Final[Mapping[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}


RESULTS: Final = ("pass", "allowance", "reject")
"""What an inspection means for the contract, from good to bad: full price, a lower price, or none."""


def judge(readings: Mapping[str, Decimal | None], bases: Mapping[str, Any] | None) -> str | None:
    """Judge readings against what a contract owes; the worst parameter decides.

    None if nothing of what it owes was measured. Parts of `bases` that cannot be read are passed over: a rule of the trade
    keeps them out, SQL does not.

    >>> owed = {"staple_mm": {"base": 29, "allowance": 0.5, "reject": 1.5}, "trash_pct": {"base": 3}}
    >>> [judge({"staple_mm": Decimal(mm)}, owed)for mm in ("28.5", "28.4", "27.5", "27.4")]
    ['pass', 'allowance', 'allowance', 'reject']
    """
    found = [
        _judge_one(parameter, owed, reading)
        for name, owed in (bases or {}).items()
        if (parameter := BY_NAME.get(name)) is not None and isinstance(owed, Mapping)
        if (reading := readings.get(name)) is not None and number_of(owed.get("base")) is not None
    ]
    return max(found, key=RESULTS.index, default=None)


def _judge_one(parameter: Parameter, owed: Mapping[str, Any], reading: Decimal) -> str:
    base, allowance, reject = (number_of(owed.get(part)) for part in ("base", "allowance", "reject"))
    assert base is not None
    miss = parameter.miss(base, reading)
    if miss <= (allowance or 0):
        return "pass"
    return "allowance" if reject is None or miss <= reject else "reject"


# --- What is wrong with a document ------------------------------------------------------------------------------------


def misstated(document: Mapping[str, Any] | None) -> Iterator[str]:
    """Name what is wrong with what a seller states."""
    for parameter, plain in _parts(document):
        if isinstance(parameter, str):
            yield parameter
        elif not _is_value(parameter, plain):
            yield _range(parameter, "", plain)


def mislimited(document: Mapping[str, Any] | None) -> Iterator[str]:
    """Name what is wrong with what a buyer accepts."""
    for parameter, plain in _parts(document):
        if isinstance(parameter, str):
            yield parameter
        elif not isinstance(plain, Mapping) or not plain or not plain.keys() <= {"min", "max"}:
            yield f'{parameter.name} needs "min", "max" or both'
        else:
            yield from (_range(parameter, part, v) for part, v in plain.items() if not _is_value(parameter, v))
            low, high = number_of(plain.get("min")), number_of(plain.get("max"))
            if low is not None and high is not None and low > high:
                yield f"{parameter.name} has a min above its max"


def misbased(document: Mapping[str, Any] | None) -> Iterator[str]:
    """Name what is wrong with what a contract owes."""
    for parameter, plain in _parts(document):
        if isinstance(parameter, str):
            yield parameter
        elif (
            not isinstance(plain, Mapping) or "base" not in plain or not plain.keys() <= {"base", "allowance", "reject"}
        ):
            yield f'{parameter.name} needs a "base", and may have an "allowance" and a "reject"'
        elif not _is_value(parameter, plain["base"]):
            yield _range(parameter, "base", plain["base"])
        else:
            allowance, reject = (number_of(plain.get(part, 0)) for part in ("allowance", "reject"))
            if allowance is None or reject is None or allowance < 0 or reject < 0:
                yield f"{parameter.name}: allowance and reject are distances from the base, 0 or more"
            elif "reject" in plain and allowance > reject:
                yield f"{parameter.name} has an allowance beyond its reject"


def _parts(document: Mapping[str, Any] | None) -> Iterator[tuple[Parameter | str, Any]]:
    """Give each known parameter with what is said of it; for an unknown one a complaint in its place."""
    for name, plain in (document or {}).items():
        yield BY_NAME.get(name, f"{name} is not measured; known are {', '.join(BY_NAME)}"), plain


def number_of(plain: Any) -> Decimal | None:
    """Read a number of a JSON document, written as a number or as a text; None if it is none.

    >>> number_of(28.5), number_of("28.5"), number_of(True), number_of("long")
    (Decimal('28.5'), Decimal('28.5'), None, None)
    """
    if isinstance(plain, bool) or not isinstance(plain, (int, float, str)):
        return None
    try:
        exact = Decimal(str(plain))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None


def _is_value(parameter: Parameter, plain: Any) -> bool:
    value = number_of(plain)
    return value is not None and parameter.holds(value)


def _range(parameter: Parameter, part: str, plain: Any) -> str:
    what = f"{parameter.name} {part}".strip()
    return f"{what} is {plain!r}; it must be a number between {parameter.type.least} and {parameter.type.ceiling}"
