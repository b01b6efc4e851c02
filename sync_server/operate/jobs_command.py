"""The commands of jobs: `cotton-sync jobs list`, `dead`, `retry`, `run` and `work`.

Owns: their words and options.
Must not know: how a job is asked for or done.
Invariant: what a command says it did is committed (tests/integration/test_jobs_command.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sync_server.config import Settings
from sync_server.operate import serving, setup
from sync_server.operate.console import Data, settings_of
from sync_server.operate.job_kinds import kinds_of
from sync_server.operate.jobs import Jobs
from sync_server.operate.named import NotDone
from sync_server.store import jobs as store
from sync_server.store.database import Connection, Database
from sync_server.store.jobs import Counts, Dead, Listed
from sync_server.store.unit_of_work import enter

_Result = TypeVar("_Result")

jobs = typer.Typer(help="Look at jobs, do one, revive what failed, work on them.", no_args_is_help=True)

Org = Annotated[str, typer.Option("--org", help="Id of the organisation; empty: jobs of the whole installation")]


@jobs.command("list")
def list_all(org: Org = "", data: Data = None) -> None:
    """List the jobs that wait and run, and count those of the whole installation."""

    async def work(connection: Connection) -> tuple[Counts, list[Listed]]:
        async with connection.transaction():
            await enter(connection, org)
            return await store.count(connection), list(await store.list_jobs(connection))

    counts, found = _run(data, work)
    typer.echo(f"{counts.pending} waiting, {counts.running} running, {counts.dead} dead.")
    for one in found:
        typer.echo(
            f"{one.id}: {one.kind}, {one.state}, due {one.due_at:%Y-%m-%d %H:%M:%S}Z, failed {one.attempts} times"
        )


@jobs.command()
def dead(
    org: Annotated[str | None, typer.Option("--org", help="Of this organisation only")] = None, data: Data = None
) -> None:
    """List the jobs that failed for good, with their last error."""

    async def work(connection: Connection) -> list[Dead]:
        return list(await store.list_dead(connection, org))

    for one in _run(data, work):
        of = f" of {one.org_id}" if one.org_id else ""
        typer.echo(f"{one.id}: {one.kind}{of}, failed {one.attempts} times, last {one.died_at:%Y-%m-%d %H:%M:%S}Z")
        typer.echo(f"    {one.error}")


@jobs.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="Dead jobs, as `dead` shows them")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them")] = False,
    data: Data = None,
) -> None:
    """Ask for dead jobs again."""

    async def work(connection: Connection) -> int:
        wanted = [one for one in await store.list_dead(connection, None) if every or one.id in (ids or ())]
        async with connection.transaction():
            for one in wanted:
                await enter(connection, one.org_id)
                await store.revive(connection, one.org_id, one.id)
        return len(wanted)

    revived = _run(data, work)
    if not revived and not every:
        raise NotDone("There is no such dead job; `cotton-sync jobs dead` lists them.")
    typer.echo(f"Asked for {revived} jobs again.")


@jobs.command()
def run(
    kind: Annotated[str, typer.Argument(help="Kind of the job, such as upkeep")], org: Org = "", data: Data = None
) -> None:
    """Ask for a job now; whoever works on jobs does it."""
    settings = settings_of(data=data)

    async def work(database: Database) -> int | None:
        kinds = {one.name: one for one in kinds_of(database, settings)}
        if kind not in kinds:
            raise NotDone(f"There is no job {kind}. There are: {', '.join(kinds)}.")
        if (kinds[kind].cron is None) != bool(org):
            raise NotDone(
                f"{kind} is for one organisation: --org." if not org else f"{kind} is for all: without --org."
            )
        async with database.acquire_everywhere() as connection, connection.transaction():
            await enter(connection, org)
            return await store.ask(connection, kind, once_key="by hand")

    id = setup.run_over(settings, work)
    typer.echo("Asked for before; it waits or runs." if id is None else f"Asked for job {id}.")


@jobs.command()
def work(
    data: Data = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end")] = False,
) -> None:
    """Work on jobs until SIGTERM or Ctrl-C, apart from the server (COTTON_JOBS=false there)."""
    settings = settings_of(data=data)
    if once:
        done = setup.run_over(settings, lambda database: Jobs(database, kinds_of(database, settings)).work_off())
        typer.echo(f"Tried {done} jobs.")
        return
    with setup.opened(settings) as (url, _):
        serving.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    stop = asyncio.Event()
    serving.stop_on_signals(stop)
    database = await Database.open(url, pool_max=settings.pool_max, statement_timeout_ms=settings.statement_timeout_ms)
    try:
        task = asyncio.create_task(Jobs(database, kinds_of(database, settings)).run())
        typer.echo("Working on jobs.")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        for one in (task, stopping):
            one.cancel()
        await asyncio.wait([task, stopping])
    finally:
        await database.close()


def _run(data: Path | None, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    async def connected(database: Database) -> _Result:
        async with database.acquire_everywhere() as connection:
            return await work(connection)

    return setup.run_over(settings_of(data=data), connected)
