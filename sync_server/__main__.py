"""The command line, `cotton-sync`: every command, its options, and the one line a failure is told in.

Owns: words, options and exit codes: 0 done, 1 it did not work out, 2 a setting or an option is wrong.
Must not know: how anything is done.
Invariant: what a person can mend is told in a line without a traceback (tests/integration/test_command_line.py).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, NoReturn

import asyncpg
import typer
from alembic.util import CommandError

from sync_server.config import Settings, WrongSetting
from sync_server.identity.keyfile import UnusableKey
from sync_server.operate import doctor as doctors
from sync_server.operate import migrations, people_command, serving, setup, workers
from sync_server.operate.audit_command import audit
from sync_server.operate.console import Data, fail, settings_of
from sync_server.operate.desk_command import desk
from sync_server.operate.epoch_command import epoch
from sync_server.operate.erasures import UnusableList
from sync_server.operate.generate_command import generate
from sync_server.operate.jobs_command import jobs
from sync_server.operate.keys_command import keys
from sync_server.operate.launch import PostgresFailed
from sync_server.operate.migrate_command import migrate
from sync_server.operate.named import NotDone
from sync_server.operate.postgres import Cluster
from sync_server.operate.seed import LOGINS, PASSWORD, RECORDS, seed_demo
from sync_server.operate.traces import NoTraces
from sync_server.operate.valkey import NoValkey, bus_for
from sync_server.store.database import RoleMissing
from sync_server.store.unit_of_work import Busy

MENDABLE: Final = (
    PostgresFailed,
    UnusableKey,
    UnusableList,
    setup.NotServable,
    migrations.MigrationFailed,
    migrations.MigrationRefused,
    serving.CannotListen,
    NotDone,
    NoValkey,
    NoTraces,
    RoleMissing,
    Busy,
    CommandError,
    asyncpg.PostgresError,
    OSError,
)
"""Failures whose message tells a person what to do; anything else is a fault of ours and keeps its traceback."""

app = typer.Typer(
    name="cotton-sync", help=__doc__.splitlines()[0], no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(migrate, name="migrate")
app.add_typer(generate, name="generate")
app.add_typer(people_command.org, name="org")
app.add_typer(people_command.user, name="user")
app.add_typer(people_command.role, name="role")
app.add_typer(people_command.grant, name="grant")
app.add_typer(keys, name="keys")
app.add_typer(jobs, name="jobs")
app.add_typer(epoch, name="epoch")
app.add_typer(desk, name="desk")
app.add_typer(audit, name="audit")

Port = Annotated[int | None, typer.Option(help="TCP port to listen on; 0: any free one [COTTON_PORT, 8080]")]


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        app()
    except WrongSetting as wrong:
        fail(str(wrong), 2)
    except MENDABLE as failure:
        fail(f"cotton-sync: {str(failure) or type(failure).__name__}", 1)


@contextmanager
def _stopping_in_order() -> Iterator[None]:
    """Make a SIGTERM outside the event loop unwind the stack as Ctrl-C does, so that PostgreSQL is let go of."""

    def leave(_number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    yield


# --- Serving ----------------------------------------------------------------------------------------------------------


@app.command()
def serve(
    port: Port = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [COTTON_HOST, 127.0.0.1]")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port [COTTON_WORKERS, 1]")] = None,
    data: Data = None,
    demo: Annotated[bool | None, typer.Option(help="Demo organisation and logins on an empty database")] = None,
    with_bus: Annotated[
        bool, typer.Option("--with-bus", help="An embedded Valkey as the bus between the processes [COTTON_BUS_URL]")
    ] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; without COTTON_DATABASE_URL, over an embedded PostgreSQL 18 below the data folder."""
    settings = settings_of(port=port, host=host, workers=workers, data=data, demo=demo)
    with _stopping_in_order(), setup.opened(settings) as (url, cluster), bus_for(settings, wanted=with_bus) as settings:
        found = serving.run(setup.prepare(settings, url))
        if not found.ready:
            typer.echo(f"cotton-sync: not ready: {found.sentence}", err=True)
        serving.run(_serve(settings, url, cluster))


async def _serve(settings: Settings, url: str, cluster: Cluster | None) -> None:
    def announce(address: str) -> None:
        typer.echo(_welcome(settings, address))

    async with serving.kept_running(cluster):
        if settings.workers == 1:
            await serving.serve(settings, url, announce=announce)
        else:
            await workers.supervise(settings, url, announce=announce)


def _welcome(settings: Settings, address: str) -> str:
    database = "COTTON_DATABASE_URL" if settings.database_url else f"embedded PostgreSQL 18 in {settings.data}"
    lines = [
        f"Cotton Sync serves {address}",
        f"  sync      {address}/api/v1/sync",
        f"  login     {address}/api/v1/auth/login",
        f"  console   {address}/console",
        f"  docs      {address}/docs",
        f"  health    {address}/readyz",
        f"  database  {database}",
    ]
    if settings.metrics_port:
        lines.append(f"  metrics   {serving.address_of(settings.metrics_host, settings.metrics_port)}/metrics")
    if settings.demo:
        lines += [f"Demo logins, password {PASSWORD}:", *(f"  {name:11} {who}" for name, who in LOGINS.items())]
    return "\n".join(lines)


@app.command(hidden=True)
def worker() -> None:
    """Serve as one of several processes; started by `serve --workers`, whose end ends it."""
    settings = settings_of()
    assert settings.database_url is not None, "the supervisor hands over the database"
    serving.run(workers.work(settings, settings.database_url))


# --- The database -----------------------------------------------------------------------------------------------------


@app.command()
def seed(
    records: Annotated[int, typer.Option(min=0, help="How many records the demo organisation is to have")] = RECORDS,
    data: Data = None,
) -> None:
    """Fill the database with the demo organisation, of any size."""
    settings = settings_of(data=data)
    with setup.opened(settings) as (url, cluster):
        if cluster is not None:
            asyncio.run(migrations.migrate_up(url))
        with setup.progress("Seeding", records) as tell:
            done = asyncio.run(seed_demo(url, records=records, demo_users=settings.demo, progress=tell))
    if done.left_alone:
        fail(f"cotton-sync: {done.left_alone}", 1)
    typer.echo(f"{done.records} demo records, {done.made} of them new; {done.users} new logins.")


@app.command()
def doctor(port: Port = None, data: Data = None) -> None:
    """Say what is wrong with the set-up and how to mend it; exit with 1 if anything is."""
    settings = settings_of(port=port, data=data)
    findings = doctors.examine(settings)
    for finding in findings:
        typer.echo(f"{'ok   ' if finding.mend is None else 'WRONG'} {finding.what}")
        if finding.mend is not None:
            typer.echo(f"      {finding.mend}")
    raise typer.Exit(1 if any(finding.mend is not None for finding in findings) else 0)


if __name__ == "__main__":
    main()
