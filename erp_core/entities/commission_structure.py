"""The commission structure: how a broker is paid.

Owns: its declaration and its rules, and reading it as what the arithmetic wants.
Must not know: how a brokerage is worked out (erp_core/brokerage.py).
Invariant: what was accepted is a structure that the arithmetic takes (tests/unit/test_terms_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from erp_core.access import MEMBER, Access
from erp_core.brokerage import Basis, Slab, Structure
from erp_core.language import ONCE, Entity, Field, Phone, Violation, World
from erp_core.quality import number_of
from erp_core.rules import in_order, when_touched
from erp_core.scopes import Everybody
from erp_core.values import Choice, Day, Document, Flag, Integer, Row, Text
from erp_core.vocabulary import RUPEES

BASES: Final[Mapping[str, Basis]] = {basis.value.replace(" ", "_"): basis for basis in Basis}
MOST_SLABS: Final = 20
"""Agreed slabs are two or three; twenty are more than anybody negotiates."""
MOST_PERCENT: Final = Decimal(100)


def structure_of(row: Row) -> Structure:
    """Read a row as the structure that `erp_core.brokerage.brokerage` takes.

    Raises ValueError for a row that breaks the rules below: SQL may have written it.

    >>> row = {"basis": "percent_of_value", "slabs": {"slabs": [{"above": 0, "rate": "0.5"}]}}
    >>> structure_of(row | {"minimum_amount": None, "buyer_share": 1, "seller_share": 1}).slabs
    (Slab(above=Decimal('0'), rate=Decimal('0.5')),)
    """
    slabs = tuple(_slabs(row["slabs"]))
    minimum = row["minimum_amount"] or Decimal("0.00")
    return Structure(BASES[row["basis"]], slabs, minimum, row["buyer_share"], row["seller_share"])


def _slabs(document: Mapping[str, Any] | None) -> Iterator[Slab]:
    listed = (document or {}).get("slabs")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_SLABS or document is None or len(document) > 1:
        raise ValueError(f'"slabs" lists 1 to {MOST_SLABS} of them')
    for one in listed:
        if not isinstance(one, Mapping) or one.keys() != {"above", "rate"}:
            raise ValueError('each slab has "above" and "rate"')
        above, rate = number_of(one["above"]), number_of(one["rate"])
        if above is None or rate is None:
            raise ValueError('"above" and "rate" are numbers')
        yield Slab(above, rate)


@when_touched("basis", "slabs", "minimum_amount", "buyer_share", "seller_share")
def _can_be_worked_out(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    try:
        structure = structure_of(after)
    except ValueError as fault:
        sentence = f"No brokerage can be worked out of it: {fault}."
        yield Violation("bad_structure", sentence, ("slabs", "buyer_share", "seller_share"))
        return
    if structure.basis is Basis.PERCENT_OF_VALUE and max(slab.rate for slab in structure.slabs) > MOST_PERCENT:
        yield Violation("bad_structure", "A rate is a percentage; it is at most 100.", ("slabs",))


COMMISSION_STRUCTURE = Entity(
    name="commission_structure",
    table="commission_structures",
    title="Commission structure",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=(MEMBER,), create=("setting.update",), update=("setting.update",), delete=("setting.update",)),
    labels=(Everybody(),),
    rules=(_can_be_worked_out, in_order("valid_from", "valid_until")),
    fields=(
        Field("code", Text(20), ONCE, required=True, unique=True),
        Field("name", Text(120), required=True),
        Field("basis", Choice(tuple(BASES)), required=True, default="percent_of_value"),
        Field(
            "slabs",
            Document(4_000),
            required=True,
            help='{"slabs": [{"above": 0, "rate": 0.5}, {"above": 1000000, "rate": 0.25}]}: the rate of what lies above, up to'
            " the next; the first begins at 0",
        ),
        Field("minimum_amount", RUPEES, help="what the broker gets at least"),
        Field("buyer_share", Integer(0, 100), required=True, default=1, help="buyer and seller pay as these two stand"),
        Field("seller_share", Integer(0, 100), required=True, default=1),
        Field("valid_from", Day()),
        Field("valid_until", Day()),
        Field("is_active", Flag(), required=True, default=True),
    ),
)
