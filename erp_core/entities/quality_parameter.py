"""The quality parameter: what is measured of a commodity or one of its varieties, and within which limits.

Owns: its declaration and its rules.
Must not know: contracts; they state their own bases.
Invariant: the lower limit is at or below the upper one, and both can be measured (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from erp_core.access import EVERYBODY, Access
from erp_core.language import DERIVED, ONCE, Entity, Field, Gather, Phone, Violation, World
from erp_core.quality import BY_NAME as QUALITIES
from erp_core.rules import in_order, variety_of_commodity, when_touched
from erp_core.scopes import Everybody
from erp_core.values import Choice, Flag, Integer, Number, Reference, Row, Text, Value

LIMIT = Number(6, 2)
"""Wide enough for every parameter; each has its own range and decimals (erp_core/quality.py)."""
LIMITS = ("limit_min", "limit_max")
OF = ("commodity_id", "variety_id", "parameter")


def _unit(row: Row, _: World) -> Mapping[str, Value]:
    parameter = QUALITIES.get(row["parameter"])
    return {"unit": (parameter.type.unit or None) if parameter else None}


@when_touched("parameter", *LIMITS)
def _measurable(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    kind = QUALITIES[after["parameter"]].type
    for name in LIMITS:
        limit = after[name]
        if limit is not None and not kind.least <= limit <= kind.ceiling:
            sentence = f"{after['parameter']} is between {kind.least} and {kind.ceiling} {kind.unit}".rstrip()
            yield Violation("not_measurable", f"{sentence}; {limit} would never be met.", (name,))


@when_touched("parameter", "decimals")
def _as_exact_as_measured(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    places = QUALITIES[after["parameter"]].type.places
    if after["decimals"] > places:
        sentence = f"{after['parameter']} is kept with {places} decimals; {after['decimals']} cannot be shown."
        yield Violation("too_exact", sentence, ("decimals",))


@when_touched(*OF)
def _once(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """The key of the table passes over an empty variety; this does not."""
    listed = world.siblings("quality_parameter", "commodity_id", after["commodity_id"])
    if sum(all(row[name] == after[name] for name in OF) for row in listed) > 1:
        yield Violation("already_there", f"{after['parameter']} has its limits there already; change those.", OF)


QUALITY_PARAMETER = Entity(
    name="quality_parameter",
    table="quality_parameters",
    title="Quality parameter",
    since=3,
    phone=Phone.DOWN,
    access=Access(
        read=EVERYBODY, create=("commodity.manage",), update=("commodity.manage",), delete=("commodity.manage",)
    ),
    labels=(Everybody(),),
    rules=(variety_of_commodity, in_order(*LIMITS), _measurable, _as_exact_as_measured, _once),
    derive=_unit,
    gathers=(Gather("quality_parameter", "commodity_id", "commodity_id"),),
    fields=(
        Field("commodity_id", Reference("commodity"), ONCE, required=True),
        Field("variety_id", Reference("variety"), ONCE, help="empty: of every variety that has none of its own"),
        Field("parameter", Choice(tuple(QUALITIES)), ONCE, required=True),
        Field("unit", Text(10), DERIVED, help="in which it is measured"),
        Field("limit_min", LIMIT),
        Field("limit_max", LIMIT),
        Field("is_mandatory", Flag(), required=True, default=False, help="an inspection without it is not complete"),
        Field("decimals", Integer(0, 2), required=True, default=1),
    ),
    uniques=(OF,),
)
