"""Sight: what a replica last saw of a record, worked out of the log.

Owns: which changes are a replica's own, its base, and when others wrote what they changed since.
Must not know: SQL, how the base is used.
Invariant: a replica's own writes are never a conflict with it, whatever answers were lost and however often it logged in
(tests/unit/test_draft.py, tests/integration/test_exchange.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from conflict.policies import Stamp
from erp_core.values import Row
from sync_server.engine.submission import Channel, Submission
from sync_server.store.log import Event


@dataclass(frozen=True, slots=True)
class Sight:
    """What a replica last saw of a record. `lost`: the log does not go back that far. `unseen`: since when others' changes
    wait for it; None: there are none."""

    base: Row | None = None
    lost: bool = False
    unseen: datetime | None = None

    @classmethod
    def of(cls, history: Sequence[Event], origin: Submission) -> Sight:
        """Work it out of the events of one record, oldest first, back to the one that the cursor stands on if it is there."""
        if not history:
            return cls()
        first = history[0]
        lost = first.position > origin.cursor and not first.inserts and not is_own(first, origin)
        unseen = (event.at for event in history if event.position > origin.cursor and not is_own(event, origin))
        return cls(replica_base(history, origin), lost, next(unseen, None))


def is_own(event: Event, origin: Submission) -> bool:
    """Say whether the replica itself made a change: in this session, or in one before on the same device.

    Of the office none is: two pages of one session do not see each other's changes.
    """
    if origin.channel is Channel.OFFICE:
        return False
    actor = origin.actor
    return event.session == actor.session_id or (bool(actor.device_id) and event.device == actor.device_id)


def is_repeated(history: Sequence[Event], origin: Submission, wanted: Row, changed: Collection[str]) -> bool:
    """Say whether the office sends a change again whose answer was lost: the same session wrote just these values meanwhile.

    Pages have neither receipts nor numbers for what they send; for two equal changes of a count it makes a difference.
    """
    if origin.channel is not Channel.OFFICE:
        return False
    own = (e.row for e in history if e.position > origin.cursor and e.session == origin.actor.session_id)
    return any(row is not None and all(row[name] == wanted[name] for name in changed) for row in own)


def replica_base(history: Sequence[Event], origin: Submission) -> Row | None:
    """Work out the record as the replica last saw it: at its cursor, plus its own later writes whose answers were lost.

    `history`: events of one record, oldest first, back to the one that the cursor stands on if the log still has it.
    Of a write that was merged it holds what it sent, not what came of it: `Event.sent`.
    None: it never saw the record. A replica's own writes are no conflict with it, so only what others did since counts.
    Whom a session belonged to counts for the creation, too: whoever sends a record as new made it, logged in anew or not.
    """
    base: dict[str, Any] | None = None
    previous: Row | None = None
    for number, event in enumerate(history):
        own = is_own(event, origin)
        if event.position <= origin.cursor or (number == 0 and (own or event.creator == origin.actor.user_id)):
            base = None if event.row is None else dict(event.row)
        elif own and event.row is not None:
            moved = {name for name, value in event.row.items() if previous is None or previous[name] != value}
            base = {**(base or event.row), **{name: event.row[name] for name in moved}, **event.sent}
        previous = event.row
    return base


def stamps_by_column(history: Sequence[Event], origin: Submission, known: Mapping[str, Stamp]) -> Mapping[str, Stamp]:
    """Say when others wrote the values that they changed since the cursor; when it was stored, where no more is known."""
    stamps: dict[str, Stamp] = {}
    previous: Row | None = None
    for event in history:
        if event.row is not None and event.position > origin.cursor and event.at is not None:
            stamp = known.get(event.push or "") or Stamp(to_ms(event.at), event.device or "")
            moved = (name for name, value in event.row.items() if previous is None or previous[name] != value)
            stamps |= dict.fromkeys(moved, stamp)
        previous = event.row
    return stamps


def to_ms(moment: datetime) -> int:
    """Give a moment in milliseconds since 1970.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
