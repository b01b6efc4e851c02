"""The unit of work: one organisation, one actor, one transaction, done wholly or not at all.

Owns: begin, who the log says did it, retry, commit.
Must not know: what is written.
Invariant: `work` has either committed exactly once or left no trace; a deadlock, a lost lock or a lost race runs it again
from its first read, a bounded number of times (tests/integration/test_unit_of_work.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

import asyncpg

from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database

_Result = TypeVar("_Result")

ATTEMPTS_MAX: Final = 6
"""With full jitter up to 2^n · 5 ms the last attempt starts within about 0.3 s: longer waits are the client's to make."""

_LOST_RACES: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    # Between our check and our write another unit removed a parent or took a unique value; checked again, it is a
    # refusal in words instead of an error.
    asyncpg.ForeignKeyViolationError,
    asyncpg.UniqueViolationError,
)


class Busy(Exception):
    """Every attempt at a unit of work lost its race; nothing was applied and the same request may be sent again."""


async def unit_of_work(
    database: Database, actor: Actor, work: Callable[[Connection], Awaitable[_Result]], *, push: str = ""
) -> _Result:
    """Run `work(connection)` in one transaction and commit it, shielded from cancellation.

    `work` may run several times: it must start from its own reads each time. Raises `Busy` after `ATTEMPTS_MAX`
    lost races, and whatever `work` raises, after rolling back.
    """
    return await database.shielded(_attempts(database, actor, work, push))


async def _attempts(
    database: Database, actor: Actor, work: Callable[[Connection], Awaitable[_Result]], push: str
) -> _Result:
    for attempt in range(ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter, not a secret
        try:
            async with database.acquire() as connection:
                return await _once(connection, actor, work, push)
        except _LOST_RACES as lost:
            last = lost
    raise Busy from last


async def _once(
    connection: Connection, actor: Actor, work: Callable[[Connection], Awaitable[_Result]], push: str
) -> _Result:
    # One round trip for BEGIN and the settings: a push of one record has few of them to spare.
    async with _between(
        connection, f"BEGIN ISOLATION LEVEL READ COMMITTED; {_acting(actor, push)}", "COMMIT", "ROLLBACK"
    ):
        return await work(connection)


@asynccontextmanager
async def shared_transaction(database: Database) -> AsyncIterator[Connection]:
    """Lend a connection in one transaction for several units of one organisation, each within a `savepoint`."""
    async with (
        database.acquire() as connection,
        _between(connection, "BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT", "ROLLBACK"),
    ):
        yield connection


def savepoint(connection: Connection, actor: Actor, push: str) -> AbstractAsyncContextManager[None]:
    """Run one unit of a shared transaction, in the name of `actor`; if it raises, it alone leaves no trace."""
    return _between(
        connection,
        f"SAVEPOINT unit; {_acting(actor, push)}",
        "RELEASE SAVEPOINT unit",
        "ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit",
    )


def trial(connection: Connection) -> AbstractAsyncContextManager[None]:
    """Run statements inside a transaction and undo them, whether they raise or not."""
    undo = "ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial"
    return _between(connection, "SAVEPOINT trial", undo, undo)


@asynccontextmanager
async def _between(connection: Connection, begin: str, keep: str, undo: str) -> AsyncIterator[None]:
    await connection.execute(begin)
    try:
        yield
    except BaseException:
        if not connection.is_closed():
            await connection.execute(undo)
        raise
    await connection.execute(keep)


def _acting(actor: Actor, push: str) -> str:
    """Tell the capture triggers who does it; SET LOCAL ends with the transaction."""
    return (
        f"SET LOCAL cotton.actor = {quoted(actor.user_id)}; SET LOCAL cotton.session = {quoted(actor.session_id)};"
        f" SET LOCAL cotton.push = {quoted(push)}"
    )


SERVER: Final = "server"
"""The actor of what the server writes of its own accord; no device holds such a record before it is sent."""


async def act_as_server(connection: Connection) -> None:
    """Let the rest of this unit be the server's own doing."""
    await connection.execute(f"SET LOCAL cotton.actor = '{SERVER}'")


def quoted(text: str) -> str:
    """Quote `text` as an SQL literal, for SET, which takes no parameters. Our ids have no characters to escape.

    >>> quoted("o'brien")
    "'o''brien'"
    """
    assert "\\" not in text
    assert "\0" not in text
    return "'" + text.replace("'", "''") + "'"
