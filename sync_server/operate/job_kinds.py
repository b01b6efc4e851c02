"""The kinds of jobs that there are, and when those come that nobody asks for.

Owns: the table.
Must not know: how a job does what it does; SQL.
Invariant: each can be done twice with no more effect than once (tests/integration/test_job_kinds.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from sync_server.config import Settings
from sync_server.engine import desk, match_keeping
from sync_server.engine.expiring import expire
from sync_server.engine.jobs import Kind
from sync_server.engine.leasing import reclaim_late
from sync_server.engine.notices import follow, tell_of_late_lorries
from sync_server.engine.sealing import seal
from sync_server.engine.standing import Standings
from sync_server.operate.audits import audit_by_night
from sync_server.operate.meters import UPKEEP
from sync_server.operate.retention import let_go
from sync_server.operate.upkeep import one_round
from sync_server.store import desk as desk_store
from sync_server.store import match_keeping as match_store
from sync_server.store import notices as notice_store
from sync_server.store import seals as seal_store
from sync_server.store.database import Connection, Database
from sync_server.store.expiring import list_organisations
from sync_server.store.following import Follower
from sync_server.store.job_queue import Job
from sync_server.store.jobs import ask
from sync_server.store.unit_of_work import unit_of_work

EXPIRE: Final = "expire"
NOTICES: Final = "notices"
LATENESS: Final = "lateness"
DESK: Final = "desk"
MATCHES: Final = "matches"
SEAL: Final = "seal"

SEALED_MAX: Final = 100_000
"""Events that one job seals, some seconds; the rest of a long log is for the next one."""


def kinds_of(database: Database, settings: Settings) -> Sequence[Kind]:
    """Give the kinds of jobs, over a database."""

    async def upkeep(_: Job) -> None:
        end = "failed"
        try:
            await one_round(database, tombstone_days=settings.tombstone_days, receipt_days=settings.receipt_days)
            end = "done"
        finally:
            UPKEEP.add(end)

    async def expiry(_: Job) -> None:
        await ask_everywhere(database, EXPIRE)

    async def expire_of(job: Job) -> None:
        await expire(database, job.org_id)

    standings = Standings()

    async def news(_: Job) -> None:
        await ask_where(database, NOTICES, notice_store.FOLLOWER.behind)

    async def notices_of(job: Job) -> None:
        await follow(database, standings, job.org_id)

    async def leases(_: Job) -> None:
        await reclaim_late(database, datetime.now(UTC))

    async def lorries(_: Job) -> None:
        await ask_everywhere(database, LATENESS)

    async def retention(_: Job) -> None:
        await let_go(database, settings, datetime.now(UTC))

    async def lateness_of(job: Job) -> None:
        await tell_of_late_lorries(database, standings, job.org_id)

    return (
        Kind("upkeep", upkeep, cron="17 * * * *", tries=3, seconds=3_000.0),
        Kind("expiry", expiry, cron="5 * * * *", tries=3),
        Kind(EXPIRE, expire_of, tries=5),
        Kind("news", news, cron="* * * * * */10", tries=2, seconds=60.0),
        Kind(NOTICES, notices_of),
        *_following(database, "desks", DESK, desk_store.FOLLOWER, desk.follow),
        *_following(database, "meetings", MATCHES, match_store.FOLLOWER, match_keeping.follow),
        *_of_the_seals(database, settings),
        Kind("leases", leases, cron="*/10 * * * *", tries=3),
        Kind("lorries", lorries, cron="35 * * * *", tries=3),
        Kind(LATENESS, lateness_of, tries=5),
        Kind("retention", retention, cron="20 19 * * *", tries=3, seconds=3_000.0),
    )


def _following(
    database: Database,
    asks: str,
    kind: str,
    follower: Follower,
    follow: Callable[[Database, str], Awaitable[int]],
) -> Sequence[Kind]:
    """Give the two kinds of one who follows the log: what asks where something is new, and what reads on there."""

    async def look(_: Job) -> None:
        await ask_where(database, kind, follower.behind)

    async def read_on(job: Job) -> None:
        await follow(database, job.org_id)

    return Kind(asks, look, cron="* * * * * */10", tries=2, seconds=60.0), Kind(kind, read_on)


def _of_the_seals(database: Database, settings: Settings) -> Sequence[Kind]:
    async def seal_some(database: Database, org_id: str) -> int:
        return await seal(database, org_id, SEALED_MAX)

    async def audits(_: Job) -> None:
        await audit_by_night(database, settings)

    return (
        *_following(database, "seals", SEAL, seal_store.FOLLOWER, seal_some),
        Kind("audit", audits, cron="40 20 * * *", tries=3, seconds=10_000.0),
    )


async def ask_everywhere(database: Database, kind: str) -> int:
    """Ask for a job of every organisation, one of each at a time; give how many there are."""
    return await ask_where(database, kind, list_organisations)


async def ask_where(database: Database, kind: str, which: Callable[[Connection], Awaitable[Sequence[str]]]) -> int:
    """Ask for a job of the organisations that `which` names, one of each at a time; give how many."""
    async with database.acquire_everywhere() as connection:
        organisations = await which(connection)

    async def work(connection: Connection) -> None:
        await ask(connection, kind, once_key="everywhere")

    for org_id in organisations:
        await unit_of_work(database, org_id, work)
    return len(organisations)
