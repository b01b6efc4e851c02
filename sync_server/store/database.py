"""Connections to PostgreSQL, each for one organisation.

Owns: the pools, their time limits, for which organisation a connection works, and the units of work under way.
Must not know: what is read or written.
Invariant: a connection that `acquire` lends acts as `APP_ROLE`, which sees rows of the organisation that was named and of no
other, whatever a statement forgets (tests/integration/test_walls.py); it goes back outside any transaction, and `close`
returns only when every unit of work has ended (tests/integration/test_unit_of_work.py).

Why a role and a setting, and why of the connection and not of the transaction: docs/decisions/0011-walls.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

from sync_server.store.meters import POOL_TIMEOUTS, POOL_WAIT
from sync_server.store.timed import SlowStatements, Timed

Connection: TypeAlias = Any
"""An asyncpg connection, pooled or not; asyncpg has no common static type for the two."""

_Result = TypeVar("_Result")

DISCONNECTED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # A backend's last word, heard between two statements, leaves asyncpg waiting for the end of it: the next statement is
    # "another operation" until the socket is closed too.
    asyncpg.InternalClientError,
    OSError,
)
"""What asyncpg raises over a connection that PostgreSQL or the network has ended."""


async def _nothing_to_reset(_connection: Connection) -> None:
    """Save a round trip per request: every setting we make is SET LOCAL and asyncpg ends an open transaction itself."""


def nobody_listens(_org_id: str) -> None:
    """What a commit is told to before somebody listens."""


APP_ROLE: Final = "cotton_app"
"""Who requests are served as: it owns nothing, and policies keep it inside the organisation that `cotton.org` names."""

NO_ORGANISATION: Final = ""
"""For `Database.acquire`: nobody's rows. What a login asks before it is known whose it is has functions of its own."""

ROLE_MENDED: Final = (
    "Run `cotton-sync migrate up`; where that may not make roles, a database administrator runs once:"
    f" CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO the user of COTTON_DATABASE_URL;"
)

OWNER_CONNECTIONS_MAX: Final = 2
"""Connections of each process that see all organisations: for upkeep and for looking at the schema."""

ACQUIRE_SECONDS = 15.0
"""How long a request waits for a connection before it is told to come again: longer than a healthy queue ever is."""

REQUESTS: Final = "requests"
OWNERS: Final = "owners"
"""The names of the pools, where their use is told."""

OLDEST_POSTGRESQL = 15
"""Major version; the first that a supported Debian release ships. Newer features are not used."""


class RoleMissing(Exception):
    """The server cannot act as `APP_ROLE`; the message says what to do."""


class _AppConnection(Timed):
    """A connection that acts as `APP_ROLE` and remembers for which organisation; None: that is not known."""

    _works_for: str | None = None

    async def become_app(self) -> None:
        """Give up the rights of whoever logged in. Cost: one statement, once per connection."""
        self._works_for = None
        await self.execute(f"SET ROLE {APP_ROLE}; SET cotton.org = ''")
        self._works_for = NO_ORGANISATION

    async def work_for(self, org_id: str) -> None:
        """Show the rows of one organisation, "" for none. Cost: one statement, if it worked for another."""
        if self._works_for != org_id:
            self._works_for = None  # should we be cancelled, nobody knows whether it arrived
            await self.fetchval("SELECT set_config('cotton.org', $1, false)", org_id)
            self._works_for = org_id


