"""The unit of work: one organisation, one transaction, done wholly or not at all.

Owns: begin, retry, commit, and who the log says did it.
Must not know: what is written.
Invariant: `work` has either committed exactly once or left no trace; a deadlock, a lost lock or a lost race runs it again
from its first read, a bounded number of times (tests/integration/test_unit_of_work.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import asyncpg

from sync_server.meters import counted_if_committed, uncounted
from sync_server.store.actor import Actor
from sync_server.store.database import DISCONNECTED, Connection, Database
from sync_server.store.meters import LOST_RACES as LOST
from sync_server.store.meters import UNITS

_Result = TypeVar("_Result")

ATTEMPTS_MAX: Final = 6
"""With full jitter up to 2^n · 5 ms the last attempt starts within about 0.3 s: longer waits are the client's to make."""


class Outdated(Exception):
    """What a unit decided on has changed before it could write: it must decide anew."""


LOST_RACES: Final = (
    Outdated,
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


async def unit_of_work(database: Database, org_id: str, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    """Run `work(connection)` in one transaction of an organisation and commit it, shielded from cancellation.

    `work` may run several times: it must start from its own reads each time. Raises `Busy` after `ATTEMPTS_MAX`
    lost races, and whatever `work` raises, after rolling back.
    """
    return await database.shielded(_attempts(database, org_id, work))


async def _attempts(database: Database, org_id: str, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    for attempt in range(ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter, not a secret
        try:
            with counted_if_committed():
                async with (
                    database.acquire(org_id) as connection,
                    _between(connection, "BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT", "ROLLBACK"),
                ):
                    done = await work(connection)
            database.on_commit(org_id)
            UNITS.add("committed")
            return done
        except LOST_RACES as lost:
            LOST.add(type(lost).__name__)
            last = lost
        except BaseException:
            UNITS.add("failed")
            raise
    UNITS.add("busy")
    raise Busy from last


async def enter(connection: Connection, org_id: str) -> None:
    """Show the rows of one organisation until the transaction ends, which began before it was known whose it is.

    For a unit of `NO_ORGANISATION` only. Cost: one statement.
    """
    await connection.execute("SELECT set_config('cotton.org', $1, true)", org_id)


@asynccontextmanager
async def trial(connection: Connection) -> AsyncIterator[None]:
    """Run statements inside a transaction and undo them, whether they raise or not."""
    undo = "ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial"
    with uncounted():
        async with _between(connection, "SAVEPOINT trial", undo, undo):
            yield


@asynccontextmanager
async def _between(connection: Connection, begin: str, keep: str, undo: str) -> AsyncIterator[None]:
    await connection.execute(begin)
    try:
        yield
    except BaseException:
        # Over a connection that is gone PostgreSQL has undone it already, and what was raised first says what happened.
        with contextlib.suppress(*DISCONNECTED):
            await connection.execute(undo)
        raise
    await connection.execute(keep)


# --- Who did it -------------------------------------------------------------------------------------------------------


async def attribute(connection: Connection, doers: Mapping[tuple[str, str], tuple[Actor, str]]) -> None:
    """Tell the capture triggers who does what until the transaction ends: (table, id) -> (actor, push).

    One doer for all is said once; several are said record by record. What the database does of itself (a cascade) is the
    first one's doing.
    """
    (actor, push), *others = dict.fromkeys(doers.values())
    by_record = (
        {f"{table}/{id}": [a.user_id, a.session_id, p] for (table, id), (a, p) in doers.items()} if others else {}
    )
    who = json.dumps(by_record) if by_record else ""
    await connection.execute(_acting(actor.user_id, actor.session_id, push, who))


SERVER: Final = "server"
"""The actor of what the server writes of its own accord; no device holds such a record before it is sent."""


async def act_as_server(connection: Connection) -> None:
    """Let the rest of this unit be the server's own doing."""
    await connection.execute(_acting(SERVER, "", "", ""))


def _acting(user: str, session: str, push: str, who: str) -> str:
    # One round trip; SET takes no parameters, and SET LOCAL ends with the transaction.
    said = {"cotton.actor": user, "cotton.session": session, "cotton.push": push, "cotton.who": who}
    return "; ".join(f"SET LOCAL {name} = {quoted(value)}" for name, value in said.items())


def quoted(text: str) -> str:
    """Quote `text` as an SQL literal, for SET, which takes no parameters. Our ids have no characters to escape.

    >>> quoted("o'brien")
    "'o''brien'"
    """
    assert "\\" not in text
    assert "\0" not in text
    return "'" + text.replace("'", "''") + "'"
