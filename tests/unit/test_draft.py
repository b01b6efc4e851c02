"""Drafts: reading what was sent, and the base that a replica stands on (engine/draft.py)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.values import Row
from sync_server.engine.draft import Draft, Verdict, drafts_of
from sync_server.engine.sight import replica_base
from sync_server.engine.submission import Submission
from sync_server.store.actor import Actor
from sync_server.store.log import Event

PARTNERS = BY_TABLE["business_partners"]
MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def draft(
    operation: Operation = Operation.UPDATED, *, cursor: int = 10, changed: frozenset[str] | None = None, **values: Any
) -> Draft:
    mutation = Mutation("business_partners", "p", operation, values, changed)
    return Draft.read(Submission(Actor("o", "agent", "mine"), cursor, b"digest", [mutation]), mutation)


def row(**values: Any) -> Row:
    fixed = {"branch_id": "b1", "legal_name": "Partner", "kind": ("buyer",), "created_at": MOMENT, "updated_at": MOMENT}
    return {**PARTNERS.empty(), **fixed, **values}


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_values_are_read_into_the_inside_form() -> None:
    read = draft(legal_name="P", kind='["seller","buyer","seller"]', pincode=None, email="")

    assert read.sent == {"legal_name": "P", "kind": ("buyer", "seller"), "pincode": None, "email": None}
    assert read.faults == []


@pytest.mark.parametrize(
    ("column", "plain"),
    [
        ("kind", "no JSON"),
        ("kind", '["no such kind"]'),
        ("state", "abcdef"),
        ("legal_name", "x" * 300),
        ("branch_id", "a b"),
    ],
)
def test_value_that_cannot_be_read_is_a_fault_that_names_its_field(column: str, plain: str) -> None:
    values: dict[str, Any] = {column: plain}
    (fault,) = draft(**values).faults

    assert fault.fields == (column,)
    assert fault.sentence.startswith(column)
    assert fault.sentence.endswith(".")


def test_what_the_server_owns_is_no_fault_however_it_was_sent() -> None:
    assert draft(exposure=-1e300, created_at=-7, created_by="x" * 1_000).faults == []


def test_poisoned_draft_reads_nothing() -> None:
    mutation = Mutation("business_partners", "p", Operation.CREATED, {"kind": "no JSON"})
    submission = Submission(Actor("o", "a", "s"), 0, b"", [mutation], poison=frozenset({mutation.key}))

    (poisoned,) = drafts_of(submission)

    assert [fault.code for fault in poisoned.faults] == ["not_processable"]
    assert poisoned.sent == {}


# --- Creating and merging ---------------------------------------------------------------------------------------------


def test_new_record_starts_from_its_defaults_and_owns_nothing_of_the_servers() -> None:
    new = draft(Operation.CREATED, legal_name="P", exposure=5, created_by="me")
    new.create()

    assert new.after is not None
    assert (new.after["legal_name"], new.after["state"], new.after["created_by"]) == ("P", "draft", None)
    assert new.after["exposure"] == 0
    assert new.after.keys() == PARTNERS.by_name.keys()


def test_edit_without_history_is_accepted_as_sent() -> None:
    edit = draft(legal_name="New")
    edit.merge_into(row(), ())

    assert (edit.verdict, edit.outcomes, edit.after) == (Verdict.ACCEPTED, (), row(legal_name="New"))


def test_edit_that_changes_nothing_is_a_duplicate() -> None:
    edit = draft(legal_name="Partner")
    edit.merge_into(row(), ())

    assert edit.verdict is Verdict.DUPLICATE
    assert not edit.writes
    assert not edit.differs


def test_hint_narrows_what_is_taken_and_the_phone_is_corrected_in_the_rest() -> None:
    edit = draft(changed=frozenset({"email"}), email="a@b.example", legal_name="Old copy")
    edit.merge_into(row(), ())

    assert edit.after == row(email="a@b.example")
    assert edit.differs


def test_what_both_changed_differently_has_an_outcome() -> None:
    edit = draft(legal_name="Phone")
    edit.merge_into(row(legal_name="Office"), [Event(5, None, row()), Event(11, "theirs", row(legal_name="Office"))])

    (outcome,) = edit.outcomes
    assert (outcome.base, outcome.ours, outcome.theirs) == ("Partner", "Office", "Phone")
    assert edit.verdict is Verdict.MERGED


def test_refused_draft_leaves_the_record_as_it_was() -> None:
    edit = draft(legal_name="New")
    edit.merge_into(row(), ())
    edit.refuse()

    assert (edit.after, edit.writes, edit.differs) == (row(), False, True)


@pytest.mark.parametrize("column", ["email", "remarks"])
def test_empty_text_is_no_difference(column: str) -> None:
    values: dict[str, Any] = {column: ""}
    edit = draft(**values)
    edit.merge_into(row(), ())

    assert not edit.differs


# --- The base ---------------------------------------------------------------------------------------------------------


def base(*events: tuple[int, str | None, Row | None]) -> Any:
    return replica_base([Event(*event) for event in events], Submission(Actor("o", "agent", "mine"), 10, b"", []))


def test_base_is_the_newest_state_that_the_cursor_covers() -> None:
    old, seen, now = row(legal_name="1"), row(legal_name="2"), row(legal_name="3")

    assert base((5, "theirs", old), (10, "theirs", seen), (11, "theirs", now)) == seen


def test_record_that_came_after_the_cursor_was_never_seen() -> None:
    assert base((11, "theirs", row()), (12, "theirs", row(legal_name="X"))) is None


def test_record_that_the_replica_created_itself_was_seen() -> None:
    assert base((11, "mine", row()), (12, "theirs", row(legal_name="Office"))) == row()


def test_own_later_write_moves_the_base_in_what_it_changed_only() -> None:
    """Its answer was lost; what others changed before it is news to the replica all the same."""
    office = row(legal_name="Office")
    both = row(legal_name="Office", email="mine@b.example")

    assert base((10, None, row()), (11, "theirs", office), (12, "mine", both)) == row(email="mine@b.example")


def test_deleted_below_the_cursor_and_made_anew_above_it_was_never_seen_alive() -> None:
    assert base((9, None, row()), (10, None, None), (11, None, row(legal_name="Anew"))) is None
