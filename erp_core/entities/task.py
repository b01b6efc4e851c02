"""The task: something that one person is to do, until a day.

Owns: its declaration and its rules.
Must not know: what it is about; that record is named, not looked at.
Invariant: whoever has it says what became of it, and the desk says what it is (tests/unit/test_access_of_drafts.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import OWN, Access
from erp_core.language import GUARDED, NEWEST, PROSE, Deletion, Entity, Field, States, Urgency, Violation, World
from erp_core.rules import deletable_while, enters, in_pairs
from erp_core.scopes import By
from erp_core.values import SAFE_ID, Choice, Day, Instant, Reference, Row, Text
from erp_core.vocabulary import USER_ID

DESK = ("desk.write",)
STATES = States(
    "state",
    {
        "open": ("in_progress", "done", "cancelled"),
        "in_progress": ("open", "done", "cancelled"),
        "done": ("open",),
        "cancelled": (),
    },
    breaks=("cancelled",),
    settled=("done",),
    needs={"cancelled": DESK},
)


def _when_it_was(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if enters(after, before, frozenset({"done"})) and after["done_at"] is None:
        yield Violation("incomplete", "Say when it was done.", ("done_at",))


TASK = Entity(
    name="task",
    table="tasks",
    title="Task",
    since=3,
    access=Access(read=(OWN, "desk.read"), create=DESK, update=(OWN, *DESK), delete=DESK),
    deletion=Deletion.WAITS,
    urgency=Urgency.WORK,
    whose=("assignee_id",),
    due="due_on",
    labels=(By("branch", "branch_id"), By("agent", "assignee_id"), By("user", "assignee_id")),
    states=STATES,
    rules=(_when_it_was, in_pairs("table_name", "record_id")),
    delete_rules=(deletable_while("state", STATES.words[0]),),
    fields=(
        Field("branch_id", Reference("branch"), required=True, write=DESK),
        Field("title", Text(200), required=True, write=DESK, personal="partner_id"),
        Field("assignee_id", USER_ID, required=True, write=DESK),
        Field("partner_id", Reference("business_partner"), write=DESK),
        Field("table_name", Text(64), write=DESK, help="of the record that it is about"),
        Field("record_id", Text(64, SAFE_ID, "Trade00000000001"), write=DESK, help="the record that it is about"),
        Field("due_on", Day(), write=DESK),
        Field("urgency", Choice(("low", "normal", "high")), required=True, default="normal", write=DESK),
        Field("done_at", Instant(), NEWEST),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="open"),
        Field("notes", Text(10_000), PROSE, personal="partner_id"),
    ),
)
