"""Cursors: what a replica's last-pulled-at means to us.

Owns: encoding a position as one integer, and deciding how a replica with a given cursor goes on.
Must not know: HTTP, the names `lastPulledAt` and `timestamp` (only wire/ says them).
Invariant: 0 < cursor < 2^53, monotone within and over epochs; a cursor is never compared with a wall clock; whoever
cannot go on incrementally gets everything, never nothing (tests/properties/test_cursor.py).

Theory. A cursor is a position, `epoch · 2^40 + seq` (DESIGN.md §4). Because the clock's row is locked from a
transaction's first captured write to its commit, a snapshot that sees the clock at c sees every change at or below c and
none above. So "everything after my cursor" is a range over positions, and nothing that commits late can fall below it.

A restore or failover may move history back. It begins a new epoch and records where the old one was cut (`forked_at`). A
cursor of an older epoch at or below every later fork names only changes that still exist: its replica goes on. One above
a fork holds changes that are gone: its replica is replaced. Epochs start at 2, so that a millisecond timestamp, which
a phone brings along from another backend, decodes as epoch 1: unknown history, hence a replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sync_server.store.clock import SEQ_BITS, Clock

CURSOR_LIMIT: Final = 2**53
"""Above this a JavaScript number is no longer exact; WatermelonDB keeps the cursor in one."""


class Course(Enum):
    """How a replica goes on from its cursor."""

    FIRST = "first"
    INCREMENTAL = "incremental"
    REPLACEMENT = "replacement"


class FromTheFuture(Exception):
    """The cursor is above the clock: it was not given by this organisation's history."""


@dataclass(frozen=True, slots=True)
class Position:
    """A cursor taken apart.

    >>> Position.of(2_199_023_255_553)
    Position(epoch=2, seq=1)
    >>> Position.of(1_795_400_000_000).epoch  # a millisecond timestamp of 2026
    1
    """

    epoch: int
    seq: int

    @classmethod
    def of(cls, cursor: int) -> Position:
        return cls(cursor >> SEQ_BITS, cursor & ((1 << SEQ_BITS) - 1))


def course(cursor: int | None, clock: Clock, forks: Sequence[tuple[int, int]]) -> Course:
    """Decide how a replica at `cursor` (None or 0: it has nothing) goes on.

    `forks`: (epoch, position where the one before was cut). Raises `FromTheFuture`.
    """
    if not cursor:
        return Course.FIRST
    if cursor > clock.position:
        raise FromTheFuture
    if cursor < clock.floor:
        return Course.REPLACEMENT
    epoch = Position.of(cursor).epoch
    if epoch == clock.epoch:
        return Course.INCREMENTAL
    cuts = {later: cut for later, cut in forks if later > epoch}
    known = len(cuts) == clock.epoch - epoch
    return Course.INCREMENTAL if known and cursor <= min(cuts.values()) else Course.REPLACEMENT
