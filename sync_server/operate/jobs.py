"""Jobs while the server runs: what is due taken, done, tried again, given up; schedules asked for once in the installation.

Owns: the rhythm, how many run at once, and the way from a job that was taken to its end.
Must not know: SQL, what a job does, when it is tried again.
Invariant: whichever process dies at whatever moment, a job is done by another (tests/integration/test_job_crashes.py); a job
that fails, fails alone.

Every process does this, or those that are started for it (`cotton-sync jobs work`). A process says every few seconds that it
is still at its jobs; who has not said so for `STALE` has died, and others take what it had.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Final

import asyncpg
import structlog

from sync_server.ending import end
from sync_server.engine.jobs import Kind, plain
from sync_server.operate.meters import JOBS
from sync_server.store import job_queue as store
from sync_server.store.database import Database
from sync_server.store.enduring import UNANSWERED, for_ever
from sync_server.store.job_queue import Job

POLL_SECONDS: Final = 0.5
"""Between two looks; each is one statement."""

PLAN_SECONDS: Final = 5.0
"""Between two looks at the schedules."""

AGAIN_SECONDS: Final = 2.0
"""After the database did not answer."""

BEAT_SECONDS: Final = 10.0
STALE: Final = timedelta(seconds=60)

AT_ONCE: Final = 4
"""Jobs of one process at the same time. Those of the whole installation go one by one: they use the owner's connections."""


log = structlog.get_logger(__name__)


class Jobs:
    """The jobs of the installation, as one process works on them."""

    def __init__(self, database: Database, kinds: Iterable[Kind], *, stale: timedelta = STALE) -> None:
        self._database = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._stale = stale
        self._worker = uuid.uuid4()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._alone = asyncio.Lock()
        self._planned_at = self._beat_at = float("-inf")

    async def run(self) -> None:
        """Work, for ever; a database that does not answer is asked again. Cancelled, it puts back what is under way."""
        try:
            await for_ever(self.look, "jobs_without_database", pause_seconds=POLL_SECONDS, again_seconds=AGAIN_SECONDS)
        finally:
            await self._end()

    async def look(self) -> int:
        """Ask for what is scheduled, say what is under way, begin what is due; give how many were begun."""
        now = asyncio.get_running_loop().time()
        if now - self._planned_at >= PLAN_SECONDS:
            await self.ask_for_what_is_due()
            self._planned_at = now
        if self._running and now - self._beat_at >= BEAT_SECONDS:
            async with self._database.acquire_everywhere() as connection:
                await store.beat(connection, self._running)
            self._beat_at = now
        return await self._begin()

    async def ask_for_what_is_due(self) -> list[str]:
        """Ask for a job of each kind whose time has come, unless another process does; give their kinds."""
        due_in = {(kind.name, kind.cron): kind.until_next() for kind in self._kinds.values() if kind.cron is not None}
        async with self._database.acquire_everywhere() as connection, connection.transaction():
            await store.plan(connection, due_in)
            return list(await store.ask_for_what_is_due(connection, due_in))

    async def work_off(self, most: int = 1_000) -> int:
        """Do what is due now, and what it asks for, until nothing is; give how many tries. For commands and tests."""
        begun = 0
        while begun < most and (more := await self._begin()):
            begun += more
            await asyncio.gather(*self._running.values())
        return begun

    # --- One job --------------------------------------------------------------------------------------------------------

    async def _begin(self) -> int:
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return 0
        async with self._database.acquire_everywhere() as connection:
            taken = await store.take(connection, self._worker, self._kinds, free, self._stale)
            times = await store.count_taken(connection, taken) if taken else {}
        for job in taken:
            if job.id in self._running:  # ours, and late in saying so
                continue
            task = self._running[job.id] = asyncio.create_task(self._do(job, times.get(job.id, 1)))
            task.add_done_callback(partial(self._ended, job.id))
        return len(taken)

    def _ended(self, id: int, task: asyncio.Task[None]) -> None:
        self._running.pop(id, None)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:  # the database went away over its end: it is stale soon, and somebody takes it
            log.warning("job_not_settled", job=id, fault=type(fault).__name__)

    async def _do(self, job: Job, taken: int) -> None:
        kind = self._kinds[job.kind]
        if kind.is_lost(job.attempts, taken):
            await self._bury(kind, job, f"It was begun {taken} times and never ended: its process died each time.")
            return
        try:
            async with asyncio.timeout(kind.seconds):
                await self._handle(kind, job)
        except Exception as failure:  # the supervisor of the jobs: one that fails is tried again, and holds up no other
            if isinstance(failure, asyncpg.PostgresError):
                failure.detail = None  # "Failing row contains …": business data stays out of the log
            log.error(
                "job_failed", job=job.id, kind=job.kind, org=job.org_id, failures=job.attempts + 1, exc_info=failure
            )
            await self._failed(kind, job, plain(failure))
        else:
            await self._done(kind, job)

    async def _handle(self, kind: Kind, job: Job) -> None:
        if job.org_id:
            await kind.handler(job)
        else:
            async with self._alone:
                await kind.handler(job)

    async def _done(self, kind: Kind, job: Job) -> None:
        async with self._database.acquire_everywhere() as connection, connection.transaction():
            if await store.hold(connection, self._worker, job.id):
                await store.end(connection, job)
        JOBS.add(kind.name, "done")

    async def _failed(self, kind: Kind, job: Job, error: str) -> None:
        failures = job.attempts + 1
        if failures >= kind.tries:
            await self._bury(kind, job, error)
            return
        delay = kind.delay(failures, random.random())  # noqa: S311 - jitter, not a secret
        async with self._database.acquire_everywhere() as connection, connection.transaction():
            if await store.hold(connection, self._worker, job.id):
                await store.put_off(connection, job, delay)
        JOBS.add(kind.name, "failed")

    async def _bury(self, kind: Kind, job: Job, error: str) -> None:
        async with self._database.acquire_everywhere() as connection, connection.transaction():
            if await store.hold(connection, self._worker, job.id):
                await store.bury(connection, job, error)
        log.error("job_dead", job=job.id, kind=job.kind, org=job.org_id, error=error)
        JOBS.add(kind.name, "dead")

    async def _end(self) -> None:
        """Cut what is under way and put it back, so that others need not wait until it is stale."""
        tasks = list(self._running.values())
        await end(tasks)
        try:
            async with self._database.acquire_everywhere() as connection:
                await store.let_go(connection, self._worker)
        except UNANSWERED as fault:
            log.warning("jobs_not_put_back", fault=type(fault).__name__)
