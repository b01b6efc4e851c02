"""The conversion of units: how many of one unit another is, of everything or of one commodity.

Owns: its declaration and its rules.
Must not know: how a converted quantity is rounded (erp_core/units.py).
Invariant: there and back again gives what one began with, as far as the decimals allow (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from erp_core.access import EVERYBODY, Access
from erp_core.language import ONCE, Entity, Field, Gather, Phone, Violation, World
from erp_core.rules import when_touched
from erp_core.scopes import Everybody
from erp_core.values import Number, Reference, Row

PLACES: Final = 8
FACTOR: Final = Number(15, PLACES, least=Decimal("0.00000001"))
UNIT_STEP: Final = Decimal("0.000001")
"""The last place of a unit's own factor."""
PAIR: Final = ("from_unit_id", "to_unit_id", "commodity_id")


@when_touched(*PAIR)
def _two_units(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    if after["from_unit_id"] == after["to_unit_id"]:
        yield Violation("one_unit", "A unit is one of itself; name two units.", ("from_unit_id", "to_unit_id"))
        return
    same = [row for row in world.siblings("unit_conversion", "from_unit_id", after["from_unit_id"]) if _as(row, after)]
    if len(same) > 1:
        yield Violation("already_there", "There is a conversion of these units already; change that one.", PAIR)


def _as(row: Row, after: Row) -> bool:
    return all(row[name] == after[name] for name in PAIR)


@when_touched(*PAIR, "factor")
def _as_the_units_say(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """What holds for everything follows from the units; of one commodity a bale is what its press makes of it."""
    unit, into = world.get("unit", after["from_unit_id"]), world.get("unit", after["to_unit_id"])
    if unit is None or into is None or after["commodity_id"] is not None:
        return
    if unit["dimension"] != into["dimension"]:
        sentence = f"How many {into['name']} a {unit['name']} is depends on the goods; say of which commodity."
        yield Violation("units_do_not_compare", sentence, ("commodity_id",))
        return
    said, known = after["factor"] * into["factor_to_base"], unit["factor_to_base"]
    if abs(said - known) > into["factor_to_base"] * FACTOR.step + (1 + after["factor"]) * UNIT_STEP:
        exact = (known / into["factor_to_base"]).quantize(FACTOR.step)
        sentence = f"By their own factors a {unit['name']} is {exact} {into['name']}; correct the factor or the unit."
        yield Violation("not_as_the_units", sentence, ("factor",))


@when_touched(*PAIR, "factor")
def _both_ways(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    for back in world.siblings("unit_conversion", "from_unit_id", after["to_unit_id"]):
        if back["to_unit_id"] != after["from_unit_id"] or back["commodity_id"] != after["commodity_id"]:
            continue
        there, again = after["factor"], back["factor"]
        if abs(there * again - 1) > (there + again) * FACTOR.step:
            exact = (1 / again).quantize(FACTOR.step)
            sentence = f"The way back is {again}, so this one is {exact}; correct one of the two."
            yield Violation("not_both_ways", sentence, ("factor",))


UNIT_CONVERSION = Entity(
    name="unit_conversion",
    table="unit_conversions",
    title="Unit conversion",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=EVERYBODY, create=("unit.manage",), update=("unit.manage",), delete=("unit.manage",)),
    labels=(Everybody(),),
    rules=(_two_units, _as_the_units_say, _both_ways),
    # Both units are held: whoever writes the way back meanwhile waits.
    gathers=(
        Gather("unit_conversion", "from_unit_id", "from_unit_id"),
        Gather("unit_conversion", "from_unit_id", "to_unit_id"),
    ),
    fields=(
        Field("from_unit_id", Reference("unit"), ONCE, required=True),
        Field("to_unit_id", Reference("unit"), ONCE, required=True),
        Field("commodity_id", Reference("commodity"), ONCE, help="empty: of everything"),
        Field("factor", FACTOR, required=True, help="how many of the second unit the first one is"),
    ),
    uniques=(PAIR,),
)
