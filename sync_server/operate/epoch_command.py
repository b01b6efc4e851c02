"""`cotton-sync epoch begin`: say that history was moved back, where the server cannot notice it by itself.

Owns: the words.
Must not know: what an epoch means to a phone (engine/cursor.py).
Invariant: every organisation begins one, or none does (tests/integration/test_witness.py).
"""

from __future__ import annotations

import typer

from sync_server.engine.cursor import Position
from sync_server.operate import setup
from sync_server.operate.console import Data, settings_of
from sync_server.store import epochs
from sync_server.store.database import Database

epoch = typer.Typer(help="What phones are told after a restore.", no_args_is_help=True)


@epoch.command()
def begin(data: Data = None) -> None:
    """Begin a new epoch for every organisation: phones that are ahead of the database are replaced. Servers must be stopped.

    Needed only where `witness.json` was restored together with the database, or is lost: else a server does it as it starts.
    """
    typer.echo(f"{setup.run_over(settings_of(data=data), _begin)} organisations begin a new epoch.")


async def _begin(database: Database) -> int:
    async with database.acquire_everywhere() as connection, connection.transaction():
        clocks = await epochs.read_clocks(connection)
        for org_id, position in clocks.items():
            now = Position.of(position).epoch
            await epochs.begin_epoch(connection, org_id, now, now + 1, position)
        return len(clocks)
