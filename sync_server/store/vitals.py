"""Vitals: how a running database fares, beyond what the program itself notices.

Owns: the statements that ask PostgreSQL about its transactions, locks, dead rows, replicas and size.
Must not know: what is too much; whoever asks decides.
Invariant: nothing is changed or held, and what the user may not see of other users' sessions is left out, not guessed
(tests/integration/test_doctor.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sync_server.store.database import Connection

LARGE_ROWS: Final = 10_000
"""Tables with fewer rows are not looked at for dead ones: they are nothing to walk through."""


class Session(NamedTuple):
    """A database session: its process, program and state, for how long (seconds), and what it does or did last."""

    pid: int
    program: str
    state: str
    seconds: float
    doing: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """`now`: the database's clock, in Unix seconds. `oldest`: the oldest transaction; `holder`: the one among those that have
    written to an organisation's clock; `waiting`: who has waited longest for a lock. `dead_ratio`: of `dead_table`, the large
    table with most dead rows. `freeze_ratio`: of the age at which PostgreSQL stops to write. `lag_bytes`: of the slowest
    `follower`, a replica or a slot."""

    now: float
    oldest: Session | None
    holder: Session | None
    waiting: Session | None
    dead_table: str
    dead_ratio: float
    freeze_ratio: float
    follower: str
    lag_bytes: int
    archiving_fails: bool
    database_bytes: int


_SESSIONS: Final = """
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.state, ''),
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
  a.wait_event_type IS NOT DISTINCT FROM 'Lock' AS waits,
  EXISTS (
    SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation = to_regclass('org_clock')
      AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
  ) AS holds,
  extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS asked, left(coalesce(a.query, ''), 200)
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND a.xact_start IS NOT NULL
ORDER BY a.xact_start LIMIT 1000
"""

_TABLES: Final = """
SELECT relname, n_dead_tup::float8 / (n_live_tup + n_dead_tup) AS ratio FROM pg_stat_user_tables
WHERE n_live_tup + n_dead_tup > $1 ORDER BY ratio DESC LIMIT 1
"""

_WHOLE: Final = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS now,
  (greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 2147483648.0)::float8 AS freeze,
  pg_database_size(d.oid) AS bytes,
  (SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver) AS unarchived
FROM pg_database d WHERE d.datname = current_database()
"""

_FOLLOWERS: Final = """
SELECT name, bytes FROM (
  SELECT 'replica ' || coalesce(nullif(application_name, ''), 'unnamed') AS name,
    pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint AS bytes FROM pg_stat_replication
  UNION ALL
  SELECT 'slot ' || slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint FROM pg_replication_slots
) followers WHERE bytes IS NOT NULL AND NOT pg_is_in_recovery() ORDER BY bytes DESC LIMIT 1
"""


async def read_vitals(connection: Connection) -> Vitals:
    """Look at the database that `connection` is of. Cost: four statements; the size of a large database takes some 10 ms."""
    sessions = await connection.fetch(_SESSIONS)
    (whole,) = await connection.fetch(_WHOLE)
    dead = await connection.fetch(_TABLES, LARGE_ROWS)
    followers = await connection.fetch(_FOLLOWERS)
    dead_table, dead_ratio = dead[0] if dead else ("", 0.0)
    follower, lag_bytes = followers[0] if followers else ("", 0)
    waiting = [_session(row, row[6]) for row in sessions if row[4]]
    return Vitals(
        now=whole["now"],
        oldest=next((_session(row, row[3]) for row in sessions), None),
        holder=next((_session(row, row[3]) for row in sessions if row[5]), None),
        waiting=max(waiting, key=lambda one: one.seconds, default=None),
        dead_table=dead_table,
        dead_ratio=dead_ratio,
        freeze_ratio=whole["freeze"],
        follower=follower,
        lag_bytes=lag_bytes,
        archiving_fails=whole["unarchived"],
        database_bytes=whole["bytes"],
    )


def _session(row: Sequence[object], seconds: object) -> Session:
    pid, program, state = row[0], row[1], row[2]
    assert isinstance(pid, int)
    assert isinstance(seconds, float)
    return Session(pid, str(program), str(state), seconds, str(row[7]))
