"""The commodity: lint, seed cotton and what else is traded, with its units and its tax.

Owns: its declaration and its rules.
Must not know: prices.
Invariant: its HSN code has 4, 6 or 8 digits (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from erp_core.access import EVERYBODY, Access
from erp_core.language import BAG, Entity, Field, Phone, Violation, World
from erp_core.rules import touched
from erp_core.scopes import Everybody
from erp_core.values import Choice, Flag, Number, Reference, Row, Text, Words
from erp_core.vocabulary import PERCENT


def _units_compare(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """What it is weighed in and what it is priced by measure the same thing, or no price could be worked out."""
    base, rate = world.get("unit", after["base_unit_id"]), world.get("unit", after["rate_unit_id"])
    if base is None or rate is None or not touched(after, before, "base_unit_id", "rate_unit_id"):
        return
    if base["dimension"] != rate["dimension"]:
        sentence = (
            f"It is weighed in {base['name']} ({base['dimension']}) and priced by {rate['name']} ({rate['dimension']})."
        )
        yield Violation("units_do_not_compare", sentence, ("base_unit_id", "rate_unit_id"))


GOODS = ("commodity.manage",)
"""What the goods are; their tax is the accountant's too."""

COMMODITY = Entity(
    name="commodity",
    table="commodities",
    title="Commodity",
    access=Access(read=EVERYBODY, create=GOODS, update=("commodity.manage", "tax.manage"), delete=GOODS),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(_units_compare,),
    fields=(
        Field("name", Text(120), required=True, unique=True, write=GOODS),
        Field(
            "category",
            Choice(("lint", "seed_cotton", "cotton_seed", "waste", "yarn", "oil_cake")),
            required=True,
            write=GOODS,
        ),
        Field("hsn", Text(8, re.compile("[0-9]{4}([0-9]{2}){0,2}"), "5201"), required=True),
        Field("base_unit_id", Reference("unit"), required=True, write=GOODS),
        Field("trade_unit_id", Reference("unit"), required=True, write=GOODS),
        Field("rate_unit_id", Reference("unit"), required=True, write=GOODS),
        Field("standard_weight_kg", Number(10, 3, "kg", Decimal("0.001")), write=GOODS),
        Field("gst_rate_pct", PERCENT, required=True),
        Field("grades", Words(), BAG, required=True, default=(), write=GOODS),
        Field("is_active", Flag(), required=True, default=True, write=GOODS),
    ),
)
