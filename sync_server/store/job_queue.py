"""The queue of jobs, for who works on it: pgqueuer's statements where it has one, ours where it has none.

Owns: taking, saying that one is at it, ending, putting off, burying; and the schedules. On connections of the owner.
Must not know: what a job does, when it is tried again.
Invariant: a job that is taken is the taker's alone until it ends or its heart has stopped, and leaves the queue only done or
dead (tests/integration/test_jobs.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain import models
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import CronEntrypoint, CronExpression, JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from sync_server.store.database import Connection
from sync_server.store.jobs import Body, ask


@dataclass(frozen=True, slots=True)
class Job:
    """A job that somebody took. `attempts`: how often it failed; `org_id` "": of the whole installation."""

    id: int
    kind: str
    org_id: str
    body: Body
    once_key: str | None
    attempts: int
    asked_at: datetime
    taken: models.Job


@cache
def _settings() -> DBSettings:
    """Name the tables as our migration does, whatever the environment says to pgqueuer."""
    return DBSettings(
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        schedules_table="pgqueuer_schedules",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
    )


def _queries(connection: Connection) -> Queries:
    settings = _settings()
    builders = (QueryBuilderEnvironment(settings), QueryQueueBuilder(settings), QuerySchedulerBuilder(settings))
    return Queries(AsyncpgDriver(connection), *builders)


async def take(
    connection: Connection, worker: uuid.UUID, kinds: Collection[str], most: int, stale: timedelta
) -> Sequence[Job]:
    """Take jobs that are due, or whose worker's heart has not beaten for `stale`; each is given to one worker only."""
    anything = {QueueEntrypoint(kind): EntrypointExecutionParameter(concurrency_limit=0) for kind in kinds}
    taken = await _queries(connection).dequeue(most, anything, QueueManagerId(worker), None, stale)
    return [_job(one) for one in taken]


def _job(taken: models.Job) -> Job:
    said = json.loads(taken.payload or b"{}")
    return Job(
        *(taken.id, str(taken.entrypoint), said["org_id"], said["body"], said["once_key"], taken.attempts),
        asked_at=taken.created,
        taken=taken,
    )


async def count_taken(connection: Connection, jobs: Sequence[Job]) -> Mapping[int, int]:
    """Say how often each was taken, as far as the log goes back: job -> times."""
    rows = await connection.fetch(
        "SELECT job_id, count(*) AS times FROM pgqueuer_log WHERE job_id = ANY($1) AND status = 'picked' GROUP BY job_id",
        [job.id for job in jobs],
    )
    return {row["job_id"]: row["times"] for row in rows}


async def beat(connection: Connection, jobs: Collection[int]) -> None:
    """Say that jobs are still under way."""
    await _queries(connection).update_heartbeat([JobId(id) for id in jobs])


async def hold(connection: Connection, worker: uuid.UUID, id: int) -> bool:
    """Lock a job that `worker` took; False: somebody else has it by now, or it has ended."""
    held = "SELECT true FROM pgqueuer WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked' FOR UPDATE"
    return bool(await connection.fetchval(held, id, worker))


async def end(connection: Connection, job: Job) -> None:
    """Take a job that is done off the queue."""
    await _queries(connection).log_jobs([(job.taken, "successful", None)])


async def put_off(connection: Connection, job: Job, delay: timedelta) -> None:
    """Have a job that failed tried again after `delay`."""
    await _queries(connection).retry_job(job.taken, delay, None)


async def bury(connection: Connection, job: Job, error: str) -> None:
    """Take a job that failed for good off the queue and keep it among the dead."""
    await connection.execute(
        "INSERT INTO dead_job (org_id, id, kind, body, once_key, attempts, error, asked_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(job.org_id, job.id, job.kind, json.dumps(job.body), job.once_key, job.attempts + 1, error, job.asked_at),
    )
    await _queries(connection).log_jobs([(job.taken, "exception", None)])


async def let_go(connection: Connection, worker: uuid.UUID) -> None:
    """Put back what `worker` took, for the others, as it stops."""
    await connection.execute(
        "UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, updated = now() WHERE queue_manager_id = $1"
        " AND status = 'picked'",
        worker,
    )


# --- Schedules ----------------------------------------------------------------------------------------------------------


async def plan(connection: Connection, schedules: Mapping[tuple[str, str], timedelta]) -> None:
    """Write down schedules that are not there yet: (kind, cron expression) -> time until it is due first."""
    await _queries(connection).insert_schedule(_keys(schedules))


async def ask_for_what_is_due(connection: Connection, schedules: Mapping[tuple[str, str], timedelta]) -> Sequence[str]:
    """Ask for a job of each schedule that is due, and give their kinds; in a transaction, by one process of all.

    `schedules`: as for `plan`, with the time until each is due after this one.
    """
    queries = _queries(connection)
    due = await queries.fetch_schedule(_keys(schedules))
    for one in due:
        await ask(connection, str(one.entrypoint), once_key="scheduled")
    if due:
        await queries.set_schedule_queued({one.id for one in due})
    return [str(one.entrypoint) for one in due]


def _keys(schedules: Mapping[tuple[str, str], timedelta]) -> dict[models.CronExpressionEntrypoint, timedelta]:
    return {
        models.CronExpressionEntrypoint(entrypoint=CronEntrypoint(kind), expression=CronExpression(cron)): until
        for (kind, cron), until in schedules.items()
    }
