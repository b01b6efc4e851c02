"""Quality in money: what readings add to and take from the price that was agreed, parameter by parameter.

Owns: the scales, their steps, the breakdown and the mean of several samples; what a contract's document says of them.
Must not know: entities. What misses a base and what rejects, quality.py says.
Invariant: the lines add up to the total; a worse reading is never worth more (tests/properties/test_premiums.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from erp_core.quality import BY_NAME, judge, misbased, number_of
from erp_core.rates import rounded


@dataclass(frozen=True, slots=True)
class Step:
    """Off by up to this much (in the parameter's unit) the price moves by so many per cent in all, not in addition."""

    up_to: Decimal
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Scale:
    """The steps for one parameter, ascending: down for what misses its allowance, up for what beats its base.

    Beyond the last step down the last one holds, until the contract's reject is reached; before the first step up there is
    no premium, and each step up is reached only in full. Raises ValueError if steps do not ascend or fall back.
    """

    down: Sequence[Step] = ()
    up: Sequence[Step] = ()

    def __post_init__(self) -> None:
        for steps in (self.down, self.up):
            if any(step.up_to <= 0 or step.percent < 0 for step in steps):
                raise ValueError("a step is a distance above 0 with a per cent of 0 or more")
            if any(one.up_to >= next_.up_to or one.percent > next_.percent for one, next_ in pairwise(steps)):
                raise ValueError("steps ascend")


MICRONAIRE_2012: Final = Scale(
    down=tuple(
        Step(Decimal(up_to), Decimal(percent))
        for up_to, percent in (("0.1", "0.5"), ("0.2", "1"), ("0.3", "2"), ("0.4", "3"), ("0.5", "4"))
    )
)
"""An example of a published scale: allowances of the grade and staple margins of the second half of September 2012 for
upland cotton in Pakistan (cotonservicecorporation.blogspot.com/2012/09). A contract brings its own."""


# --- What a contract says of it -----------------------------------------------------------------------------------------

STEPS: Final = ("down", "up")
MOST_STEPS: Final = 20


def scales_of(bases: Mapping[str, Any] | None) -> Mapping[str, Scale]:
    """Read the scales that a contract states beside its bases; what cannot be read moves nothing, as in quality.judge.

    >>> owed = {"micronaire": {"base": 3.8, "down": [{"up_to": 0.1, "percent": 0.5}]}}
    >>> scales_of(owed)["micronaire"].down
    (Step(up_to=Decimal('0.1'), percent=Decimal('0.5')),)
    """
    found = {}
    for name, owed in (bases or {}).items():
        if isinstance(owed, Mapping) and not list(_misstepped(name, owed)):
            found[name] = _scale(owed)
    return found


def misagreed(document: Mapping[str, Any] | None) -> Iterator[str]:
    """Name what is wrong with what a contract owes: its bases (quality.misbased) and the steps beside them.

    >>> list(misagreed({"micronaire": {"base": 3.8, "down": [{"up_to": 0.2, "percent": 1}, {"up_to": 0.1, "percent": 2}]}}))
    ['micronaire: steps ascend']
    """
    plain = {
        name: {part: said for part, said in owed.items() if part not in STEPS} if isinstance(owed, Mapping) else owed
        for name, owed in (document or {}).items()
    }
    yield from misbased(plain)
    for name, owed in (document or {}).items():
        if isinstance(owed, Mapping):
            yield from _misstepped(name, owed)


def _misstepped(name: str, owed: Mapping[str, Any]) -> Iterator[str]:
    for part in STEPS:
        listed = owed.get(part, [])
        if not isinstance(listed, list) or len(listed) > MOST_STEPS or any(_step(one) is None for one in listed):
            yield f'{name}: "{part}" lists at most {MOST_STEPS} steps, each with "up_to" and "percent", numbers of 0 to 100'
            return
    try:
        _scale(owed)
    except ValueError as fault:
        yield f"{name}: {fault}"


def _scale(owed: Mapping[str, Any]) -> Scale:
    down, up = (tuple(step for one in owed.get(part, ()) if (step := _step(one)) is not None) for part in STEPS)
    return Scale(down, up)


def _step(plain: Any) -> Step | None:
    if not isinstance(plain, Mapping) or plain.keys() != {"up_to", "percent"}:
        return None
    up_to, percent = number_of(plain["up_to"]), number_of(plain["percent"])
    return None if up_to is None or percent is None or not 0 <= percent <= 100 or up_to > 100 else Step(up_to, percent)


# --- What it comes to ---------------------------------------------------------------------------------------------------


class Effect(Enum):
    """What a reading does to the price."""

    NONE = "none"
    DISCOUNT = "discount"
    PREMIUM = "premium"
    REJECT = "reject"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One parameter's part: `off` is how far it is beyond the allowance (or, for a premium, better than the base), in the
    parameter's unit; `percent` and `rupees` are below 0 for a discount. A reject has no price: 0, and people decide."""

    parameter: str
    base: Decimal
    reading: Decimal | None
    off: Decimal
    effect: Effect
    percent: Decimal
    rupees: Decimal


@dataclass(frozen=True, slots=True)
class QualityValue:
    """What quality does to a value: its lines in the contract's order and their total in rupees, below 0 for a discount."""

    lines: tuple[QualityLine, ...]
    total: Decimal
    rejected: bool


def quality_value(
    value: Decimal,
    readings: Mapping[str, Decimal | None],
    bases: Mapping[str, Any],
    scales: Mapping[str, Scale],
) -> QualityValue:
    """Work out what `readings` do to `value` rupees under a contract's `bases` (quality.py) and `scales` by parameter.

    Per cents are of the agreed value, each line rounded once, to the paisa; parameters without a scale move nothing.
    Parts of `bases` that cannot be read are passed over, as in quality.judge. A lot of 10 lakh, micronaire 3.25 where 3.8
    with 0.3 is owed:

    >>> owed = {"micronaire": {"base": "3.8", "allowance": "0.3", "reject": "1"}}
    >>> found = quality_value(Decimal(1000000), {"micronaire": Decimal("3.25")}, owed, {"micronaire": MICRONAIRE_2012})
    >>> found.total, found.lines[0].off, found.lines[0].percent
    (Decimal('-20000.00'), Decimal('0.25'), Decimal('-2'))
    """
    lines = tuple(
        _line(value, name, owed, base, readings.get(name), scales.get(name, Scale()))
        for name, owed in bases.items()
        if name in BY_NAME and isinstance(owed, Mapping) and (base := number_of(owed.get("base"))) is not None
    )
    total = sum((line.rupees for line in lines), Decimal("0.00"))
    return QualityValue(lines, total, any(line.effect is Effect.REJECT for line in lines))


def _line(
    value: Decimal, name: str, owed: Mapping[str, Any], base: Decimal, reading: Decimal | None, scale: Scale
) -> QualityLine:
    nothing = Decimal("0.00")
    if reading is None:
        return QualityLine(name, base, None, Decimal(0), Effect.UNMEASURED, Decimal(0), nothing)
    miss = BY_NAME[name].miss(base, reading)
    beyond = miss - (number_of(owed.get("allowance")) or 0)
    if judge({name: reading}, {name: owed}) == "reject":
        return QualityLine(name, base, reading, beyond, Effect.REJECT, Decimal(0), nothing)
    percent = _down(scale, beyond) if beyond > 0 else _up(scale, -miss)
    effect = Effect.DISCOUNT if percent < 0 else Effect.PREMIUM if percent > 0 else Effect.NONE
    off = max(beyond, -miss, Decimal(0))
    return QualityLine(name, base, reading, off, effect, percent, rounded(Fraction(value) * Fraction(percent) / 100))


def _down(scale: Scale, beyond: Decimal) -> Decimal:
    reached = next((step for step in scale.down if beyond <= step.up_to), scale.down[-1] if scale.down else None)
    return -reached.percent if reached else Decimal(0)


def _up(scale: Scale, better: Decimal) -> Decimal:
    return max((step.percent for step in scale.up if step.up_to <= better), default=Decimal(0))


def mean_reading(parameter: str, samples: Sequence[tuple[Decimal, int]]) -> Decimal | None:
    """Give the mean of (reading, bales it stands for), rounded half to even to the places that the parameter has; None
    without a bale. Raises KeyError for an unknown parameter.

    >>> mean_reading("micronaire", ((Decimal("4.1"), 60), (Decimal("3.8"), 40)))
    Decimal('3.98')
    """
    bales = sum(count for _, count in samples)
    if bales <= 0:
        return None
    whole = sum((Fraction(reading) * count for reading, count in samples), Fraction(0))
    return rounded(whole / bales, BY_NAME[parameter].type.places)
