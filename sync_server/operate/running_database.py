"""The doctor's look at a database that is in use: what people do to it, what wears it out, what waits in it.

Owns: how much of each is too much.
Must not know: SQL, how any of it comes about.
Invariant: the limits are those of the alerts or stricter, so that the doctor names what an alert is about
(tests/integration/test_doctor.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from sync_server.config import Settings
from sync_server.operate.findings import Finding, judged
from sync_server.operate.sampling import skew_of
from sync_server.store import codes, jobs, upkeep, webhook_deliveries
from sync_server.store.database import Connection
from sync_server.store.vitals import Session, Vitals, read_vitals

CLOCK_SECONDS: Final = 10.0
TRANSACTION_SECONDS: Final = 900.0
LOCK_SECONDS: Final = 30.0
FREEZE_RATIO: Final = 0.5
DEAD_RATIO: Final = 0.5
LAG_BYTES: Final = 2**30
SKEW_SECONDS: Final = 2.0
"""As in docs/monitoring/alerts.yml."""

LATE_DAYS: Final = 2
"""For which deletions may be older than they are to be remembered: upkeep comes by every hour or so."""

UNSENT_MINUTES: Final = 2
JOB_LATE_SECONDS: Final = 900.0
WEBHOOK_LATE_SECONDS: Final = 3_600.0
"""How long a delivery may have waited: an endpoint that is away is tried again after minutes, then hours."""


async def examine_database(connection: Connection, settings: Settings) -> AsyncIterator[Finding]:
    """Examine a database whose schema is as it should be, as its owner. Cost: ten statements."""
    before = time.time()
    vitals = await read_vitals(connection)
    skew = skew_of(vitals.now, before, time.time())
    yield judged(
        f"the clocks of the database and of this machine differ by {abs(skew):.1f} s",
        wrong=abs(skew) > SKEW_SECONDS,
        mend="Let both machines run NTP; tokens and expiries go by them.",
    )
    yield _clock(vitals.holder)
    yield _session(
        vitals.oldest, TRANSACTION_SECONDS, "the oldest transaction", "Dead rows pile up while it lasts: end it"
    )
    yield _session(
        vitals.waiting, LOCK_SECONDS, "the longest wait for a lock", "See pg_blocking_pids for who holds it; or end it"
    )
    for worn in (*_wear(vitals), *_followers(vitals)):
        yield worn
    overdue = await upkeep.organisations_of_old(connection, settings.tombstone_days + LATE_DAYS)
    yield judged(
        f"{len(overdue)} organisations have deletions older than COTTON_TOMBSTONE_DAYS + {LATE_DAYS}",
        wrong=bool(overdue),
        mend=f"Upkeep, a job, does not get through for {', '.join(overdue[:5])}: see `cotton-sync jobs dead` and the log.",
    )
    async for waiting in _waiting(connection):
        yield waiting


def _clock(holder: Session | None) -> Finding:
    if holder is None or holder.seconds <= CLOCK_SECONDS:
        return Finding("no organisation's clock is held for long")
    return Finding(
        f"{_named(holder)} has held an organisation's clock for {holder.seconds:.0f} s",
        "Nobody of that organisation can write until it ends: let it commit, or "
        f"`SELECT pg_terminate_backend({holder.pid})`.",
    )


def _session(session: Session | None, limit: float, what: str, mend: str) -> Finding:
    if session is None:
        return Finding(f"{what}: none")
    return judged(
        f"{what}: {_named(session)}, {session.seconds:.0f} s",
        wrong=session.seconds > limit,
        mend=f"{mend} with `SELECT pg_terminate_backend({session.pid})`.",
    )


def _named(session: Session) -> str:
    return f"session {session.pid} ({session.program or 'no name'}, {session.state or 'state unknown'})"


def _wear(vitals: Vitals) -> tuple[Finding, Finding]:
    freeze = judged(
        f"rows are {vitals.freeze_ratio:.0%} of the way to the age at which PostgreSQL stops to write",
        wrong=vitals.freeze_ratio > FREEZE_RATIO,
        mend="End old transactions, drop slots that nobody reads, then VACUUM FREEZE the tables of the highest "
        "age(relfrozenxid).",
    )
    of = f" (of {vitals.dead_table})" if vitals.dead_table else ""
    dead = judged(
        f"{vitals.dead_ratio:.0%} dead rows in the worst large table{of}",
        wrong=vitals.dead_ratio > DEAD_RATIO,
        mend=f"End old transactions, then VACUUM {vitals.dead_table}; is autovacuum on?",
    )
    return freeze, dead


def _followers(vitals: Vitals) -> tuple[Finding, Finding]:
    behind = judged(
        f"{vitals.follower} is {vitals.lag_bytes / 2**20:.0f} MiB behind" if vitals.follower else "no replica, no slot",
        wrong=vitals.lag_bytes > LAG_BYTES,
        mend="Bring it back, or drop the slot of one that does not come back: it keeps the write-ahead log on this disk.",
    )
    archive = judged(
        "the write-ahead log cannot be archived" if vitals.archiving_fails else "no failure of archiving",
        wrong=vitals.archiving_fails,
        mend="Mend archive_command (pg_stat_archiver, PostgreSQL's log): it piles up on this disk, and backups have a hole.",
    )
    return behind, archive


async def _waiting(connection: Connection) -> AsyncIterator[Finding]:
    unsent, failed = await codes.count_unsent(connection, UNSENT_MINUTES)
    yield judged(
        f"{unsent} codes wait for more than {UNSENT_MINUTES} minutes, {failed} of the last hour could not be sent",
        wrong=bool(unsent or failed),
        mend="Does the gateway of COTTON_SMS_URL answer? sender_down and message_lost in the log say more.",
    )
    queue = await jobs.count(connection)
    yield judged(
        f"{queue.pending} jobs wait, the oldest that is due for {queue.oldest_seconds:.0f} s; {queue.dead} failed for good",
        wrong=bool(queue.dead) or queue.oldest_seconds > JOB_LATE_SECONDS,
        mend="`cotton-sync jobs list` and `jobs dead` show them with their last error; mend that, then `jobs retry`.",
    )
    pending, dead, age = await webhook_deliveries.count_waiting(connection, datetime.now(UTC))
    yield judged(
        f"{pending} deliveries of webhooks wait, the oldest for {age:.0f} s; {dead} were given up",
        wrong=bool(dead) or age > WEBHOOK_LATE_SECONDS,
        mend="Ask who runs the endpoint (each webhook has its delivery log); then send again what was given up.",
    )
