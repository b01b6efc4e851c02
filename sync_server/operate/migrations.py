"""Migrate the schema, and say how it stands: as this program needs it, behind, ahead, or altered by hand.

Owns: running Alembic without a file of settings, one migrator at a time, and stamping what it leaves.
Must not know: what a migration does.
Invariant: of several migrators that start together one works and the others find the work done; a schema that was altered
by hand is not stamped as good unless somebody says so (tests/integration/test_migrations.py).

A `pre` migration may run before the program that needs it is deployed, a `post` one after: so a program also serves while
the schema is ahead of it by `pre` migrations only, or behind by `post` ones only (docs/MIGRATIONS.md).
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import migrations
from sync_server.store.database import Connection
from sync_server.store.schema import LiveSchema, read_schema, write_stamp

ONE_MIGRATOR: Final = 0x636F74746F6E
"""Key of the advisory lock ("cotton" in ASCII)."""

TURN_SECONDS: Final = 0.1
"""Between two tries for the lock. To wait inside a statement would hold a snapshot, which CREATE INDEX CONCURRENTLY
waits for: two migrators would wait for each other."""

LOCK_TIMEOUT_MS: Final = 5_000
"""A migration that waits for a table lock makes everybody behind it wait: it gives up and is run again later."""

# It announces its dialect at every start; which migrations ran, we say ourselves.
logging.getLogger("alembic").setLevel(logging.WARNING)

PHASE: Final = re.compile(r"\d{4}_(pre|post)_[a-z0-9_]+")


class State(Enum):
    """How the schema of a database stands to this program."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Report:
    """`sentence` says what to do; `ready`: whether this program can work on the schema as it is."""

    state: State
    revision: str | None
    head: str
    ready: bool
    sentence: str


class MigrationRefused(Exception):
    """The schema cannot be migrated from where it is; the message says what to do."""


def alembic_config(**attributes: Any) -> Config:
    """Make Alembic's settings for the installed `migrations` package."""
    config = Config(output_buffer=attributes.pop("output", None), attributes=attributes)
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


@cache
def phases() -> Mapping[str, str]:
    """List our revisions, oldest first, each with its phase (`pre` or `post`)."""
    scripts = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    found = {}
    for script in reversed(scripts):
        name = PHASE.fullmatch(Path(script.path).stem)
        assert name is not None, f"{script.path} is not called NNNN_pre|post_name"
        found[script.revision] = name[1]
    return found


def head() -> str:
    """Name the newest of our revisions."""
    return list(phases())[-1]


# --- Saying how it stands ---------------------------------------------------------------------------------------------


def judge(live: LiveSchema) -> Report:
    """Compare what the database is with what this program needs."""
    ours, newest = list(phases()), head()
    if live.revision is None:
        return Report(State.BEHIND, None, newest, False, "The database is empty; run `cotton-sync migrate up`.")
    if live.revision not in ours:
        return _ahead(live, newest)
    if live.revision != newest:
        pending = ours[ours.index(live.revision) + 1 :]
        ready = all(phases()[revision] == "post" for revision in pending)
        sentence = f"{len(pending)} migrations are to be run ({', '.join(pending)}); run `cotton-sync migrate up`."
        return Report(State.BEHIND, live.revision, newest, ready, sentence)
    if live.stamp is None or live.stamp.revision != live.revision:
        sentence = "The last migration was cut off before it was stamped; run `cotton-sync migrate up`."
        return Report(State.BEHIND, live.revision, newest, False, sentence)
    return _altered(live, newest) or Report(
        State.CURRENT, live.revision, newest, True, "The schema is as it should be."
    )


def _ahead(live: LiveSchema, newest: str) -> Report:
    stamped = live.stamp.phases if live.stamp is not None and live.stamp.revision == live.revision else {}
    unknown = [revision for revision in stamped if revision not in phases()]
    ready = live.revision in unknown and all(stamped[revision] == "pre" for revision in unknown)
    sentence = (
        f"The database is at {live.revision}, which this program (at {newest}) does not know; "
        "deploy the newer program, or run `cotton-sync migrate down` with it."
    )
    return Report(State.AHEAD, live.revision, newest, ready, sentence)


def _altered(live: LiveSchema, newest: str) -> Report | None:
    assert live.stamp is not None
    if live.stamp.server != live.server:
        sentence = (
            f"The schema was stamped by PostgreSQL {live.stamp.server} and this is {live.server}, which may word it "
            "otherwise; run `cotton-sync migrate up --accept-altered` once after the upgrade."
        )
        return Report(State.ALTERED, live.revision, newest, False, sentence)
    was, now = live.stamp.objects, live.objects
    differing = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    if not differing:
        return None
    listed = ", ".join(_how(name, was, now) for name in differing[:10]) + ("…" if len(differing) > 10 else "")
    sentence = f"Not by a migration: {listed}. Undo it, or accept it with `cotton-sync migrate up --accept-altered`."
    return Report(State.ALTERED, live.revision, newest, False, sentence)


def _how(name: str, was: Mapping[str, str], now: Mapping[str, str]) -> str:
    return f"{name} {'added' if name not in was else 'dropped' if name not in now else 'changed'}"


async def report(url: str) -> Report:
    """Say how the schema of the database at `url` stands. Raises OSError or asyncpg.PostgresError if it is unreachable."""
    connection = await asyncpg.connect(url)
    try:
        return judge(await read_schema(connection))
    finally:
        await connection.close()


# --- Migrating --------------------------------------------------------------------------------------------------------


async def migrate_up(url: str, target: str = "head", *, accept_altered: bool = False) -> list[str]:
    """Run the migrations up to `target` and stamp the result. Gives the revisions that ran.

    Raises MigrationRefused if the schema is ahead of us or was altered; asyncpg.PostgresError if a migration fails, which
    leaves those before it done.
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
    output = io.StringIO()
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
