"""The sync issue: a change that was refused or parked, explained to the one who made it.

Owns: its declaration and its rules.
Must not know: how a change is judged; the engine writes these rows.
Invariant: of an issue, a phone changes the state only (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import OWN, Access
from erp_core.language import DERIVED, GUARDED, Entity, Field, States, Urgency, Violation, World
from erp_core.scopes import By
from erp_core.values import Choice, Document, Row, Text, Words

RESOLVE = "sync.resolve"
VALUES = (OWN, "desk.read")
"""Values of records are for their author, and for those who see prices and parties anyway."""

STATES = States(
    "state",
    {"open": ("resubmitted", "accepted_ours", "discarded"), "resubmitted": (), "accepted_ours": (), "discarded": ()},
)


def _made_by_the_server(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    """A phone says what became of an issue, nothing else; the server writes them."""
    if before is None:
        yield Violation("made_by_the_server", "Issues are made by the server; a phone can only close them.")
        return
    moved = tuple(field.name for field in SYNC_ISSUE.fields if after[field.name] != before[field.name])
    if set(moved) - {"state"}:
        yield Violation("made_by_the_server", "Only the state of an issue can be changed.", moved)


def _kept(_: Row, __: World) -> Iterator[Violation]:
    """An issue is the only trace of what was refused."""
    yield Violation("not_deletable", "An issue is kept; close it instead: resubmitted, accepted_ours or discarded.")


SYNC_ISSUE = Entity(
    name="sync_issue",
    table="sync_issues",
    title="Sync issue",
    access=Access(read=(OWN, RESOLVE), update=(OWN, RESOLVE)),
    labels=(By("user", "author_id"), By("branch", "branch_id")),
    urgency=Urgency.INBOX,
    states=STATES,
    rules=(_made_by_the_server,),
    delete_rules=(_kept,),
    fields=(
        Field("author_id", Text(64), DERIVED, required=True),
        Field("table_name", Text(64), DERIVED, required=True),
        Field("record_id", Text(64), DERIVED, required=True),
        Field("kind", Choice(("refused", "parked")), DERIVED, required=True),
        Field("operation", Choice(("created", "updated", "deleted")), DERIVED, required=True),
        Field("reason_code", Text(64), DERIVED, required=True),
        Field("sentence", Text(4000), DERIVED, required=True, read=VALUES),
        Field("fields", Words(), DERIVED, required=True, default=()),
        Field("payload", Document(1_000_000), DERIVED, read=VALUES, help="what was sent, as it was sent"),
        Field("ours", Document(1_000_000), DERIVED, read=VALUES, help="the record as the server has it"),
        Field("suggestion", Text(1000), DERIVED),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="open"),
        Field("base", Document(1_000_000), DERIVED, since=2, read=VALUES, help="the record as its author last saw it"),
        Field("theirs", Document(1_000_000), DERIVED, since=2, read=VALUES, help="the record as its author wanted it"),
        Field(
            "outcomes", Document(1_000_000), DERIVED, since=2, read=VALUES, help="by column, what both sides changed"
        ),
        Field("branch_id", Text(64), DERIVED, since=2, help="whose branch the record is in"),
        Field("device_id", Text(64), DERIVED, since=2, help="where it was written"),
    ),
)
