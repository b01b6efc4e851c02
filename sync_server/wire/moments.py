"""Moments on the wire.

Must not know: what happened then.
Invariant: a moment is written as the sync writes it, `erp_core.values.Instant` (docs/PROTOCOL.md, "Values").
"""

from __future__ import annotations

from datetime import datetime


def milliseconds(moment: datetime | None) -> int | None:
    """Write a moment: milliseconds since 1970; none as null."""
    return None if moment is None else round(moment.timestamp() * 1000)
