"""`cotton-sync keys`: list the signing keys, make the next one.

Owns: the words and the table.
Must not know: how a running server comes to know: it looks at the folder.
Invariant: nothing of a key but its id is ever printed (tests/integration/test_keys_command.py).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from sync_server.identity.keyring import LOOK_SECONDS, NOTICE_SECONDS, Keyring, SigningKey, rotate
from sync_server.operate.console import Data, settings_of

keys = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


@keys.command("list")
def list_keys(data: Data = None) -> None:
    """List the keys, oldest first: what each is good for, and until when."""
    settings = settings_of(data=data)
    ring = Keyring(settings.key_ring, token_seconds=settings.access_token_seconds)
    signing = ring.signing()
    for key in ring.listed():
        typer.echo(f"{key.key_id}  {_made(key):20}  {_good(key, signing)}")


@keys.command("rotate")
def rotate_keys(
    data: Data = None,
    now: Annotated[
        bool, typer.Option("--now", help="Remove all other keys: access tokens that are out are refused at once")
    ] = False,
) -> None:
    """Make the next key; running servers use it without a restart, and tokens of the one before stay good for their life."""
    settings = settings_of(data=data)
    made = rotate(settings.key_ring, token_seconds=settings.access_token_seconds, now=now)
    when = f"within {LOOK_SECONDS:.0f} s; all other keys are removed" if now else f"in {NOTICE_SECONDS} s"
    typer.echo(f"{made.key_id} signs {when}.")


def _made(key: SigningKey) -> str:
    return _moment(key.made_at) if key.made_at else "at the first start"


def _good(key: SigningKey, signing: SigningKey) -> str:
    if key.key_id == signing.key_id:
        return "signs"
    if key.good_until is None:
        return "will sign"
    if key.good_until <= time.time():
        return "is not accepted any more; the next rotation removes it"
    return f"accepted until {_moment(key.good_until)}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
