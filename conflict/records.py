"""What becomes of a whole record: made, changed, deleted, or left as it is.

Theory of operation. What a replica asks (made, changed, deleted) meets what the server has: nothing yet, the record as the
replica saw it, the record as others changed it, a tombstone. The table `FATES` names what is done for each pair, and nothing
else decides it. Two ask something more: a deletion of what others changed, how the entity wants it (`DELETIONS`); a change that
could be merged, whether what its author saw is still known and recent (`doubt`).

Owns: the table, and the two questions.
Must not know: which entity a record is of, where a record is looked up, who may see it.
Invariant: there is an answer to every pair; what was deleted is never made again; a change is never merged with what its author
could not have heard of for longer than the limit (tests/unit/test_records.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from conflict.mutation import Operation
from conflict.policies import BASE_UNKNOWN


class Standing(Enum):
    """What the server has of a record; the value says it in words."""

    NEVER = "it was never there"
    SEEN = "it is there, as the replica last saw it"
    MOVED = "others changed it since"
    GONE = "it was deleted"
    GONE_OWN = "it was deleted, and its author had made it"


class Fate(Enum):
    """What is done; the value says it in words."""

    MAKE = "it is made"
    MERGE = "it is merged"
    DELETE = "it is deleted"
    NOTHING = "nothing is left to do"
    DEAD = "refused as `deleted_meanwhile`: an edit does not bring it back"
    KEEP = "refused as `changed_meanwhile`: the record stays"
    WAIT = "parked as `changed_meanwhile`: a person decides"


DELETIONS: Final[Mapping[str, Fate]] = MappingProxyType(
    {"delete_wins": Fate.DELETE, "update_wins": Fate.KEEP, "park": Fate.WAIT}
)
"""How an entity wants a deletion of what others changed meanwhile -> what is done."""

FATES: Final[Mapping[Operation, Mapping[Standing, Fate | None]]] = MappingProxyType(
    {
        Operation.CREATED: MappingProxyType(
            {
                Standing.NEVER: Fate.MAKE,
                # Sent again after a lost answer, or two devices chose one id: field by field it comes to the same.
                Standing.SEEN: Fate.MERGE,
                Standing.MOVED: Fate.MERGE,
                Standing.GONE: Fate.DEAD,
                # Its answer was lost, and somebody deleted the record before it was sent again.
                Standing.GONE_OWN: Fate.NOTHING,
            }
        ),
        Operation.UPDATED: MappingProxyType(
            {
                # WatermelonDB's backends make a record that they never saw: its creation may be what was lost.
                Standing.NEVER: Fate.MAKE,
                Standing.SEEN: Fate.MERGE,
                Standing.MOVED: Fate.MERGE,
                Standing.GONE: Fate.DEAD,
                Standing.GONE_OWN: Fate.DEAD,
            }
        ),
        Operation.DELETED: MappingProxyType(
            {
                Standing.NEVER: Fate.NOTHING,
                Standing.SEEN: Fate.DELETE,
                Standing.MOVED: None,
                Standing.GONE: Fate.NOTHING,
                Standing.GONE_OWN: Fate.NOTHING,
            }
        ),
    }
)
"""What is asked -> what the server has -> what is done. None: `DELETIONS` says it."""

CHANGED_MEANWHILE: Final = "changed_meanwhile"
"""The reason code of a deletion of a record that others changed meanwhile."""

DELETED_MEANWHILE: Final = "deleted_meanwhile"
"""The reason code of an edit of a record that was deleted: WatermelonDB's push rule 3 treats it apart."""

STALE: Final = "stale"
"""The reason code of an edit of a record that others changed too long ago, unseen."""


def fate(operation: Operation, standing: Standing, deletion: str = "delete_wins") -> Fate:
    """Say what is done. `deletion`: how the entity wants a deletion of what others changed.

    >>> fate(Operation.UPDATED, Standing.GONE).name
    'DEAD'
    >>> fate(Operation.DELETED, Standing.MOVED, "park").name
    'WAIT'
    """
    decided = FATES[operation][standing]
    return DELETIONS[deletion] if decided is None else decided


def doubt(*, lost: bool, touches: bool, unseen_days: int | None, stale_days: int | None) -> str | None:
    """Give the reason code for which an edit that could be merged waits for a person instead; None: it is merged.

    `lost`: what its author last saw is not known any more. `touches`: the edit decides a field that others changed, too.
    `unseen_days`: for how many whole days others' changes have waited for its author; None: there are none. `stale_days`: the
    entity's limit; None: it has none.

    >>> doubt(lost=False, touches=False, unseen_days=31, stale_days=30)
    'stale'
    >>> doubt(lost=False, touches=True, unseen_days=29, stale_days=30)
    """
    if lost and touches:
        return BASE_UNKNOWN
    if unseen_days is None or stale_days is None or unseen_days < stale_days:
        return None
    return STALE
