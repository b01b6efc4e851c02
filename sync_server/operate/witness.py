"""The witness: what was seen of the database's history, kept outside of it, and compared with what it shows now.

Owns: the file, the rhythm, and beginning an epoch where history was moved back.
Must not know: how that is judged (engine/epochs.py), SQL.
Invariant: after a restore, a failover or a disk put back, no replica goes on from a position that was given twice, once the
first look has ended; and no request is answered before it (tests/integration/test_witness.py).

The file belongs to an installation, not to the database: it must not be restored with it. Several processes of a machine share
it under a lock; each machine has its own, and whoever notices first begins the epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson
import structlog
from aiohttp import web

from sync_server.ending import end
from sync_server.engine.cursor import Position
from sync_server.engine.epochs import Cluster, Known, Mark, cut, is_another, thinned
from sync_server.operate.meters import EPOCHS
from sync_server.store import epochs
from sync_server.store.clock import read_forks
from sync_server.store.database import Connection, Database
from sync_server.store.enduring import for_ever
from sync_server.web import keys

LOOK_SECONDS: Final = 5.0
"""Between two looks: of what is lost without a trace in the cluster, so much may go unnoticed."""

AGAIN_SECONDS: Final = 0.5
"""After the database did not answer, or while another process looks."""

FILE: Final = "witness.json"
FORMAT: Final = 1

log = structlog.get_logger(__name__)


class UnusableWitness(Exception):
    """The file is there and cannot be read; the message says what to do."""


class Witness:
    """What one installation has seen, in the file at `path`."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._looked: dict[str, int] = {}

    async def look(self) -> Mapping[str, int]:
        """Compare, begin epochs, and remember what is seen; give where history was cut, by organisation.

        Raises Looking, UnusableWitness, and what the database raises. Cost: two statements, three more if anything
        happened since the last look, whatever the number of organisations; two for each epoch that has begun.
        """
        with _alone(self._path):
            cluster, seen = await asyncio.to_thread(_read, self._path)
            async with self._database.acquire_everywhere() as connection:
                now = Cluster(*await epochs.read_cluster(connection))
                another = cluster is not None and is_another(cluster, now)
                cuts = await self._compare(connection, seen, another=another)
            if cluster != now or cuts is not None:
                await asyncio.to_thread(_write, self._path, now, seen)
        for org_id, position in (cuts or {}).items():
            log.error("history_moved_back", org=org_id, cut=position, another_cluster=another)
            EPOCHS.add()
        return cuts or {}

    async def _compare(
        self, connection: Connection, seen: dict[str, Known], *, another: bool
    ) -> Mapping[str, int] | None:
        """Look at each organisation that may be another; None: nothing is new."""
        clocks = await epochs.read_clocks(connection)
        changed = {one: at for one, at in clocks.items() if another or self._looked.get(one) != at}
        if not changed:
            return None
        cuts = await _cut(connection, seen, changed, another=another)
        now = await epochs.read_clocks(connection) if cuts else clocks
        newest = await epochs.read_newest(connection, changed)
        for org_id in changed:
            known, self._looked[org_id] = seen.get(org_id, Known(0)), now[org_id]
            limit = await _limit(connection, org_id, known.position, now[org_id])
            seen[org_id] = _remembered(known, now[org_id], newest.get(org_id), limit)
        return cuts


async def _cut(
    connection: Connection, seen: Mapping[str, Known], clocks: Mapping[str, int], *, another: bool
) -> Mapping[str, int]:
    """Begin an epoch where history was moved back; give where it was cut. One that has begun since is enough."""
    known = {
        one: seen[one]
        for one, at in clocks.items()
        if one in seen and Position.of(at).epoch <= Position.of(seen[one].position).epoch
    }
    marks = {org_id: [mark.position for mark in one.marks] for org_id, one in known.items()}
    fingerprints = await epochs.read_fingerprints(connection, marks)
    cuts: dict[str, int] = {}
    for org_id, one in known.items():
        at = cut(one, clocks[org_id], fingerprints[org_id], another=another)
        if at is not None and await _begin(connection, org_id, clocks[org_id], one.position, at):
            cuts[org_id] = at
    return cuts


async def _begin(connection: Connection, org_id: str, position: int, seen: int, at: int) -> bool:
    """Begin an epoch that neither this history nor the one that was seen has had."""
    async with connection.transaction():
        return await epochs.begin_epoch(
            connection, org_id, Position.of(position).epoch, Position.of(max(position, seen)).epoch + 1, at
        )


async def _limit(connection: Connection, org_id: str, before: int, position: int) -> int:
    """Say up to where what was seen before still counts: to where the epochs that have begun since were cut."""
    if before == 0 or Position.of(position).epoch <= Position.of(before).epoch:
        return position
    return min(
        (at for epoch, at in await read_forks(connection, org_id) if epoch > Position.of(before).epoch), default=0
    )


def _remembered(known: Known, position: int, newest: tuple[int, str] | None, limit: int) -> Known:
    """Add a mark of the newest event; what is above the limit is forgotten."""
    now, marks = time.time(), [mark for mark in known.marks if mark.position <= limit]
    if newest is not None and (not marks or marks[-1].position < newest[0]):
        marks.append(Mark(*newest, now))
    return Known(position, thinned(marks, now))


# --- The file ---------------------------------------------------------------------------------------------------------


class Looking(Exception):
    """Another process of this machine is looking."""


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file while the block runs. Raises Looking."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Looking from None
        yield
    finally:
        os.close(held)


def _read(path: Path) -> tuple[Cluster | None, dict[str, Known]]:
    """Read what was seen; nothing, if there is no file yet. Raises UnusableWitness."""
    try:
        said = orjson.loads(path.read_bytes())
        assert said["format"] == FORMAT
        seen = {
            org_id: Known(one["position"], [Mark(*mark) for mark in one["marks"]])
            for org_id, one in said["organisations"].items()
        }
        return Cluster(said["system"], said["timeline"]), seen
    except FileNotFoundError:
        return None, {}
    except (ValueError, KeyError, TypeError, AssertionError) as fault:
        sentence = f"{path} cannot be read ({fault!r}); move it away if you know that nothing was restored"
        raise UnusableWitness(sentence) from None


def _write(path: Path, cluster: Cluster, seen: Mapping[str, Known]) -> None:
    """Write what was seen: wholly, or the file stays as it was."""
    organisations = {
        org_id: {"position": one.position, "marks": [[m.position, m.fingerprint, m.at] for m in one.marks]}
        for org_id, one in seen.items()
    }
    said = {"format": FORMAT, "system": cluster.system, "timeline": cluster.timeline, "organisations": organisations}
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(orjson.dumps(said))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


# --- While the application runs ---------------------------------------------------------------------------------------


async def run_witness(app: web.Application) -> AsyncIterator[None]:
    """Look once before anything is answered, then as long as the application runs; for `app.cleanup_ctx`."""
    witness = Witness(app[keys.DATABASE], app[keys.SETTINGS].data / FILE)
    await _first(witness)
    task = asyncio.create_task(_keep_looking(app[keys.DATABASE], witness))
    yield
    await end([task])


async def _first(witness: Witness) -> None:
    while True:
        try:
            await witness.look()
        except Looking:
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


async def _keep_looking(database: Database, witness: Witness) -> None:
    async def look() -> None:
        with contextlib.suppress(Looking):  # a process beside this one looks in its place
            await database.shielded(witness.look())
        await asyncio.sleep(LOOK_SECONDS)

    await for_ever(look, "witness_without_database", again_seconds=AGAIN_SECONDS)
