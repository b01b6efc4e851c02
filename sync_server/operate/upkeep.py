"""The keeper: once an hour, one process of all lets go of what is too old.

Owns: the background task and its rhythm.
Must not know: SQL.
Invariant: a failed round is logged and the next one comes; stopping the server stops the task
(tests/integration/test_upkeep.py).
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from sync_server.operate.meters import UPKEEP
from sync_server.store import codes, idempotency, sessions, upkeep
from sync_server.store.database import Database
from sync_server.store.parcels import ParcelRoom

ROUND_SECONDS: Final = 3_600
"""Between two rounds; what is kept for months need not go to the minute."""

SWEEP_SECONDS: Final = 600
"""Between two looks for slices that are too old."""

SESSION_DAYS: Final = 30
"""How long a session that has ended can still be looked at, and a refresh token of it be told from a guess."""

log = structlog.get_logger(__name__)


async def keep(database: Database, *, tombstone_days: int, receipt_days: int) -> None:
    """Do a round of upkeep every hour, for ever. Several processes share it: who comes first does the round."""
    while True:
        await asyncio.sleep(ROUND_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - so that workers do not march in step
        try:
            await one_round(database, tombstone_days=tombstone_days, receipt_days=receipt_days)
            UPKEEP.add("done")
        except Exception as failure:  # the supervisor of the background: the next round tries again
            UPKEEP.add("failed")
            log.error("upkeep_failed", exc_info=failure)


async def sweep(room: ParcelRoom) -> None:
    """Remove slices that nobody fetched, for ever. Each process does it: others may be on other machines."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - as above
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
        organisations = await upkeep.organisations_of_old(connection, tombstone_days)
        for org_id in organisations:  # a transaction each: a clock is held only as long as its own purge takes
            async with connection.transaction():
                await upkeep.purge(connection, org_id, tombstone_days)
    return len(organisations)
