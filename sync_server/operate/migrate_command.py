"""The commands of the schema: `cotton-sync migrate up`, `down`, `status`, `check` and `new`.

Owns: their words and options.
Must not know: how a migration runs (migrations.py), what the schema should be (standing.py).
Invariant: a failure is a line and exit code 1 (tests/integration/test_command_line.py).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sync_server.operate import migrations, revisions, setup, standing
from sync_server.operate.console import Data, settings_of

migrate = typer.Typer(help="Change the database schema, or say how it stands.", no_args_is_help=True)


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
    with setup.opened(settings_of(data=data)) as (url, _):
        ran = asyncio.run(migrations.migrate_up(url, to, accept_altered=accept_altered))
    typer.echo(f"Migrated: {', '.join(ran)}." if ran else "Nothing to migrate.")


@migrate.command()
def down(to: Annotated[str, typer.Argument(help="Revision to return to, or base")] = "-1", data: Data = None) -> None:
    """Undo the last migration, or all above a revision. Data that only the newer schema has is lost."""
    with setup.opened(settings_of(data=data)) as (url, _):
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
    with setup.opened(settings_of(data=data)) as (url, _):
        return asyncio.run(standing.report(url))
