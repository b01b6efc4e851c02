"""The match: how well an availability meets a requirement, with the parts of its score.

Owns: its declaration, and reading the two records as what erp_core/matching.py compares.
Must not know: which pairs are worth a record (erp_core/match_board.py ranks them).
Invariant: the score is the sum of its parts, between 0 and 100 (tests/unit/test_match_rules.py).

Somebody who sees one of the two may not learn of the other by it: a match is in the branch that both are in, else it is for
whoever sees all branches. `sync_server/engine/match_keeping.py` keeps the best of each requirement.

Both records may name places; a match knows the two by their ids only, so the part for the distance counts half, as for unknown
places. Quality that an availability states as a range counts by neither end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from erp_core.access import Access
from erp_core.language import DERIVED, ONCE, Entity, Field, Phone, Urgency, Violation, World
from erp_core.matching import Lot, Need, explain
from erp_core.rules import when_touched
from erp_core.scopes import By
from erp_core.values import Document, Flag, Integer, Reference, Row, Value


def lot_of(id: str, row: Row) -> Lot:
    """Read an availability as what is compared: free bales, price in paise, readings in hundredths."""
    stated = {
        name: reading for name, said in (row["quality"] or {}).items() if (reading := _hundredths(said)) is not None
    }
    return Lot(
        id,
        row["commodity_id"],
        max(row["bales_offered"] - row["bales_reserved"] - row["bales_sold"], 0),
        variety=row["variety_id"],
        price=_hundredths(row["asking_price_per_candy"]),
        quality=stated,
        ready_until=None if row["valid_until"] is None else row["valid_until"].toordinal(),
    )


def need_of(id: str, row: Row) -> Need:
    """Read a requirement as what is compared: the bales that are still wanted, the ceiling in paise."""
    most = max(row["bales_max"] - row["bales_fulfilled"], 1)
    limits = {
        name: (_hundredths(bounds.get("min")), _hundredths(bounds.get("max")))
        for name, bounds in (row["quality_limits"] or {}).items()
        if isinstance(bounds, Mapping)
    }
    return Need(
        id,
        row["commodity_id"],
        min(row["bales_min"], most),
        most,
        variety=row["variety_id"],
        ceiling=_hundredths(row["price_ceiling_per_candy"]),
        limits=limits,
        deliver_from=None if row["deliver_from"] is None else row["deliver_from"].toordinal(),
        deliver_until=None if row["deliver_until"] is None else row["deliver_until"].toordinal(),
    )


def _hundredths(said: Any) -> int | None:
    """Read a figure; None for a range or a word."""
    try:
        return None if said is None else int(Decimal(str(said)) * 100)
    except InvalidOperation:
        return None


def _score(row: Row, world: World) -> Mapping[str, Value]:
    lot, need = world.get("availability", row["availability_id"]), world.get("requirement", row["requirement_id"])
    if lot is None or need is None:
        return {"branch_id": None, "score": 0, "parts": None}
    return fit(row["availability_id"], lot, row["requirement_id"], need)


def fit(lot_id: str, lot: Row, need_id: str, need: Row) -> Mapping[str, Value]:
    """Give what a match says of its two: the branch that they share, the score, its parts; a score of 0: they do not fit."""
    verdict = explain(lot_of(lot_id, lot), need_of(need_id, need))
    return {
        "branch_id": lot["branch_id"] if lot["branch_id"] == need["branch_id"] else None,
        "score": verdict.score or 0,
        "parts": {part.name: part.points for part in verdict.parts},
    }


@when_touched("availability_id", "requirement_id")
def _meets(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    lot, need = world.get("availability", after["availability_id"]), world.get("requirement", after["requirement_id"])
    if lot is None or need is None:
        return
    for reason, _ in explain(lot_of(after["availability_id"], lot), need_of(after["requirement_id"], need)).excluded:
        sentence = f"The availability cannot meet the requirement: {reason.replace('_', ' ')}."
        yield Violation("no_match", sentence, ("availability_id", "requirement_id"))


MATCH = Entity(
    name="match",
    table="matches",
    title="Match",
    since=3,
    access=Access(read=("desk.read",), create=("desk.write",), update=("desk.write",), delete=("desk.write",)),
    phone=Phone.DOWN,
    urgency=Urgency.WORK,
    labels=(By("branch", "branch_id"),),
    parent="availability_id",
    rules=(_meets,),
    derive=_score,
    uniques=(("availability_id", "requirement_id"),),
    fields=(
        Field("availability_id", Reference("availability"), ONCE, required=True),
        Field("requirement_id", Reference("requirement"), ONCE, required=True),
        Field("score", Integer(0, 100), DERIVED, required=True, default=0),
        Field("parts", Document(), DERIVED, help='points by part: {"price": 30, "quality": 25, "distance": 10}'),
        Field("branch_id", Reference("branch"), DERIVED, since=5, help="that both are in; of two branches: none"),
        Field("is_dismissed", Flag(), required=True, default=False, help="somebody looked at it and it is nothing"),
    ),
)
