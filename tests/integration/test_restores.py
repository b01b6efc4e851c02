"""Restores of a real server's files: the first answer afterwards knows of it (operate/witness.py; correctness.md, 31 to 35)."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from sync_server.operate.postgres import Cluster
from tests.conftest import MakeServerProcess
from tests.harness import clusters
from tests.harness.pushers import Phone, prepare_organisation
from tests.harness.servers import ServerProcess


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket."""
    made = Path(tempfile.mkdtemp(prefix="restore-"))
    yield made
    clusters.stop_orphan(made / "postgres")
    shutil.rmtree(made)


def put_back(cluster: Path, snapshot: Path) -> None:
    """Roll the disk back: the same system identifier, the same timeline (hole 35)."""
    shutil.rmtree(cluster)
    shutil.copytree(snapshot, cluster)


def recover(cluster: Path, _snapshot: Path) -> None:
    """Recover to the end of the log, as a standby does that is promoted: nothing is lost, but the timeline is another (34)."""
    (cluster / "recovery.signal").touch()
    with (cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\nhot_standby = off\n")


@pytest.mark.parametrize(
    ("restore", "replaced"), [(put_back, True), (recover, False)], ids=["a disk put back", "another timeline"]
)
async def test_a_restore_is_noticed_before_anything_is_answered(
    folder: Path, server_process: MakeServerProcess, restore: Callable[[Path, Path], None], replaced: bool
) -> None:
    server = await server_process(data=folder, demo=False)
    cluster = Cluster(folder / "postgres")
    await prepare_organisation(cluster.url(), ["p1"])
    async with aiohttp.ClientSession() as session:
        phone = Phone("p1", server.url, random.Random(1))
        phone.token = await phone._login(session)
        await phone.push_once(session)
        early = await _cursor(phone, session)
        await _stopped(server)
        await asyncio.to_thread(shutil.copytree, cluster.data, folder / "snapshot")
        await server.restart()
        await phone.push_once(session)
        late = await _cursor(phone, session)
        await _stopped(server)
        await server.restart()  # it looks when it begins
        await _stopped(server)

        await asyncio.to_thread(restore, cluster.data, folder / "snapshot")
        await server.restart()

        assert await _strategy(phone, session, late) == ("replacement" if replaced else None)
        assert await _strategy(phone, session, early) is None
        assert "history_moved_back" in server.output()


async def _stopped(server: ServerProcess) -> None:
    assert await server.terminate() == 0


async def _pulled(phone: Phone, session: aiohttp.ClientSession, cursor: int) -> dict[str, Any]:
    query = {"last_pulled_at": str(cursor), "schema_version": "1", "migration": "null"}
    async with session.get(f"{phone.base}/api/v1/sync", params=query, headers=phone._headers()) as answer:
        body: dict[str, Any] = orjson.loads(await answer.read())
        assert answer.status == 200, body
        return body


async def _cursor(phone: Phone, session: aiohttp.ClientSession) -> int:
    await phone.pull(session)
    assert phone.cursor is not None
    return phone.cursor


async def _strategy(phone: Phone, session: aiohttp.ClientSession, cursor: int) -> str | None:
    strategy: str | None = (await _pulled(phone, session, cursor)).get("experimentalStrategy")
    return strategy
