"""Connections to PostgreSQL.

Owns: the pool, its time limits, and the units of work under way.
Must not know: what is read or written.
Invariant: a connection goes back to the pool outside any transaction, and `close` returns only when every unit of work
has ended (tests/integration/test_unit_of_work.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

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


ACQUIRE_SECONDS = 15.0
"""How long a request waits for a connection before it is told to come again: longer than a healthy queue ever is."""

OLDEST_POSTGRESQL = 15
"""Major version; the first that a supported Debian release ships. Newer features are not used."""


class Database:
    """A pool of connections to one database."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._under_way: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_max: int = 10,
        statement_timeout_ms: int = 30_000,
        lock_timeout_ms: int = 5_000,
        idle_in_transaction_timeout_ms: int = 10_000,
    ) -> Database:
        """Connect to `url`. Raises OSError or asyncpg.PostgresError if that fails."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_max,
            reset=_nothing_to_reset,
            server_settings={
                "application_name": "cotton-sync",
                "statement_timeout": str(statement_timeout_ms),
                "lock_timeout": str(lock_timeout_ms),
                "idle_in_transaction_session_timeout": str(idle_in_transaction_timeout_ms),
                "timezone": "UTC",
                "jit": "off",  # compiling a plan takes longer than any of our statements runs
                # Plans are kept: one made while a table was small must still be right once it is large. Hot statements
                # look rows up by key (joins as LATERAL … OFFSET 0); feed.take_your_time lifts this for the copies.
                "enable_seqscan": "off",
            },
        )
        return cls(pool)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend a connection; a transaction that is left open is rolled back when it comes back.

        Raises TimeoutError if none is free for `ACQUIRE_SECONDS`.
        """
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection inside one REPEATABLE READ, READ ONLY transaction: one point in time over all tables."""
        async with self.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
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

    async def close(self) -> None:
        """Wait for the units of work under way, then close the connections."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._pool.close()
