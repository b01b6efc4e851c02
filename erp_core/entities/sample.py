"""The sample: what was drawn from a lot, to be looked at or sent to a laboratory.

Owns: its declaration and its rules.
Must not know: what was found in it; that is an inspection.
Invariant: what was drawn stays as it was written down (tests/unit/test_sample_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import Access
from erp_core.language import BAG, GUARDED, ONCE, Deletion, Entity, Field, States, Urgency, Violation, World
from erp_core.rules import deletable_while, enters, in_pairs, when_touched
from erp_core.scopes import DRAFT, Follows
from erp_core.values import Choice, Instant, Number, Reference, Row, Text, Words
from erp_core.vocabulary import LATITUDE, LONGITUDE, USER_ID

STATES = States(
    "state",
    {"draft": ("submitted",), "submitted": ("accepted", "disputed"), "accepted": (), "disputed": ("accepted",)},
    also_begins=("submitted",),  # drawn and handed over before the phone saw a signal
    needs={"accepted": ("trade.approve",), "disputed": ("desk.write",)},
)
DONE = frozenset({"submitted", "accepted", "disputed"})


@when_touched("trade_id", "availability_id")
def _of_something(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    names = ("trade_id", "availability_id")
    if after["trade_id"] is None and after["availability_id"] is None:
        yield Violation("of_nothing", "Say of which trade or which availability the sample is.", names)
    trade = world.get("trade", after["trade_id"])
    if trade is not None and None is not after["availability_id"] != trade["availability_id"]:
        yield Violation("of_another_lot", "The trade is out of another availability.", names)


@when_touched("weight_kg")
def _weighs_something(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if after["weight_kg"] is not None and after["weight_kg"] <= 0:
        yield Violation(
            "no_weight", "A sample weighs more than nothing; leave it empty if it was not weighed.", ("weight_kg",)
        )


def _complete(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if enters(after, before, DONE) and after["drawn_at"] is None:
        yield Violation("incomplete", "Say when the sample was drawn before you submit it.", ("drawn_at",))


SAMPLE = Entity(
    name="sample",
    table="samples",
    title="Sample",
    since=3,
    access=Access(
        read=("desk.read", "quality.write", "external.document"),
        create=("quality.write",),
        update=("quality.write", "desk.write"),
        delete=("quality.write",),
    ),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    whose=("inspector_id",),
    labels=(Follows("trade_id", "trade", DRAFT), Follows("availability_id", "availability", DRAFT)),
    parent="trade_id",
    states=STATES,
    rules=(_of_something, in_pairs("latitude", "longitude"), _weighs_something, _complete),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("trade_id", Reference("trade"), ONCE),
        Field("availability_id", Reference("availability"), ONCE),
        Field("lot_number", Text(40), ONCE),
        Field("bale_numbers", Words(most=2000), BAG, required=True, default=()),
        Field("inspector_id", USER_ID),
        Field("location_id", Reference("location")),
        Field("latitude", LATITUDE, ONCE, personal="inspector_id"),
        Field("longitude", LONGITUDE, ONCE, personal="inspector_id"),
        Field("weight_kg", Number(8, 3, "kg"), ONCE),
        Field("seal_number", Text(40), ONCE),
        Field("drawn_at", Instant(), ONCE),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
