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
from sync_server.engine.epochs import Cluster, Known, Mark, cut, is_another, thinned
from sync_server.operate.meters import EPOCHS
from sync_server.store import epochs
from sync_server.store.clock import SEQ_BITS, read_clock
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

        Raises Busy, UnusableWitness, and what the database raises. Cost: three statements; three more for each organisation in
        which something happened since the last look.
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
        cuts: dict[str, int] = {}
        clocks = await epochs.read_clocks(connection)
        changed = [org_id for org_id, position in clocks.items() if another or self._looked.get(org_id) != position]
        for org_id in changed:
            position = clocks[org_id]
            known = seen.get(org_id)
            if known is not None and position >> SEQ_BITS <= known.position >> SEQ_BITS:
                fingerprints = await epochs.read_fingerprints(connection, org_id, [m.position for m in known.marks])
                at = cut(known, position, fingerprints, another=another)
                if at is not None and await _begin(connection, org_id, position, known.position, at):
                    cuts[org_id] = at
            seen[org_id] = await _remember(connection, org_id, known)
            self._looked[org_id] = seen[org_id].position
        return cuts if changed else None


async def _begin(connection: Connection, org_id: str, position: int, seen: int, at: int) -> bool:
    """Begin an epoch that neither this history nor the one that was seen has had."""
    epoch, begun = position >> SEQ_BITS, (max(position, seen) >> SEQ_BITS) + 1
    async with connection.transaction():
        return await epochs.begin_epoch(connection, org_id, epoch, begun, at)


async def _remember(connection: Connection, org_id: str, known: Known | None) -> Known:
    """Make a mark of the newest event; what is above a cut is forgotten."""
    position = (await read_clock(connection, org_id)).position
    newest = await epochs.read_newest(connection, org_id)
    marks = [] if known is None else list(known.marks)
    if known is not None and position >> SEQ_BITS > known.position >> SEQ_BITS:
        ends = await epochs.read_cuts(connection, org_id, known.position >> SEQ_BITS)
        limit = min(ends.values(), default=0)
        marks = [mark for mark in marks if mark.position <= limit]
    if newest is not None and (not marks or marks[-1].position < newest[0]):
        marks.append(Mark(*newest, time.time()))
    return Known(position, thinned(marks, time.time()))


# --- The file ---------------------------------------------------------------------------------------------------------


class Busy(Exception):
    """Another process of this machine is looking."""


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file while the block runs. Raises Busy."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Busy from None
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
        except Busy:
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


async def _keep_looking(database: Database, witness: Witness) -> None:
    async def look() -> None:
        with contextlib.suppress(Busy):  # a process beside this one looks in its place
            await database.shielded(witness.look())
        await asyncio.sleep(LOOK_SECONDS)

    await for_ever(look, "witness_without_database", again_seconds=AGAIN_SECONDS)
