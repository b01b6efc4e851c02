"""Net weight: from the weighbridge to the weight that is paid, and the difference to what was contracted.

Owns: tare, samples, the correction for moisture, the tolerance on weight; what a contract's document says of them.
Must not know: entities.
Invariant: the lines add up to the payable weight (tests/properties/test_net_weight.py).

All weights in kilograms. Each line is rounded once, half to even, to ten grams, as a weighbridge slip's figures are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from erp_core.quality import number_of
from erp_core.rates import rounded
from erp_core.units import CANDY_KG

PLACES: Final = 2


@dataclass(frozen=True, slots=True)
class Weighing:
    """What was weighed: the loaded and the empty lorry, what hoops and cloth weigh on each bale, what was drawn as samples.

    `moisture_pct` was measured, of the wet weight; None: not measured. Raises ValueError for weights that cannot be.
    """

    gross_kg: Decimal
    tare_kg: Decimal
    bales: int
    packing_per_bale_kg: Decimal = Decimal(0)
    samples_kg: Decimal = Decimal(0)
    moisture_pct: Decimal | None = None

    def __post_init__(self) -> None:
        if not self.gross_kg > self.tare_kg > 0:
            raise ValueError("gross is above tare, and tare above 0")
        if self.bales < 0 or self.packing_per_bale_kg < 0 or self.samples_kg < 0:
            raise ValueError("bales, packing and samples are 0 or more")
        if self.moisture_pct is not None and not 0 <= self.moisture_pct < 100:
            raise ValueError("moisture is a share of the weight")


@dataclass(frozen=True, slots=True)
class WeightLine:
    """One line: `what` is gross, tare, packing, samples or moisture; `kg` below 0 is taken off."""

    what: str
    kg: Decimal


@dataclass(frozen=True, slots=True)
class NetWeight:
    """The payable weight with its lines, which add up to it."""

    payable_kg: Decimal
    lines: tuple[WeightLine, ...]


def net_weight(weighing: Weighing, *, moisture_base_pct: Decimal | None = None, credit_dry: bool = False) -> NetWeight:
    """Work out the weight that is paid. Lint wetter than `moisture_base_pct` is paid as if dried to it: the dry matter
    stays, so the factor is (100 - measured) / (100 - base). Drier lint is paid as more only with `credit_dry`.

    100 bales with 0.9 kg of hoops and cloth each, at 9.5 % where 8.5 % is agreed (assumed figures):

    >>> slip = Weighing(Decimal(26540), Decimal(9450), 100, Decimal("0.9"), Decimal(5), Decimal("9.5"))
    >>> found = net_weight(slip, moisture_base_pct=Decimal("8.5"))
    >>> found.payable_kg, [(line.what, str(line.kg)) for line in found.lines][-1]
    (Decimal('16809.26'), ('moisture', '-185.74'))
    """
    lines = [
        WeightLine("gross", rounded(weighing.gross_kg, PLACES)),
        WeightLine("tare", rounded(-weighing.tare_kg, PLACES)),
        WeightLine("packing", rounded(-weighing.bales * weighing.packing_per_bale_kg, PLACES)),
        WeightLine("samples", rounded(-weighing.samples_kg, PLACES)),
    ]
    lint = max(sum((line.kg for line in lines), Decimal(0)), Decimal(0))
    if moisture_base_pct is not None and weighing.moisture_pct is not None:
        factor = (100 - Fraction(weighing.moisture_pct)) / (100 - Fraction(moisture_base_pct))
        if factor < 1 or credit_dry:
            lines.append(WeightLine("moisture", rounded(Fraction(lint) * (factor - 1), PLACES)))
    return NetWeight(sum((line.kg for line in lines), Decimal(0)), tuple(lines))


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """What was delivered against what was contracted, in kg: `difference` = delivered - contracted, of which `settled` (what
    lies beyond the tolerance, if anything does) moves money: `rupees`, below 0 when the seller is paid less."""

    contracted_kg: Decimal
    delivered_kg: Decimal
    difference_kg: Decimal
    settled_kg: Decimal
    rupees: Decimal


def weight_difference(
    contracted_kg: Decimal, delivered_kg: Decimal, price_per_candy: Decimal, *, tolerance_pct: Decimal = Decimal(0)
) -> WeightDifference:
    """Settle a difference of weight at the contract's price. Within the tolerance nothing moves; beyond it, only what lies
    beyond (assumed: contracts differ, and one that settles all of it has a tolerance of 0).

    >>> weight_difference(Decimal(17000), Decimal("16809.26"), Decimal(62000), tolerance_pct=Decimal("0.5")).rupees
    Decimal('-18435.07')
    """
    difference = delivered_kg - contracted_kg
    free = Fraction(contracted_kg) * Fraction(tolerance_pct) / 100
    beyond = max(abs(Fraction(difference)) - free, Fraction(0)) * (-1 if difference < 0 else 1)
    settled = rounded(beyond, PLACES)
    rupees = rounded(Fraction(settled) * Fraction(price_per_candy) / Fraction(CANDY_KG))
    return WeightDifference(contracted_kg, delivered_kg, difference, settled, rupees)


# --- What a contract says of it -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WeightTerms:
    """How a contract pays weight. `moisture_base_pct` None: as it is weighed; `credit_dry`: drier lint is paid as more."""

    tolerance_pct: Decimal = Decimal(0)
    packing_per_bale_kg: Decimal = Decimal(0)
    moisture_base_pct: Decimal | None = None
    credit_dry: bool = False


_MOST: Final[Mapping[str, Decimal]] = {
    "tolerance_pct": Decimal(10),
    "packing_kg": Decimal(20),
    "moisture_pct": Decimal(30),
}
"""Parts of the document that are numbers, and what is more than anybody agrees on."""


def weight_terms(document: Mapping[str, Any] | None) -> WeightTerms:
    """Read what a contract says of weight. Parts that cannot be read are passed over: a rule keeps them out, SQL does not.

    >>> weight_terms({"tolerance_pct": 0.5, "packing_kg": "0.9"}).packing_per_bale_kg
    Decimal('0.9')
    """
    said = document or {}
    tolerance, packing, moisture = (_part(name, said.get(name)) for name in _MOST)
    return WeightTerms(tolerance or Decimal(0), packing or Decimal(0), moisture, said.get("credit_dry") is True)


def misweighed(document: Mapping[str, Any] | None) -> Iterator[str]:
    """Name what is wrong with what a contract says of weight.

    >>> list(misweighed({"tolerance_pct": 50}))
    ['tolerance_pct is 50; it must be a number between 0 and 10']
    """
    for name, plain in (document or {}).items():
        if name == "credit_dry":
            if not isinstance(plain, bool):
                yield f"{name} is {plain!r}; it must be true or false"
        elif name not in _MOST:
            yield f"{name} is not known; known are {', '.join((*_MOST, 'credit_dry'))}"
        elif _part(name, plain) is None:
            yield f"{name} is {plain!r}; it must be a number between 0 and {_MOST[name]}"


def _part(name: str, plain: Any) -> Decimal | None:
    value = number_of(plain)
    return value if value is not None and 0 <= value <= _MOST[name] else None
