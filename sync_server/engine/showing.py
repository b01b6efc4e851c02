"""Showing: what a replica hears of one record, by what its user sees now and what it saw at its cursor.

Owns: the decision: created, updated, deleted, or nothing.
Must not know: SQL, JSON, how candidates were found.
Invariant: a record that its user cannot see now is never shown, and its id only to whom it was shown before; one that the
replica may hold is never `new` (tests/unit/test_showing.py, tests/simulation/test_scope_oracle.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_server.engine.entitlements import View, full_mask, hidden_fields
from sync_server.store.feed import Candidate


@dataclass(frozen=True, slots=True)
class Moved:
    """A record that a replica must hear of. `payload` None: it is gone, or no longer the user's to see.

    `new`: the replica cannot have it yet. `blanks`: fields of it that the user does not see.
    """

    table: str
    id: str
    payload: str | None
    new: bool
    blanks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gaze:
    """How much of a table a user sees now, and saw at the cursor."""

    now: View
    then: View

    @property
    def whole(self) -> bool:
        return self.now.whole and self.then.whole


def turned(candidate: Candidate, cursor: int) -> bool:
    """Say whether a record's labels at the cursor may have been others than now, and are not simply none yet."""
    if candidate.relabelled <= cursor:
        return False
    return candidate.created_position <= cursor or bool(candidate.past)


def decide(gaze: Gaze, candidate: Candidate, user_id: str, cursor: int, carried: Sequence[str]) -> Moved | None:
    """Decide what a replica of the user at `cursor` hears of a record; None: nothing.

    `carried`: the labels that it carried at the cursor, where they may have been others than now (`turned`).
    """
    if candidate.revive is not None:
        return sent_again(gaze.now, candidate)
    own_and_new = candidate.author == user_id and candidate.created_position > cursor
    if candidate.scopes is None:
        new = candidate.created_position > cursor and not own_and_new
        return Moved(candidate.table, candidate.id, candidate.payload, new)
    now = gaze.now.mask(candidate.scopes) if candidate.payload is not None else 0
    then = seen_then(gaze.then, candidate, cursor, carried)
    if now == then and candidate.position <= cursor:
        return None  # it is in a scope that was given or taken, but was and is seen by another one, too
    if now:
        blanks = hidden_fields(gaze.now.entity, now)
        return Moved(candidate.table, candidate.id, candidate.payload, not then and not own_and_new, blanks)
    # What its user made since the cursor a device may hold, too, whatever became of it.
    return Moved(candidate.table, candidate.id, None, new=False) if then or own_and_new else None


def seen_then(view: View, candidate: Candidate, cursor: int, carried: Sequence[str]) -> int:
    """Say how much of the record the user saw at the cursor, as a mask; `carried`: as for `decide`."""
    assert candidate.scopes is not None
    assert candidate.past is not None
    if candidate.relabelled <= cursor:
        return view.mask(candidate.scopes)
    # `org` and `branch` have no intervals: a record that was there carried them. One that was deleted and made again was
    # there if it carried anything else; of reference data, which everybody may read, nothing else is known.
    was_there = candidate.created_position <= cursor or bool(carried) or "org" in candidate.past
    always = [label for label in (*candidate.scopes, *candidate.past) if label in ("org", "branch")]
    return view.mask(carried) | (view.mask(always) if was_there else 0)


def sent_again(view: View, candidate: Candidate) -> Moved:
    """Decide about a record that a device holds otherwise than the server: as it is now, or that it is not the user's."""
    seen = full_mask(view.entity) if candidate.scopes is None else view.mask(candidate.scopes)
    if candidate.payload is None or not seen:
        return Moved(candidate.table, candidate.id, None, new=False)
    blanks = hidden_fields(view.entity, seen)
    return Moved(candidate.table, candidate.id, candidate.payload, bool(candidate.revive), blanks)
