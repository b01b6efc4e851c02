"""Erasures: the list of who was forgotten, kept outside of the database, and carried out again after a restore.

Owns: the file, and when it is compared with the database.
Must not know: how a person is forgotten (engine/erasing.py), SQL.
Invariant: no request is answered from a restored database before it has forgotten again whoever it had forgotten
(tests/integration/test_erasures.py).

Like the witness's file it must not be restored with the database; servers on several machines should share one. It names
records, not persons. A line: {"org": "vidarbha", "request": "5f…", "entity": "user", "id": "asha", "by": "u1", "at": "…"}
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson
import structlog
from aiohttp import web

from sync_server.config import Settings
from sync_server.ending import end
from sync_server.engine.erasing import Person
from sync_server.engine.privacy import Privacy, carry_out
from sync_server.operate import growing_file
from sync_server.store import privacy
from sync_server.store.database import Database
from sync_server.store.enduring import for_ever
from sync_server.web import keys

LOOK_SECONDS: Final = 30.0
"""Between two comparisons while the server runs: a database that is restored under it may know who was forgotten so long."""

AGAIN_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class UnusableList(Exception):
    """The file is there and cannot be read; the message says where."""


class Line(NamedTuple):
    """Whom somebody agreed to forget."""

    org_id: str
    person: Person
    by: str


def file_of(settings: Settings) -> Path:
    """Say where the list is."""
    return settings.erasures or settings.data / "erasures.jsonl"


def append(path: Path, line: Line) -> None:
    """Append a line, to the disk. Raises OSError. Blocks, also for others who append."""
    said = {"org": line.org_id, "request": line.person.request_id, "entity": line.person.entity, "id": line.person.id}
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    growing_file.append(path, orjson.dumps({**said, "by": line.by, "at": at}) + b"\n")


def read(path: Path) -> Sequence[Line]:
    """Read the list, oldest first. Raises UnusableList.

    A last line without an end was cut off by a crash, before anything was erased: whoever agreed was told of no success.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        try:
            said = orjson.loads(line)
            person = Person(said["request"], said["entity"], said["id"])
            found.append(Line(said["org"], person, said["by"]))
        except (ValueError, KeyError, TypeError) as fault:
            raise UnusableList(f"line {number} of {path} cannot be read ({fault!r}); correct or remove it") from None
    return found


async def carry_out_again(database: Database, path: Path) -> int:
    """Forget again whom the database does not know to be forgotten; give how many. Cost: one statement, none without a list."""
    lines = {(line.org_id, line.person.request_id): line for line in await asyncio.to_thread(read, path)}
    if not lines:
        return 0
    async with database.acquire_everywhere() as connection:
        undone = await privacy.list_undone(connection, list(lines))
    for key in [key for key in lines if key in undone]:
        log.warning("erasing_again", org=key[0], request=key[1])
        await carry_out(database, key[0], lines[key].person, lines[key].by)
    return len(undone)


async def run_erasures(app: web.Application) -> AsyncIterator[None]:
    """Compare before anything is answered, then as long as the application runs; for `app.cleanup_ctx`."""
    database, path = app[keys.DATABASE], file_of(app[keys.SETTINGS])

    async def remember(org_id: str, person: Person, by: str) -> None:
        await asyncio.to_thread(append, path, Line(org_id, person, by))

    async def forget_copies() -> None:
        """Remove the answers that this machine keeps in files: they may tell of who was forgotten."""
        for room in (app[keys.SPOOLS], app[keys.PARCELS]):
            await asyncio.to_thread(room.clear)

    async def look() -> None:
        if await carry_out_again(database, path):
            await forget_copies()

    app[keys.PRIVACY] = Privacy(database, app[keys.STANDINGS], remember, forget_copies)
    await look()
    task = asyncio.create_task(
        for_ever(look, "erasing_without_database", pause_seconds=LOOK_SECONDS, again_seconds=AGAIN_SECONDS)
    )
    yield
    await end([task])
