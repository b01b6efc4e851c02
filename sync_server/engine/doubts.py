"""Doubts: why a merge waits for a person, in words.

Owns: the reasons that follow from a resolution, and from what the replica could not have seen.
Must not know: drafts, SQL.
Invariant: what is parked has a reason that names the fields (tests/integration/test_exchange.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from conflict.merge import Resolution
from conflict.policies import BASE_UNKNOWN
from erp_core.language import Entity, Violation
from sync_server.engine.explaining import sentences
from sync_server.engine.sight import Sight

STALE: Final = "stale"
"""The reason code of an edit of a record that others changed too long ago, unseen."""


def parked(entity: Entity, resolution: Resolution) -> Iterator[Violation]:
    """Give the reasons for which a policy parked a field, in column order; in English (wording.py says them otherwise)."""
    for outcome in resolution.parked:
        assert outcome.parked is not None
        yield Violation(outcome.parked, sentences(entity, [outcome], None), (outcome.column,))


def doubtful(sight: Sight, touched: tuple[str, ...], received: datetime, stale_days: int | None) -> Iterator[Violation]:
    """Say why an edit that could be merged is not: what its author saw is not known any more, or too long ago."""
    if sight.lost and touched:
        sentence = "The server does not keep what you last saw of this record any more, and others changed it since."
        yield Violation(BASE_UNKNOWN, sentence, touched)
    elif sight.unseen is not None and stale_days is not None:
        days = (received - sight.unseen).days
        if days >= stale_days:
            sentence = f"Others changed this record {days} days ago, and your phone has not heard of it until now."
            yield Violation(STALE, sentence, touched)
