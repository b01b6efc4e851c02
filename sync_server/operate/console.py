"""What every command shares: the options, the settings with their warnings, and how a failure is told.

Owns: words that several commands use.
Must not know: any command.
Invariant: a misspelt setting is warned of by every command (tests/integration/test_command_line.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sync_server import log
from sync_server.config import Settings, load_settings, misspelt

Data = Annotated[
    Path | None, typer.Option(help="Folder of the embedded database and the signing key [COTTON_DATA, data]")
]


def settings_of(**flags: Any) -> Settings:
    """Load the settings, with `flags` over them, and warn of misspelt ones. Raises WrongSetting."""
    settings = load_settings(**flags)
    for warning in misspelt():
        typer.echo(f"cotton-sync: {warning}", err=True)
    log.configure(settings.log_level)
    return settings


def fail(lines: str, code: int) -> NoReturn:
    """Say on standard error what is wrong, and exit with `code`."""
    typer.echo(lines, err=True)
    sys.exit(code)
