"""The visit: an agent goes to a partner or a place, and says what came of it.

Owns: its declaration and its rules.
Must not know: routes, maps.
Invariant: where the agent checked in is never written over (tests/unit/test_field_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import OWN, Access
from erp_core.language import (
    GUARDED,
    NEWEST,
    ONCE,
    PROSE,
    Deletion,
    Entity,
    Field,
    States,
    Urgency,
    Violation,
    World,
)
from erp_core.rules import deletable_while, enters, in_pairs, when_touched
from erp_core.scopes import By
from erp_core.values import Choice, Instant, Reference, Row, Text
from erp_core.vocabulary import LATITUDE, LONGITUDE, USER_ID

STATES = States(
    "state",
    {"planned": ("done", "cancelled"), "done": (), "cancelled": ()},
    also_begins=("done",),  # whom one happens to meet was not planned
    breaks=("cancelled",),
)
PLACES = ("partner_id", "location_id")


@when_touched(*PLACES)
def _somewhere(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
    if all(after[name] is None for name in PLACES):
        yield Violation("to_nowhere", "Say which partner or which place is visited.", PLACES)


def _when_it_was(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if enters(after, before, frozenset({"done"})) and after["done_at"] is None:
        yield Violation("incomplete", "Say when the visit was before you call it done.", ("done_at",))


VISIT = Entity(
    name="visit",
    table="visits",
    title="Visit",
    since=3,
    access=Access(read=(OWN, "desk.read"), create=("desk.write",), update=("desk.write",), delete=("desk.write",)),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    whose=("agent_id",),
    labels=(By("branch", "branch_id"), By("agent", "agent_id"), By("user", "agent_id")),
    states=STATES,
    rules=(_somewhere, _when_it_was, in_pairs("latitude", "longitude")),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True),
        Field("agent_id", USER_ID, required=True),
        Field("partner_id", Reference("business_partner")),
        Field("location_id", Reference("location")),
        Field("purpose", Text(200), personal="partner_id"),
        Field("planned_at", Instant(), NEWEST),
        Field("done_at", Instant(), NEWEST),
        Field("checked_in_at", Instant(), ONCE, personal="agent_id"),
        Field("latitude", LATITUDE, ONCE, personal="agent_id", help="where the agent checked in"),
        Field("longitude", LONGITUDE, ONCE, personal="agent_id", help="where the agent checked in"),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="planned"),
        Field("notes", Text(10_000), PROSE, personal="partner_id"),
    ),
)
