"""A sync issue: a refused or parked mutation, waiting for a person."""

from __future__ import annotations

from erp_core.language import GUARDED, ONCE, Entity, Field, States
from erp_core.values import Choice, Document, Text, Words

STATES = States(
    "state",
    {"open": ("resubmitted", "accepted_ours", "discarded"), "resubmitted": (), "accepted_ours": (), "discarded": ()},
)

SYNC_ISSUE = Entity(
    name="sync_issue",
    table="sync_issues",
    title="Sync issue",
    owner="author_id",
    states=STATES,
    fields=(
        Field("author_id", Text(64), ONCE, required=True),
        Field("table_name", Text(64), ONCE, required=True),
        Field("record_id", Text(64), ONCE, required=True),
        Field("kind", Choice(("refused", "parked")), ONCE, required=True),
        Field("operation", Choice(("created", "updated", "deleted")), ONCE, required=True),
        Field("reason_code", Text(64), ONCE, required=True),
        Field("sentence", Text(4000), ONCE, required=True),
        Field("fields", Words(), ONCE, required=True, default=()),
        Field("payload", Document(1_000_000), ONCE),
        Field("ours", Document(1_000_000), ONCE),
        Field("suggestion", Text(1000), ONCE),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="open"),
    ),
)