class Database:
    """Two pools of connections to one database: one acts as `APP_ROLE`, the other, small one as whoever owns the tables."""

    def __init__(self, pool: asyncpg.Pool, owners: asyncpg.Pool, slow: SlowStatements) -> None:
        self._pool = pool
        self._owners = owners
        slow.explain = lambda query: self.in_background(self._explain(slow, query))
        self._under_way: set[asyncio.Task[Any]] = set()
        self.on_commit: Callable[[str], None] = nobody_listens
        """Told the organisation of each unit of work that this process has committed, at once."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_max: int = 10,
        statement_timeout_ms: int = 30_000,
        lock_timeout_ms: int = 5_000,
        idle_in_transaction_timeout_ms: int = 10_000,
        owners_max: int = OWNER_CONNECTIONS_MAX,
        slow_statement_ms: int = 0,
    ) -> Database:
        """Connect to `url`; statements that take `slow_statement_ms` are logged, with their plans (0: none is).

        Raises `RoleMissing`, and OSError or asyncpg.PostgresError if it cannot be reached."""
        settings = {
            "application_name": "cotton-sync",
            "statement_timeout": str(statement_timeout_ms),
            "lock_timeout": str(lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(idle_in_transaction_timeout_ms),
            "timezone": "UTC",
            "jit": "off",  # compiling a plan takes longer than any of our statements runs
            # Plans are kept: one made while a table was small must still be right once it is large. Hot statements
            # look rows up by key (joins as LATERAL … OFFSET 0); feed.take_your_time lifts this for the copies.
            "enable_seqscan": "off",
            # Planning the delta takes as long as running it; with look-ups pinned to keys, no plan depends on values.
            "plan_cache_mode": "force_generic_plan",
        }
        pooled = partial(asyncpg.create_pool, url, reset=_nothing_to_reset, server_settings=settings)
        slow = SlowStatements(slow_statement_ms)
        owners = await pooled(min_size=0, max_size=owners_max)

        async def begin(connection: _AppConnection) -> None:
            await connection.become_app()
            connection.slow = slow

        try:
            pool = await pooled(min_size=1, max_size=pool_max, connection_class=_AppConnection, init=begin)
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as refused:
            raise RoleMissing(f"{refused}. {ROLE_MENDED}") from refused
        return cls(pool, owners, slow)

    @asynccontextmanager
    async def acquire(self, org_id: str) -> AsyncIterator[Connection]:
        """Lend a connection that sees the rows of one organisation; a transaction left open in it is rolled back.

        Raises TimeoutError if none is free for `ACQUIRE_SECONDS`. Cost: one statement, if the connection was lent for
        another organisation before; the one that came back last is lent first.
        """
        connection = await _take(self._pool, REQUESTS)
        try:
            await connection.work_for(org_id)
            yield connection
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def acquire_everywhere(self) -> AsyncIterator[Connection]:
        """Lend a connection of the tables' owner, before whom there is no wall: for upkeep, seeding and people's commands.

        Never for what a request asks. Raises as `acquire` does.
        """
        connection = await _take(self._owners, OWNERS)
        try:
            yield connection
        finally:
            await self._owners.release(connection)

    @asynccontextmanager
    async def snapshot(self, org_id: str) -> AsyncIterator[Connection]:
        """Lend a connection inside one REPEATABLE READ, READ ONLY transaction: one point in time over all tables."""
        async with (
            self.acquire(org_id) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def shielded(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run `work` to its end even if the caller is cancelled: a phone that hangs up must not cut a commit in half."""
        return await asyncio.shield(self.in_background(work))

    def in_background(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Start `work` as a task that `close` waits for; the caller looks after its outcome."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def pool_use(self) -> Mapping[tuple[str, ...], float]:
        """Count the connections: (pool, busy, idle or max) -> how many."""
        use: dict[tuple[str, ...], float] = {}
        for name, pool in ((REQUESTS, self._pool), (OWNERS, self._owners)):
            size, idle = pool.get_size(), pool.get_idle_size()
            use |= {(name, "busy"): size - idle, (name, "idle"): idle, (name, "max"): pool.get_max_size()}
        return use

    async def _explain(self, slow: SlowStatements, query: str) -> None:
        try:
            async with self.acquire(NO_ORGANISATION) as connection:
                await slow.log_plan(connection, query)
        except (*DISCONNECTED, TimeoutError):  # it will be slow again
            slow.forget(query)

    async def close(self) -> None:
        """Wait for the units of work under way, then close the connections."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._pool.close()
        await self._owners.close()


async def _take(pool: asyncpg.Pool, name: str) -> Connection:
    began = time.perf_counter()
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
    except TimeoutError:
        POOL_TIMEOUTS.add(name)
        raise
    POOL_WAIT.observe(time.perf_counter() - began, name)
    return connection
