"""The unit of measure: how many kilograms a bale, a candy or a quintal is.

Owns: its declaration and its rules.
Must not know: how a conversion is rounded (erp_core/units.py).
Invariant: a factor is positive (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from erp_core.access import EVERYBODY, Access
from erp_core.language import ONCE, Entity, Field, Phone, Violation, World
from erp_core.rules import touched
from erp_core.scopes import Everybody
from erp_core.units import KG_OF
from erp_core.values import Choice, Number, Row, Text


def _known_factor(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    """A unit that the whole trade knows is as large as everywhere; a bale is what its press makes of it."""
    known = KG_OF.get(after["code"]) if after["code"] != "bale" else None
    if known is None or not touched(after, before, "code", "dimension", "factor_to_base"):
        return
    if after["dimension"] != "mass" or after["factor_to_base"] != known:
        sentence = f"A {after['code']} is {known} kg wherever cotton is traded; use another code for another unit."
        yield Violation("known_unit", sentence, ("factor_to_base", "dimension"))


UNIT = Entity(
    name="unit",
    table="units",
    title="Unit",
    access=Access(read=EVERYBODY, create=("unit.manage",), update=("unit.manage",), delete=("unit.manage",)),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(_known_factor,),
    fields=(
        Field("code", Text(40), ONCE, required=True, unique=True),
        Field("name", Text(120), required=True),
        Field("dimension", Choice(("mass", "length", "count", "percentage", "currency")), required=True),
        Field("factor_to_base", Number(15, 6, least=Decimal("0.000001")), required=True),
    ),
)
