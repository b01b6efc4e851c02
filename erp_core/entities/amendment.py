"""The amendment: the only way to change what was agreed on in a trade.

Owns: its declaration and its rules; which fields it may change follows from the trade's.
Must not know: how the engine writes the trade (sync_server/engine/amending.py).
Invariant: what is approved is written into the trade together with the approval, or neither is
(tests/unit/test_amendment_rules.py, tests/integration/test_amending.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.access import Access
from erp_core.entities.trade import TRADE
from erp_core.language import (
    GUARDED,
    ONCE,
    Amends,
    Deletion,
    Entity,
    Field,
    Kind,
    States,
    Urgency,
    Violation,
    World,
    locked,
)
from erp_core.rules import deletable_while, enters, touched, when_touched
from erp_core.scopes import DRAFT, Follows
from erp_core.values import Choice, Document, Reference, Row, Text, Unreadable

STATES = States(
    "state",
    {"draft": ("approved", "rejected"), "approved": (), "rejected": ()},
    breaks=("rejected",),
    also_begins=("approved",),  # agreed on and approved before the phone saw a signal
    needs={"approved": ("trade.approve",), "rejected": ("trade.approve",)},
)
WHILE_DRAFT = locked("state", "draft", unless=True)
TERMS: Final[Mapping[str, Field]] = {f.name: f for f in TRADE.fields if f.change.kind is Kind.LOCKED}
"""The commercial terms of a trade: what is fixed once it is confirmed."""
CHANGEABLE = ("confirmed", "in_delivery", "disputed")


@when_touched("proposed")
def _proposes_terms(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    proposed = after["proposed"]
    if not proposed:
        yield Violation("nothing_proposed", "Say which terms are to become what.", ("proposed",))
        return
    for name, plain in proposed.items():
        field = TERMS.get(name)
        if field is None:
            sentence = f"{name} is no term of a trade; an amendment can change {', '.join(sorted(TERMS))}."
            yield Violation("not_a_term", sentence, ("proposed",))
        elif plain is None or plain == "":
            if field.required:
                yield Violation("bad_term", f"{name} is needed; give the value that it is to have.", ("proposed",))
        else:
            yield from _misread(field, plain)


def _misread(field: Field, plain: object) -> Iterator[Violation]:
    if type(plain) not in field.type.accepts:
        sentence = f"{field.name} must be given as a {field.type.plain_kind}, as in the trade itself."
        yield Violation("bad_term", sentence, ("proposed",))
        return
    try:
        field.type.read(plain)  # type: ignore[arg-type]  # `accepts` has just admitted it
    except Unreadable as unreadable:
        yield Violation("bad_term", f"{field.name} {unreadable}.", ("proposed",))


def _of_an_agreement(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    trade = world.get("trade", after["trade_id"])
    if trade is None or not (touched(after, before, "trade_id") or enters(after, before, frozenset({"approved"}))):
        return
    if trade["state"] == "draft":
        yield Violation("not_agreed", "The trade is a draft still; change it itself.", ("trade_id",))
    elif trade["state"] not in CHANGEABLE:
        yield Violation("trade_closed", f"The trade is {trade['state']}; its terms stay as they are.", ("trade_id",))


AMENDMENT = Entity(
    name="amendment",
    table="amendments",
    title="Amendment",
    since=3,
    access=Access(
        read=("desk.read", "external.trade"),
        create=("desk.write",),
        update=("desk.write", "trade.approve"),
        delete=("desk.write",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    labels=(Follows("trade_id", "trade", DRAFT),),
    parent="trade_id",
    states=STATES,
    rules=(_proposes_terms, _of_an_agreement),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    amends=Amends("trade", "trade_id", "proposed", "approved"),
    fields=(
        Field("trade_id", Reference("trade"), ONCE, required=True),
        Field("number", Text(40), ONCE),
        Field(
            "proposed",
            Document(),
            WHILE_DRAFT,
            required=True,
            read=("desk.read",),
            help='the terms as they are to be: {"price_per_candy": 61500, "deliver_until": "2026-12-31"}',
        ),
        Field("reason", Text(2000), WHILE_DRAFT, required=True),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
