"""Migrate the schema up and down.

Owns: running Alembic, one migrator at a time, and stamping what it leaves.
Must not know: what a migration does.
Invariant: of several migrators that start together one works and the others find the work done; a schema that was altered
by hand is not stamped as good unless somebody says so (tests/integration/test_migrations.py).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from sync_server.operate.revisions import alembic_config, head, phases
from sync_server.operate.standing import State, judge
from sync_server.store.database import Connection
from sync_server.store.schema import read_schema, write_stamp

ONE_MIGRATOR: Final = 0x636F74746F6E
"""Key of the advisory lock ("cotton" in ASCII)."""

TURN_SECONDS: Final = 0.1
"""Between two tries for the lock. To wait inside a statement would hold a snapshot, which CREATE INDEX CONCURRENTLY
waits for: two migrators would wait for each other."""

LOCK_TIMEOUT_MS: Final = 5_000
"""A migration that waits for a table lock makes everybody behind it wait: it gives up and is run again later."""


class MigrationRefused(Exception):
    """The schema cannot be migrated from where it is; the message says what to do."""


class MigrationFailed(Exception):
    """A migration failed and was rolled back, those before it stand; the message is PostgreSQL's."""


async def migrate_up(url: str, target: str = "head", *, accept_altered: bool = False) -> list[str]:
    """Run the migrations up to `target` and stamp the result. Gives the revisions that ran.

    Raises MigrationRefused if the schema is ahead of us or was altered; MigrationFailed.
    """
    async with _one_migrator(url) as connection:
        live = await read_schema(connection)
        standing = judge(live)
        if standing.state is State.AHEAD or (standing.state is State.ALTERED and not accept_altered):
            raise MigrationRefused(standing.sentence)
        await _run(url, partial(command.upgrade, revision=target))
        return await _stamp(connection, live.revision)


async def migrate_down(url: str, target: str = "-1") -> list[str]:
    """Undo the migrations above `target` (a revision, `-1` or `base`) and stamp the result. Gives those undone."""
    async with _one_migrator(url) as connection:
        live = await read_schema(connection)
        if live.revision is None:
            return []
        if live.revision not in phases():
            raise MigrationRefused(judge(live).sentence)
        await _run(url, partial(command.downgrade, revision=target))
        return await _stamp(connection, live.revision)


def sql_of_upgrade(target: str = "head") -> str:
    """Print what `migrate up` would run on an empty database, for an administrator or a linter to read."""
    output = io.StringIO(f"SET lock_timeout = {LOCK_TIMEOUT_MS};\n\n")
    output.seek(0, io.SEEK_END)
    command.upgrade(alembic_config(output=output), target, sql=True)
    return output.getvalue()


def new_migration(phase: str, name: str) -> Path:
    """Write the file of the next migration. Only of use in a checkout."""
    number = f"{int(head()) + 1:04d}"
    script = command.revision(alembic_config(), message=f"{phase}_{name}", rev_id=number)
    assert not isinstance(script, list)
    assert script is not None
    return Path(script.path)


async def _run(url: str, work: Callable[[Config], None]) -> None:
    """Run an Alembic command on a connection of its own: it leaves the transactions to Alembic."""
    settings = {
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "statement_timeout": "0",
        "application_name": "cotton-sync migrate",
    }
    creator = partial(asyncpg.connect, url, server_settings=settings)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda bind: work(alembic_config(connection=bind)))
            await connection.commit()
    except (DBAPIError, asyncpg.PostgresError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise MigrationFailed(f"{reason}. That migration was rolled back; mend the cause and run it again.") from error
    finally:
        await engine.dispose()


async def _stamp(connection: Connection, before: str | None) -> list[str]:
    live = await read_schema(connection)
    ours = list(phases())
    if live.revision is not None:
        await write_stamp(connection, live, {known: phases()[known] for known in ours[: ours.index(live.revision) + 1]})
    ends = sorted(0 if revision is None else ours.index(revision) + 1 for revision in (before, live.revision))
    return ours[ends[0] : ends[1]]


@asynccontextmanager
async def _one_migrator(url: str) -> AsyncIterator[Connection]:
    """Hold the migrators' lock; a migrator that is killed drops it with its connection. Not through PgBouncer."""
    connection = await asyncpg.connect(url)
    try:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ONE_MIGRATOR):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(TURN_SECONDS)
        yield connection
    finally:
        await connection.close()
