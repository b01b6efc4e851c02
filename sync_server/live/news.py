"""News: what the log of one organisation says between two positions, in few enough words to tell other processes.

Owns: the shape of a batch, and how it is written on a bus.
Must not know: SQL, connections, frames of clients; who sees a record is decided by labels (live/hub.py).
Invariant: a batch holds tables, ids and labels, and nothing else of a record (tests/unit/test_live_news.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

LISTED_MAX: Final = 500
"""Records that a batch lists. Of more it says tables and labels, and of too many of those only that much has changed."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A record that moved: the labels that it carries (none: deleted), and those that it may just have lost.

    `id` "": any number of records of the table, with these labels.
    """

    table: str
    id: str
    labels: Sequence[str]
    lost: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What moved after the position `after`, up to the clock `upto`; `rights`: when rights changed last, by then.

    `told`: (user, table) of records that this user's devices are sent again though they did not move. `whole`: more moved
    than can be listed; whoever listens should pull.
    """

    org_id: str
    after: int
    upto: int
    rights: tuple[int, int] = (0, 0)
    touched: Sequence[Touched] = ()
    told: Sequence[tuple[str, str]] = ()
    whole: bool = False


def write_batch(batch: Batch) -> bytes:
    """Write a batch for the other processes; `read_batch` gives it back."""
    records = [[t.table, t.id, list(t.labels), list(t.lost)] for t in batch.touched]
    parts = [batch.org_id, batch.after, batch.upto, list(batch.rights), records, [list(t) for t in batch.told]]
    return orjson.dumps([*parts, batch.whole])


def read_batch(message: bytes) -> Batch | None:
    """Read what `write_batch` wrote; None if it is something else: a bus is shared with whoever has its password."""
    try:
        return _batch(orjson.loads(message))
    except (ValueError, TypeError, IndexError):
        return None


def _batch(parts: Any) -> Batch:
    org_id, after, upto, (given, assigned), records, told, whole = parts
    if not isinstance(org_id, str) or not all(type(n) is int for n in (after, upto, given, assigned)):
        raise TypeError
    touched = tuple(Touched(_text(table), _text(id), _texts(on), _texts(off)) for table, id, on, off in records)
    named = tuple((_text(user), _text(table)) for user, table in told)
    return Batch(org_id, after, upto, (given, assigned), touched, named, whole is True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)
