"""The quality inspection: what a grader or an instrument found in a lot.

Owns: its declaration and its rules.
Must not know: prices.
Invariant: the result of a submitted inspection follows from its readings and the contract
(tests/unit/test_quality_inspection_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from erp_core.access import Access
from erp_core.language import (
    BAG,
    DERIVED,
    GUARDED,
    NEWEST,
    ONCE,
    Deletion,
    Entity,
    Field,
    Gather,
    States,
    Urgency,
    Violation,
    World,
    locked,
)
from erp_core.quality import PARAMETERS, RESULTS, judge
from erp_core.rules import deletable_while, enters, in_pairs, when_touched
from erp_core.scopes import DRAFT, Follows
from erp_core.values import Choice, Instant, Reference, Row, Text, Value, Words
from erp_core.vocabulary import LATITUDE, LONGITUDE, USER_ID

STATES = States(
    "state",
    {"draft": ("submitted",), "submitted": ("accepted", "disputed"), "accepted": (), "disputed": ("accepted",)},
    also_begins=("submitted",),  # graded and submitted before the phone saw a signal
    # What is accepted changes what is paid: whoever grades does not accept, unless contracts are theirs to confirm.
    needs={"accepted": ("trade.approve",), "disputed": ("desk.write",)},
)


READING = locked("state", "draft", unless=True)
DONE = frozenset({"submitted", "accepted", "disputed"})


def _result(row: Row, world: World) -> Mapping[str, Value]:
    """Of a draft nothing is said, and of a lot without a contract neither. The bases are locked by the time that an
    inspection can be submitted (`_against_an_agreement`), so the result stays what it was."""
    trade = world.get("trade", row["trade_id"])
    if trade is None or row["state"] not in DONE:
        return {"result": None}
    return {"result": judge({p.name: row[p.name] for p in PARAMETERS}, trade["quality_bases"])}


@when_touched("trade_id", "availability_id")
def _of_something(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    names = ("trade_id", "availability_id")
    if after["trade_id"] is None and after["availability_id"] is None:
        yield Violation("of_nothing", "Say which trade or which availability was inspected.", names)
    trade = world.get("trade", after["trade_id"])
    lots = {after["availability_id"], trade["availability_id"] if trade else None} - {None}
    if trade is not None and len(lots) > 1:
        yield Violation("of_another_lot", "The trade is out of another availability.", names)


def _complete(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    """What is submitted says when, and at least one thing that was found; hands can tell the grade only."""
    if not enters(after, before, DONE):
        return
    if after["inspected_at"] is None:
        yield Violation("incomplete", "Say when the lot was inspected before you submit.", ("inspected_at",))
    readings = tuple(p.name for p in PARAMETERS)
    if all(after[name] is None for name in (*readings, "grade")):
        yield Violation("incomplete", "Give at least one reading or the grade before you submit.", (*readings, "grade"))


def _against_an_agreement(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """A result is owed to both parties, so it is measured against what they agreed on; what is graded before that, for an
    offer, names the availability."""
    trade = world.get("trade", after["trade_id"])
    if trade is not None and trade["state"] == "draft" and enters(after, before, DONE):
        sentence = "The trade is not confirmed yet; submit the inspection afterwards, or name the availability instead."
        yield Violation("not_agreed", sentence, ("trade_id", "state"))


def _with_its_evidence(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """What is accepted changes what is paid; a picture that is only announced proves nothing."""
    if not enters(after, before, frozenset({"accepted"})):
        return
    shown = world.siblings("attachment", "inspection_id", after["id"])
    missing = sum(one["state"] != "verified" for one in shown)
    if missing:
        sentence = (
            f"{missing} of its {len(shown)} attachments have not arrived yet; accept the inspection once they have."
        )
        yield Violation("evidence_missing", sentence, ("state",))


QUALITY_INSPECTION = Entity(
    name="quality_inspection",
    table="quality_inspections",
    title="Quality inspection",
    access=Access(
        read=("desk.read", "quality.write", "dispatch.write", "external.document"),
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
    rules=(_of_something, in_pairs("latitude", "longitude"), _complete, _against_an_agreement, _with_its_evidence),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    derive=_result,
    gathers=(Gather("attachment", "inspection_id", "id"),),
    fields=(
        Field("trade_id", Reference("trade"), ONCE),
        Field("availability_id", Reference("availability"), ONCE),
        Field("lot_number", Text(40), READING),
        Field("bale_numbers", Words(most=2000), BAG, required=True, default=()),
        Field("inspector_id", USER_ID),
        Field("location_id", Reference("location")),
        Field("latitude", LATITUDE, READING, personal="inspector_id"),
        Field("longitude", LONGITUDE, READING, personal="inspector_id"),
        *(Field(parameter.name, parameter.type, READING) for parameter in PARAMETERS),
        Field("grade", Text(20), READING),
        Field("method", Choice(("hand", "hvi")), READING, required=True, default="hand"),
        Field("result", Choice(RESULTS), DERIVED, help="against the trade; empty in a draft"),
        Field("inspected_at", Instant(), NEWEST),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="draft"),
    ),
)
