"""Doubts: why a merge waits for a person, in words.

Owns: the reasons that follow from a resolution, and from what the replica could not have seen.
Must not know: drafts, SQL.
Invariant: what is parked has a reason that names the fields (tests/integration/test_exchange.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from conflict.merge import Resolution
from conflict.policies import BASE_UNKNOWN
from conflict.records import STALE, doubt
from erp_core.language import Entity, Violation
from sync_server.engine.explaining import sentences
from sync_server.engine.sight import Sight


def parked(entity: Entity, resolution: Resolution) -> Iterator[Violation]:
    """Give the reasons for which a policy parked a field, in column order; in English (wording.py says them otherwise)."""
    for outcome in resolution.parked:
        assert outcome.parked is not None
        yield Violation(outcome.parked, sentences(entity, [outcome], None), (outcome.column,))


def doubtful(sight: Sight, touched: tuple[str, ...], received: datetime, stale_days: int | None) -> Iterator[Violation]:
    """Say why an edit that could be merged is not: what its author saw is not known any more, or too long ago."""
    days = None if sight.unseen is None else (received - sight.unseen).days
    code = doubt(lost=sight.lost, touches=bool(touched), unseen_days=days, stale_days=stale_days)
    if code == BASE_UNKNOWN:
        sentence = "The server does not keep what you last saw of this record any more, and others changed it since."
        yield Violation(BASE_UNKNOWN, sentence, touched)
    elif code == STALE:
        sentence = f"Others changed this record {days} days ago, and your phone has not heard of it until now."
        yield Violation(STALE, sentence, touched)
