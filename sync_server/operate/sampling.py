"""Sampling: what nobody comes by in the course of their work: the event loop's lateness, the database's vitals, the disk.

Owns: the tasks that look, and how often.
Must not know: what is too much.
Invariant: it looks on whatever it finds, and what it could not see is told as not seen, never as it was the last time
(tests/integration/test_metrics.py).
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import structlog

from sync_server.ending import end
from sync_server.operate import meters
from sync_server.store import jobs
from sync_server.store.database import DISCONNECTED, Database
from sync_server.store.seals import oldest_unsealed
from sync_server.store.vitals import Session, read_vitals
from sync_server.store.webhook_deliveries import count_waiting

LAG_SECONDS: Final = 0.25
"""Between two looks at the event loop; each costs some 20 µs."""

SAMPLE_SECONDS: Final = 15.0
"""Between two looks at the database; as often as Prometheus asks."""

UNSEEN: Final = (
    meters.TRANSACTION_AGE,
    meters.LOCK_WAIT,
    meters.CLOCK_HELD,
    meters.FREEZE_AGE,
    meters.DEAD_ROWS,
    meters.REPLICATION_LAG,
    meters.DATABASE_BYTES,
    meters.JOBS_QUEUED,
    meters.JOBS_AGE,
    meters.WEBHOOK_DELIVERIES,
    meters.WEBHOOK_AGE,
    meters.UNSEALED,
    meters.TIME_SKEW,
)

log = structlog.get_logger(__name__)


@asynccontextmanager
async def sampling(database: Database, folder: Path, *, seconds: float = SAMPLE_SECONDS) -> AsyncIterator[None]:
    """Look while the block runs: at the event loop, at `database`, and at the disk that `folder` is on."""
    tasks = [asyncio.create_task(_watch_the_loop()), asyncio.create_task(_keep_looking(database, folder, seconds))]
    try:
        yield
    finally:
        await end(tasks)


async def _watch_the_loop() -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LAG_SECONDS)
        meters.LOOP_LAG.observe(max(time.perf_counter() - began - LAG_SECONDS, 0.0))


async def _keep_looking(database: Database, folder: Path, seconds: float) -> None:
    while True:
        try:
            await sample(database)
            meters.SAMPLES.add("ok")
        except (asyncpg.PostgresError, TimeoutError, *DISCONNECTED) as fault:
            for gauge in UNSEEN:
                gauge.replace({})
            meters.SAMPLES.add("failed")
            log.warning("sample_failed", fault=type(fault).__name__)
        sample_disk(folder)
        await asyncio.sleep(seconds)


async def sample(database: Database) -> None:
    """Look at the database once. Cost: seven statements."""
    async with database.acquire_everywhere() as connection:
        before = time.time()
        vitals = await read_vitals(connection)
        after = time.time()
        queue = await jobs.count(connection)
        waiting, given_up, age = await count_waiting(connection, datetime.now(UTC))
        unsealed = await oldest_unsealed(connection)
    meters.JOBS_QUEUED.replace({("pending",): queue.pending, ("running",): queue.running, ("dead",): queue.dead})
    meters.JOBS_AGE.set(queue.oldest_seconds)
    meters.WEBHOOK_DELIVERIES.replace({("pending",): waiting, ("dead",): given_up})
    meters.WEBHOOK_AGE.set(age)
    meters.UNSEALED.set(unsealed)
    meters.TRANSACTION_AGE.set(_seconds(vitals.oldest))
    meters.LOCK_WAIT.set(_seconds(vitals.waiting))
    meters.CLOCK_HELD.set(_seconds(vitals.holder))
    meters.FREEZE_AGE.set(vitals.freeze_ratio)
    meters.DEAD_ROWS.set(vitals.dead_ratio)
    meters.REPLICATION_LAG.set(vitals.lag_bytes)
    meters.DATABASE_BYTES.set(vitals.database_bytes)
    meters.TIME_SKEW.set(skew_of(vitals.now, before, after))


def sample_disk(folder: Path) -> None:
    """Look at the disk once."""
    disk = shutil.disk_usage(folder)
    meters.DISK_FREE.set(disk.free)
    meters.DISK_FREE_RATIO.set(disk.free / disk.total)


def skew_of(now: float, before: float, after: float) -> float:
    """Say how far a clock that said `now` at some time between `before` and `after` is ahead; 0 if it may be right.

    >>> skew_of(10.5, 10.0, 11.0), skew_of(13.0, 10.0, 11.0), skew_of(8.0, 10.0, 11.0)
    (0.0, 2.0, -2.0)
    """
    return max(now - after, 0.0) + min(now - before, 0.0)


def _seconds(session: Session | None) -> float:
    return 0.0 if session is None else session.seconds
