"""The weighment: a slip of the weighbridge, of a lorry or of a lot that is inspected.

Owns: its declaration and its rules.
Must not know: prices, tolerances (erp_core/net_weight.py).
Invariant: gross > tare > 0, net is their difference, and a slip never changes (tests/unit/test_sample_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from erp_core.access import Access
from erp_core.language import DERIVED, ONCE, Deletion, Entity, Field, Urgency, Violation, World
from erp_core.rules import when_touched
from erp_core.scopes import Follows
from erp_core.values import Instant, Number, Reference, Row, Text, Value

SLIP_KG = Number(10, 2, "kg")


def _net(row: Row, _: World) -> Mapping[str, Value]:
    gross, tare = row["gross_kg"], row["tare_kg"]
    return {"net_kg": gross - tare if gross > tare > 0 else None}


@when_touched("inspection_id", "dispatch_id")
def _of_one(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if (after["inspection_id"] is None) == (after["dispatch_id"] is None):
        sentence = "Say what was weighed: a lorry or a lot that is inspected, one of the two."
        yield Violation("of_one", sentence, ("inspection_id", "dispatch_id"))


@when_touched("gross_kg", "tare_kg")
def _weights(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    gross, tare = after["gross_kg"], after["tare_kg"]
    if tare <= 0:
        yield Violation("no_tare", "The tare is what it weighs empty and more than 0.", ("tare_kg",))
    elif gross <= tare:
        sentence = f"Loaded ({gross} kg) it must weigh more than empty ({tare} kg); look at the slip again."
        yield Violation("gross_not_above_tare", sentence, ("gross_kg", "tare_kg"))


WEIGHMENT = Entity(
    name="weighment",
    table="weighments",
    title="Weighment",
    since=3,
    access=Access(
        read=("desk.read", "quality.write", "dispatch.write", "external.document"),
        create=("quality.write", "dispatch.write"),
        update=("quality.write", "dispatch.write"),
        delete=("quality.write", "dispatch.write"),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    labels=(Follows("inspection_id", "quality_inspection"), Follows("dispatch_id", "dispatch")),
    parent="dispatch_id",
    rules=(_of_one, _weights),
    derive=_net,
    fields=(
        Field("inspection_id", Reference("quality_inspection"), ONCE),
        Field("dispatch_id", Reference("dispatch"), ONCE),
        Field("slip_number", Text(40), ONCE, required=True),
        Field("gross_kg", SLIP_KG, ONCE, required=True),
        Field("tare_kg", SLIP_KG, ONCE, required=True),
        Field("net_kg", SLIP_KG, DERIVED),
        Field("weighed_at", Instant(), ONCE),
    ),
)
