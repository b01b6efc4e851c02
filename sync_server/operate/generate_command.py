"""The commands that write what is made from declarations: `cotton-sync generate mobile`, `docs` and `openapi`.

Owns: their words and options.
Must not know: what the files say.
Invariant: with --check nothing is written, and a file that is out of date is exit code 1
(tests/integration/test_command_line.py).
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sync_server.operate import access_docs, dashboard, merge_docs

generate = typer.Typer(help="Write what is made from the declarations.", no_args_is_help=True)

Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is out of date")]


@generate.command()
def mobile(check: Check = False) -> None:
    """Write the phone's schema, migrations and models; in a checkout."""
    from mobile import generate as generator

    if check:
        _tell(generator.drift())
    typer.echo("\n".join(str(path) for path in generator.generate()))


@generate.command()
def docs(check: Check = False) -> None:
    """Write docs/ACCESS.md, who may do what, docs/MERGE.md, what becomes of a clash, and Grafana's dashboard; in a checkout."""
    made = (access_docs, merge_docs, dashboard)
    if check:
        _tell([name for one in made for name in one.drift()])
    typer.echo("\n".join(str(path) for one in made for path in one.generate()))


@generate.command()
def openapi() -> None:
    """Print the OpenAPI document of the server, as GET /api/v1/openapi.json gives it."""
    from sync_server.web.openapi import described
    from sync_server.web.routes import ROUTES
    from sync_server.wire.openapi.document import document

    typer.echo(json.dumps(document(described(ROUTES)), ensure_ascii=False, indent=1))


def _tell(stale: list[str]) -> None:
    typer.echo("\n".join(f"out of date: {name}" for name in stale) or "The generated files are up to date.")
    raise typer.Exit(1 if stale else 0)
