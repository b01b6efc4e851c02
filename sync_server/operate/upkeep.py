"""Upkeep: what is too old is let go of: by a job once an hour, and by each process on its own disk.

Owns: what a round does, and the task that sweeps the disk.
Must not know: SQL, when a round is done (job_kinds.py).
Invariant: a round that fails half-way is made good by the next; stopping the server stops the task
(tests/integration/test_upkeep.py).
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from sync_server.store import codes, idempotency, jobs, sessions, upkeep
from sync_server.store.database import Database
from sync_server.store.parcels import ParcelRoom

SWEEP_SECONDS: Final = 600
"""Between two looks for slices that are too old."""

SESSION_DAYS: Final = 30
"""How long a session that has ended can still be looked at, and a refresh token of it be told from a guess."""

JOB_LOG_DAYS: Final = 7
DEAD_JOB_DAYS: Final = 90

log = structlog.get_logger(__name__)


async def sweep(room: ParcelRoom) -> None:
    """Remove slices that nobody fetched, for ever. Each process does it: others may be on other machines."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - so that workers do not march in step
        try:
            await asyncio.to_thread(room.sweep)
        except OSError as failure:
            log.error("sweep_failed", exc_info=failure)


async def one_round(database: Database, *, tombstone_days: int, receipt_days: int) -> int:
    """Do one round, unless another process is at it; give the number of organisations that were purged."""
    async with database.acquire_everywhere() as connection:
        async with connection.transaction():
            if not await upkeep.claim_upkeep(connection):
                return 0
            await upkeep.forget_receipts(connection, receipt_days)
            await sessions.forget_ended(connection, SESSION_DAYS)
            await codes.forget(connection)
            await idempotency.forget(connection)
            await jobs.forget(connection, log_days=JOB_LOG_DAYS, dead_days=DEAD_JOB_DAYS)
        organisations = await upkeep.organisations_of_old(connection, tombstone_days)
        for org_id in organisations:  # a transaction each: a clock is held only as long as its own purge takes
            async with connection.transaction():
                await upkeep.purge(connection, org_id, tombstone_days)
    return len(organisations)
