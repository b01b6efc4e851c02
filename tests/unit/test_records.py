"""What becomes of a whole record (conflict/records.py), pair by pair; the docs show the same table."""

from __future__ import annotations

import pytest

from conflict.mutation import Operation
from conflict.records import DELETIONS, FATES, STALE, Fate, Standing, doubt, fate
from erp_core.language import Deletion

MADE, CHANGED, DELETED = Operation.CREATED, Operation.UPDATED, Operation.DELETED
NEVER, SEEN, MOVED, GONE, GONE_OWN = Standing


@pytest.mark.parametrize(
    ("asked", "has", "done"),
    [
        (MADE, NEVER, Fate.MAKE),
        (MADE, SEEN, Fate.MERGE),
        (MADE, MOVED, Fate.MERGE),
        (MADE, GONE, Fate.DEAD),
        (MADE, GONE_OWN, Fate.NOTHING),
        (CHANGED, NEVER, Fate.MAKE),
        (CHANGED, SEEN, Fate.MERGE),
        (CHANGED, MOVED, Fate.MERGE),
        (CHANGED, GONE, Fate.DEAD),
        (CHANGED, GONE_OWN, Fate.DEAD),
        (DELETED, NEVER, Fate.NOTHING),
        (DELETED, SEEN, Fate.DELETE),
        (DELETED, GONE, Fate.NOTHING),
        (DELETED, GONE_OWN, Fate.NOTHING),
    ],
)
@pytest.mark.parametrize("deletion", sorted(DELETIONS))
def test_what_is_asked_meets_what_is_there(asked: Operation, has: Standing, done: Fate, deletion: str) -> None:
    assert fate(asked, has, deletion) is done


@pytest.mark.parametrize(
    ("deletion", "done"), [("delete_wins", Fate.DELETE), ("update_wins", Fate.KEEP), ("park", Fate.WAIT)]
)
def test_deletion_of_what_others_changed_is_as_the_entity_wants_it(deletion: str, done: Fate) -> None:
    assert fate(DELETED, MOVED, deletion) is done


def test_every_pair_has_an_answer_and_every_word_of_the_trade_is_known() -> None:
    assert {(asked, has) for asked, row in FATES.items() for has in row} == {
        (a, s) for a in Operation for s in Standing
    }
    assert set(DELETIONS) == {deletion.value for deletion in Deletion}
    assert fate(DELETED, MOVED) is Fate.DELETE


def test_what_was_deleted_is_never_made_again() -> None:
    gone = {fate(asked, has, deletion) for asked in Operation for has in (GONE, GONE_OWN) for deletion in DELETIONS}

    assert gone == {Fate.DEAD, Fate.NOTHING}


@pytest.mark.parametrize(
    ("lost", "touches", "unseen", "limit", "code"),
    [
        (False, False, None, 30, None),
        (False, True, None, 30, None),
        (False, True, 29, 30, None),
        (False, True, 30, 30, STALE),
        (False, False, 30, 30, STALE),
        (False, True, 300, None, None),
        (True, False, None, 30, None),
        (True, False, 31, 30, STALE),
        (True, True, None, 30, "base_unknown"),
        (True, True, 31, 30, "base_unknown"),
        (True, True, 31, None, "base_unknown"),
        (False, False, 0, 0, STALE),
    ],
)
def test_edit_waits_if_what_its_author_saw_is_not_known_or_too_old(
    lost: bool, touches: bool, unseen: int | None, limit: int | None, code: str | None
) -> None:
    assert doubt(lost=lost, touches=touches, unseen_days=unseen, stale_days=limit) == code
