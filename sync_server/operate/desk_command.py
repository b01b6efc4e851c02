"""The commands of the desk: `cotton-sync desk rebuild` and `cotton-sync desk check`.

Owns: their words and options.
Must not know: how a line is worked out or kept.
Invariant: what a command says it did is committed (tests/integration/test_desk_command.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from sync_server.config import Settings
from sync_server.engine import desk as engine
from sync_server.operate import setup
from sync_server.operate.console import Data, settings_of
from sync_server.operate.named import NotDone
from sync_server.store.database import Database
from sync_server.store.expiring import list_organisations

_Result = TypeVar("_Result")

desk = typer.Typer(help="The desk's read models: build them anew, look whether they are right.", no_args_is_help=True)

Org = Annotated[str | None, typer.Option("--org", help="Of this organisation only")]


@desk.command()
def rebuild(org: Org = None, data: Data = None) -> None:
    """Empty the read models and build them anew of the present rows; the server may go on meanwhile."""
    for org_id, lines in _of_each(settings_of(data=data), org, engine.rebuild):
        typer.echo(f"{org_id}: {lines} lines.")


@desk.command()
def check(org: Org = None, data: Data = None) -> None:
    """Compare the read models with what they should be; exit with 1 if anything differs."""
    wrong = 0
    for org_id, differences in _of_each(settings_of(data=data), org, engine.check):
        for one in differences:
            typer.echo(f"{org_id}: {one.model} {one.key}: kept {_said(one.kept)}, should be {_said(one.should)}")
        wrong += len(differences)
        typer.echo(f"{org_id}: {len(differences) or 'no'} lines differ.")
    if wrong:
        raise NotDone("`cotton-sync desk rebuild` builds them anew.")


def _said(line: object) -> str:
    if not isinstance(line, dict):
        return "nothing"
    return ", ".join(f"{name} {value}" for name, value in line.items() if value is not None)


def _of_each(
    settings: Settings, org: str | None, work: Callable[[Database, str], Awaitable[_Result]]
) -> list[tuple[str, _Result]]:
    async def each(database: Database) -> list[tuple[str, _Result]]:
        async with database.acquire_everywhere() as connection:
            known = await list_organisations(connection)
        if org is not None and org not in known:
            raise NotDone(f"There is no organisation {org}. There are: {', '.join(known)}.")
        return [(org_id, await work(database, org_id)) for org_id in known if org in (None, org_id)]

    return setup.run_over(settings, each)
