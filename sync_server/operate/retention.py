"""Retention: how long what tells of persons is kept, and letting go of it.

Owns: the round, and the list of what is kept for how long.
Must not know: SQL, when the round comes (job_kinds.py).
Invariant: what is listed is what is done, by the same settings (tests/integration/test_retention.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sync_server.config import Settings
from sync_server.operate.outward import KEPT as NOTICES_KEPT
from sync_server.operate.outward import LATE
from sync_server.operate.webhooks import KEPT as WEBHOOKS_KEPT
from sync_server.store import idempotency, outward, retention
from sync_server.store.database import Database


class Period(NamedTuple):
    """For how long something is kept, and why. `days` None: as long as the organisation keeps its books."""

    what: str
    days: float | None
    why: str


LOG: Final = "The log proves who changed what; of a person who is forgotten it says nothing any more."


def periods(settings: Settings) -> Sequence[Period]:
    """Say for how long what tells of persons is kept."""
    hours = idempotency.KEPT_HOURS / 24
    return (
        Period("records and their log", None, LOG),
        Period(
            "whence people logged in", settings.whence_days, "To find out about a break-in (CERT-In, 28 April 2022)."
        ),
        Period("what a wiped device left, once decided", settings.impounded_days, "Somebody may ask what it was."),
        Period("which records were deleted", settings.tombstone_days, "Phones that were away hear of it."),
        Period("answers to pushes", settings.receipt_days, "A push that is repeated has no second effect."),
        Period("answers to requests with a key", hours, "A request that is repeated has no second effect."),
        Period("deliveries of webhooks", WEBHOOKS_KEPT.days, "Operators look for what did not arrive."),
        Period("that somebody was told by mail or push", NOTICES_KEPT.days, "Operators look for what did not arrive."),
        Period("one-time codes asked for", 2, "To stop whoever tries them out."),
    )


async def let_go(database: Database, settings: Settings, now: datetime) -> int:
    """Let go of what is older than it may be; give how much was."""
    async with database.acquire_everywhere() as connection:
        whence = await retention.forget_whence(connection, now - timedelta(days=settings.whence_days))
        await outward.forget(connection, now, kept=NOTICES_KEPT, late=LATE)
        left = await retention.forget_impounded(connection, now - timedelta(days=settings.impounded_days))
    return whence + left
