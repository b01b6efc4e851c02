"""From settings to a database that can be served: start it, check it, migrate it, fill it with the demo.

Owns: the order of these steps, and which of them are ours to do: the embedded database is ours, so it is migrated; another
is its administrator's, who runs `cotton-sync migrate up`.
Must not know: HTTP.
Invariant: `prepare` returns only if the database is one this program can work on (tests/integration/test_command_line.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import asyncpg
import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sync_server.config import Settings
from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from sync_server.operate.seed import seed_demo
from sync_server.operate.standing import Report, report
from sync_server.store.database import APP_ROLE, OLDEST_POSTGRESQL, OWNER_CONNECTIONS_MAX, ROLE_MENDED, Database
from sync_server.store.facts import ServerFacts, read_facts
from sync_server.store.walls import found_role, may_act

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

PEOPLE_CONNECTIONS: Final = 5
"""Connections left for psql, backups and migrations."""


class NotServable(Exception):
    """The database cannot be worked with; the message says why and what to do."""


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[str, Cluster | None]]:
    """Give the URL of the database, and the embedded cluster if it is ours: started now and let go of at the end.

    Raises PostgresFailed or NotServable. Blocking.
    """
    if settings.database_url is not None:
        asyncio.run(server_facts(settings.database_url))
        yield settings.database_url, None
        return
    cluster = Cluster(settings.data / "postgres")
    cluster.start()
    try:
        asyncio.run(_let_act(cluster))
        yield cluster.url(), cluster
    finally:
        cluster.release()


def run_over(settings: Settings, work: Callable[[Database], Awaitable[_Result]]) -> _Result:
    """Run `work` over the database that the settings name, as a command does. Raises as `opened` and `work`. Blocking."""

    async def connected(url: str) -> _Result:
        database = await Database.open(url, pool_max=2)
        try:
            return await work(database)
        finally:
            await database.close()

    with opened(settings) as (url, _):
        return asyncio.run(connected(url))


async def _let_act(cluster: Cluster) -> None:
    """Let the owner of our database act as the server's role, also in a cluster that was made before there was one."""
    connection = await asyncpg.connect(cluster.url("postgres", admin=True))
    try:
        await found_role(connection, "cotton")
    finally:
        await connection.close()


async def prepare(settings: Settings, url: str) -> Report:
    """Make the database ready to be served, as far as it is ours; give how its schema stands.

    Raises NotServable, MigrationRefused.
    """
    check(settings, await server_facts(url))
    if settings.database_url is None:
        await migrate_up(url)
    role = await role_fault(url)
    if role is not None:
        raise NotServable(f"Requests are served as the role {APP_ROLE}, and it is not there for us. {role}")
    standing = await report(url)
    if settings.demo and standing.ready:
        seeded = await seed_demo(url)
        if seeded.left_alone:
            log.warning("demo_left_out", reason=seeded.left_alone)
    return standing


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on the terminal; the block calls what it is given with how much is done of `total`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total)

        def tell(done: int) -> None:
            bar.update(task, completed=done)

        yield tell


async def server_facts(url: str) -> ServerFacts:
    """Ask the server behind `url` for its facts. Raises NotServable if it does not answer."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise NotServable(
            f"PostgreSQL cannot be reached: {reason}. Is it running, and is COTTON_DATABASE_URL right?"
        ) from error
    try:
        return await read_facts(connection)
    finally:
        await connection.close()


def check(settings: Settings, facts: ServerFacts) -> None:
    """Refuse a server that is too old or too small for the settings. Raises NotServable."""
    if facts.major < OLDEST_POSTGRESQL:
        raise NotServable(f"PostgreSQL {facts.major} is too old: {OLDEST_POSTGRESQL} or newer is needed.")
    each = settings.pool_max + OWNER_CONNECTIONS_MAX
    wanted = settings.workers * each + PEOPLE_CONNECTIONS
    if wanted > facts.connections_max:
        raise NotServable(
            f"{settings.workers} workers with {each} connections each and {PEOPLE_CONNECTIONS} for people are "
            f"more than the {facts.connections_max} that PostgreSQL allows: lower COTTON_WORKERS or COTTON_POOL_MAX, or raise "
            "its max_connections."
        )


async def role_fault(url: str) -> str | None:
    """Say what is to be done before requests can be served as the role behind the second wall; None: nothing."""
    connection = await asyncpg.connect(url)
    try:
        return None if await may_act(connection) else ROLE_MENDED
    finally:
        await connection.close()
