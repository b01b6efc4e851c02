"""The command line, `cotton-sync`: every command, its options, and the one line a failure is told in.

Owns: words, options and exit codes: 0 done, 1 it did not work out, 2 a setting or an option is wrong.
Must not know: how anything is done.
Invariant: what a person can mend is told in a line without a traceback (tests/integration/test_command_line.py).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import asyncpg
import typer
from alembic.util import CommandError

from sync_server import log
from sync_server.config import Settings, WrongSetting, load_settings, misspelt
from sync_server.identity.keyfile import UnusableKey
from sync_server.operate import doctor as doctors
from sync_server.operate import migrations, revisions, serving, setup, standing, workers
from sync_server.operate.launch import PostgresFailed
from sync_server.operate.postgres import Cluster
from sync_server.operate.seed import LOGINS, PASSWORD, RECORDS, seed_demo

MENDABLE: Final = (
    PostgresFailed,
    UnusableKey,
    setup.NotServable,
    migrations.MigrationFailed,
    migrations.MigrationRefused,
    serving.CannotListen,
    CommandError,
    asyncpg.PostgresError,
    OSError,
)
"""Failures whose message tells a person what to do; anything else is a fault of ours and keeps its traceback."""

app = typer.Typer(
    name="cotton-sync", help=__doc__.splitlines()[0], no_args_is_help=True, pretty_exceptions_enable=False
)
migrate = typer.Typer(help="Change the database schema, or say how it stands.", no_args_is_help=True)
generate = typer.Typer(help="Write the files that are made from the catalogue.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")
app.add_typer(generate, name="generate")

Data = Annotated[
    Path | None, typer.Option(help="Folder of the embedded database and the signing key [COTTON_DATA, data]")
]
Port = Annotated[int | None, typer.Option(help="TCP port to listen on; 0: any free one [COTTON_PORT, 8080]")]


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        app()
    except WrongSetting as wrong:
        _fail(str(wrong), 2)
    except MENDABLE as failure:
        _fail(f"cotton-sync: {str(failure) or type(failure).__name__}", 1)


def _fail(lines: str, code: int) -> NoReturn:
    typer.echo(lines, err=True)
    sys.exit(code)


def _settings(**flags: Any) -> Settings:
    settings = load_settings(**flags)
    for warning in misspelt():
        typer.echo(f"cotton-sync: {warning}", err=True)
    log.configure(settings.log_level)
    return settings


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
) -> None:
    """Serve until SIGTERM or Ctrl-C; without COTTON_DATABASE_URL, over an embedded PostgreSQL 18 below the data folder."""
    settings = _settings(port=port, host=host, workers=workers, data=data, demo=demo)
    with _stopping_in_order(), setup.opened(settings) as (url, cluster):
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
        f"  health    {address}/readyz",
        f"  database  {database}",
    ]
    if settings.demo:
        lines += [f"Demo logins, password {PASSWORD}:", *(f"  {name:9} {who}" for name, who in LOGINS.items())]
    return "\n".join(lines)


@app.command(hidden=True)
def worker() -> None:
    """Serve as one of several processes; started by `serve --workers`, whose end ends it."""
    settings = _settings()
    assert settings.database_url is not None, "the supervisor hands over the database"
    serving.run(workers.work(settings, settings.database_url))


# --- The database -----------------------------------------------------------------------------------------------------


@migrate.command()
def up(
    to: Annotated[str, typer.Argument(help="Revision to stop at")] = "head",
    data: Data = None,
    accept_altered: Annotated[
        bool, typer.Option("--accept-altered", help="Take the schema as it is now, altered by hand, as good")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL for an empty database and run nothing")] = False,
) -> None:
    """Run the migrations that the database has not seen."""
    if sql:
        typer.echo(migrations.sql_of_upgrade(to))
        return
    with setup.opened(_settings(data=data)) as (url, _):
        ran = asyncio.run(migrations.migrate_up(url, to, accept_altered=accept_altered))
    typer.echo(f"Migrated: {', '.join(ran)}." if ran else "Nothing to migrate.")


@migrate.command()
def down(to: Annotated[str, typer.Argument(help="Revision to return to, or base")] = "-1", data: Data = None) -> None:
    """Undo the last migration, or all above a revision. Data that only the newer schema has is lost."""
    with setup.opened(_settings(data=data)) as (url, _):
        undone = asyncio.run(migrations.migrate_down(url, to))
    typer.echo(f"Undone: {', '.join(reversed(undone))}." if undone else "Nothing to undo.")


@migrate.command()
def status(data: Data = None) -> None:
    """List the migrations and say how the schema stands."""
    found = _report(data)
    done = list(revisions.phases())
    done = done[: done.index(found.revision) + 1] if found.revision in done else []
    for revision, phase in revisions.phases().items():
        typer.echo(f"  {'done' if revision in done else 'to do':6} {revision} ({phase})")
    typer.echo(f"{found.state.value}: {found.sentence}")


@migrate.command()
def check(data: Data = None) -> None:
    """Exit with 1 unless the schema is exactly as this program's migrations leave it."""
    found = _report(data)
    typer.echo(f"{found.state.value}: {found.sentence}")
    raise typer.Exit(0 if found.state is standing.State.CURRENT else 1)


@migrate.command()
def new(phase: str, name: str) -> None:
    """Write the file of the next migration: `new pre add_moisture_limit` (docs/MIGRATIONS.md); in a checkout."""
    if revisions.PHASE.fullmatch(f"0000_{phase}_{name}") is None:
        raise typer.BadParameter("the phase is pre or post; the name is of a-z, 0-9 and _")
    typer.echo(migrations.new_migration(phase, name))


def _report(data: Path | None) -> standing.Report:
    with setup.opened(_settings(data=data)) as (url, _):
        return asyncio.run(standing.report(url))


@app.command()
def seed(
    records: Annotated[int, typer.Option(min=0, help="How many records the demo organisation is to have")] = RECORDS,
    data: Data = None,
) -> None:
    """Fill the database with the demo organisation, of any size."""
    settings = _settings(data=data)
    with setup.opened(settings) as (url, cluster):
        if cluster is not None:
            asyncio.run(migrations.migrate_up(url))
        with setup.progress("Seeding", records) as tell:
            done = asyncio.run(seed_demo(url, records=records, demo_users=settings.demo, progress=tell))
    if done.left_alone:
        _fail(f"cotton-sync: {done.left_alone}", 1)
    typer.echo(f"{done.records} demo records, {done.made} of them new; {done.users} new logins.")


@app.command()
def doctor(port: Port = None, data: Data = None) -> None:
    """Say what is wrong with the set-up and how to mend it; exit with 1 if anything is."""
    settings = _settings(port=port, data=data)
    findings = doctors.examine(settings)
    for finding in findings:
        typer.echo(f"{'ok   ' if finding.mend is None else 'WRONG'} {finding.what}")
        if finding.mend is not None:
            typer.echo(f"      {finding.mend}")
    raise typer.Exit(1 if any(finding.mend is not None for finding in findings) else 0)


@generate.command()
def mobile(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is out of date")] = False,
) -> None:
    """Write the phone's schema, migrations and models; in a checkout."""
    from mobile import generate as generator

    if check:
        stale = generator.drift()
        typer.echo("\n".join(f"out of date: {name}" for name in stale) or "The generated files are up to date.")
        raise typer.Exit(1 if stale else 0)
    typer.echo("\n".join(str(path) for path in generator.generate()))


if __name__ == "__main__":
    main()
