"""The worked examples of docs/MERGE.md: situations of the trade, each run through the policy that decides it.

Owns: the situations.
Must not know: what comes of them; the merge says.
Invariant: every policy has an example, and each is one that its field really has, if any field has it
(tests/unit/test_merge_docs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from conflict.merge import Authored, Outcome, merge
from conflict.policies import UNKNOWN, Highest, Lowest, Policy, Reviewed, Stamp
from erp_core.catalogue import BY_NAME
from erp_core.language import Entity
from sync_server.engine.explaining import sentences
from sync_server.engine.policy_map import policies_of


class Example(NamedTuple):
    """A field of an entity as base, ours and theirs have it; `row`: what else ours says.

    `lead`: by how many minutes theirs was written after ours. `policy`: in place of the field's own, for one that no field has.
    """

    entity: str
    column: str
    base: Any
    ours: Any
    theirs: Any
    row: Mapping[str, Any] = {}
    lead: int = 0
    policy: Policy | None = None

    @property
    def declared_in(self) -> Entity:
        return BY_NAME[self.entity]

    @property
    def decided_by(self) -> Policy:
        return self.policy or policies_of(self.declared_in)[self.column]


class Worked(NamedTuple):
    """What came of it: the value that is kept, whether the change waits, and the sentence; '' if there is nothing to tell."""

    kept: Any
    parked: str | None
    sentence: str


def work(example: Example) -> Worked:
    """Run an example."""
    name = example.column
    ours, theirs = {**example.row, name: example.ours}, {**example.row, name: example.theirs}
    base = None if example.base is UNKNOWN else {**example.row, name: example.base}
    noon = 1_795_000_000_000
    authored = Authored(Stamp(noon + example.lead * 60_000, "phone"), {name: Stamp(noon, "desk")})
    resolution = merge(base, ours, theirs, {name}, {name: example.decided_by}, authored)
    told: tuple[Outcome, ...] = resolution.outcomes
    parked = told[0].parked if told else None
    return Worked(resolution.row[name], parked, sentences(example.declared_in, told, "en"))


def _at(hour: int, minute: int) -> datetime:
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC)


def _lakh(number: str) -> Decimal:
    """Give so many hundreds of thousands of rupees."""
    return Decimal(number) * 100_000


_DRAFT: Final = {"state": "draft"}
_CONFIRMED: Final = {"state": "confirmed"}
_OFFERED: Final = {"bales_offered": 100}

EXAMPLES: Final[tuple[Example, ...]] = (
    Example("availability", "delivery_terms", "ex gin", "ex warehouse", "delivered to mill"),
    Example("availability", "delivery_terms", "ex gin", "ex gin", "delivered to mill"),
    Example("trade", "amount", _lakh("21"), _lakh("22"), _lakh("21.5")),
    Example("dispatch", "departed_at", _at(3, 0), _at(3, 40), _at(3, 30), lead=5),
    Example("dispatch", "departed_at", _at(3, 0), _at(3, 40), _at(3, 30), lead=-5),
    Example("availability", "bales_sold", 10, 40, 30, _OFFERED),
    Example("availability", "bales_sold", 10, 80, 60, _OFFERED),
    Example("availability", "bales_sold", UNKNOWN, 40, 30, _OFFERED),
    Example("business_partner", "kind", ("buyer",), ("buyer", "ginner"), ("broker",)),
    Example("requirement", "price_ceiling_per_candy", _lakh("0.60"), _lakh("0.61"), _lakh("0.62"), policy=Highest()),
    Example("requirement", "price_ceiling_per_candy", _lakh("0.60"), _lakh("0.59"), _lakh("0.58"), policy=Lowest()),
    Example("trade", "remarks", "20 bales, dry", "20 bales, dry and clean", "25 bales, dry"),
    Example("trade", "remarks", "20 bales, dry", "20 bales, damp", "20 bales, wet"),
    Example("dispatch", "state", "planned", "loaded", "delivered"),
    Example("dispatch", "state", "planned", "delivered", "loaded"),
    Example("trade", "state", "confirmed", "cancelled", "in_delivery"),
    Example("trade", "number", None, "T-17", "T-18"),
    Example("trade", "number", "T-17", "T-17", "T-18"),
    Example("trade", "bales", 100, 100, 120, _CONFIRMED),
    Example("trade", "bales", 100, 110, 120, _DRAFT),
    Example("trade", "bales", 100, 100, 120, _DRAFT),
    Example("business_partner", "credit_limit", _lakh("5"), _lakh("5"), _lakh("8"), policy=Reviewed()),
)
"""In the order of the policies of docs/MERGE.md."""
