"""Publishing: heads go out of the database while a process runs, and when it stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from sync_server.engine.sealing import seal
from sync_server.identity.audit_key import AuditKey
from sync_server.operate.heads import read
from sync_server.operate.meters import HEADS
from sync_server.operate.publishing import Publisher
from tests.conftest import MakeServerProcess
from tests.harness.world import House


@pytest.fixture
def key(tmp_path: Path) -> AuditKey:
    return AuditKey.open(tmp_path / "audit.pem")


async def test_a_head_is_published_once_by_a_process(house: House, key: AuditKey, tmp_path: Path) -> None:
    path = tmp_path / "audit" / "heads.jsonl"
    publisher = Publisher(house.database, path, key)
    assert await publisher.publish() == 0, "nothing is sealed yet"

    await seal(house.database, house.org_id)
    assert [await publisher.publish(), await publisher.publish()] == [1, 0]
    await house.add_partners("new1")
    await seal(house.database, house.org_id)
    assert await publisher.publish() == 1

    found = [line.claim for line in read(path, key.public)]
    assert [one.org_id for one in found if one] == [house.org_id] * 2
    assert found[-1] is not None
    assert found[-1].position == await house.clock()


async def test_the_processes_of_a_machine_do_not_all_publish(house: House, key: AuditKey, tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    await seal(house.database, house.org_id)
    await Publisher(house.database, path, key).publish()
    other = Publisher(house.database, path, key)

    running = asyncio.create_task(other.run(3_600))
    await asyncio.wait([running], timeout=0.3)
    running.cancel()
    await asyncio.wait([running])

    assert len(path.read_bytes().splitlines()) == 1


async def test_a_disk_that_cannot_be_written_is_counted(house: House, key: AuditKey, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    await seal(house.database, house.org_id)
    before = HEADS.values["failed",]

    with pytest.raises(OSError, match="file"):
        await Publisher(house.database, tmp_path / "file" / "heads.jsonl", key).publish()

    assert HEADS.values["failed",] == before + 1


async def test_a_server_seals_and_publishes_when_it_stops(
    house: House, database_url: str, server_process: MakeServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "elsewhere" / "heads.jsonl"
    server = await server_process(database_url, jobs=False, demo=False, audit_heads=path)
    await house.add_partners("new1")

    assert await server.terminate() == 0

    said = orjson.loads(path.read_bytes().splitlines()[-1])
    assert (said["org"], said["position"]) == (house.org_id, await house.clock())


async def test_a_server_seals_by_itself_while_it_runs(
    house: House, database_url: str, server_process: MakeServerProcess
) -> None:
    await server_process(database_url, demo=False)
    await house.add_partners("new1")

    async with asyncio.timeout(60):
        while await house.one("SELECT max(position) FROM seal_head") != await house.clock():
            await asyncio.sleep(0.1)

    missing = "SELECT count(*) FROM event e LEFT JOIN event_seal s USING (org_id, position) WHERE s.leaf IS NULL"
    assert await house.one(f"{missing} AND e.position <= (SELECT sealed FROM seal_head)") == 0
