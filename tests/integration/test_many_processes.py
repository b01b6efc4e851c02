"""Four processes on one PostgreSQL and one Valkey cluster: kill any of them, and every device ends with everything.

FLEET_DEVICES is the number of devices (2 000 by `make fleet`), FLEET_ROUNDS that of the faults. A round ends after a number of
acknowledged pushes, never after a time.

Planted by hand, each found here: hints that name a clock of before the change; a process that no longer looks at the log once
the database was gone.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from sync_server.operate.postmaster import find_postmaster
from tests.harness import clusters
from tests.harness.followers import Follower, following
from tests.harness.pushers import ORG, fleet_at_work, judge, prepare_organisation
from tests.harness.servers import ServerProcess
from tests.harness.valkeys import ValkeyCluster, valkey_cluster

DEVICES = int(os.environ.get("FLEET_DEVICES", "40"))
ROUNDS = int(os.environ.get("FLEET_ROUNDS", "4"))
PROCESSES = 4
USERS = tuple(f"p{n}" for n in range(1, 9))
PUSHES_BETWEEN = 60
HEARTBEAT_SECONDS = 3
SETTLED_SECONDS = 30 + DEVICES / 20
"""For devices to come back after the last fault: what they share is the machine that runs the tests."""


@pytest.fixture
async def postgres() -> AsyncIterator[Cluster]:
    """A PostgreSQL that syncs to the disk and can be killed."""
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))  # a path short enough for a socket
    cluster = Cluster(folder / "postgres")
    await asyncio.to_thread(cluster.start)
    yield cluster
    await asyncio.to_thread(cluster.release)
    await asyncio.to_thread(clusters.stop_orphan, folder / "postgres")
    shutil.rmtree(folder)


async def kill_postgresql(cluster: Cluster) -> None:
    postmaster = find_postmaster(cluster.data)
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(cluster.start)


async def kill_a_server(servers: list[ServerProcess], rng: random.Random) -> None:
    server = rng.choice(servers)
    await server.kill()
    await asyncio.sleep(rng.uniform(0, 1))
    await server.restart()


async def kill_a_node(cluster: ValkeyCluster, rng: random.Random) -> None:
    node = rng.choice(cluster.nodes)
    await node.stop()
    await asyncio.sleep(rng.uniform(0, 2))
    await node.start()


async def break_something(
    number: int, servers: list[ServerProcess], bus: ValkeyCluster, postgres: Cluster, rng: random.Random
) -> None:
    """Break one thing after the other, and two at once."""
    match number % 4:
        case 0:
            await kill_a_server(servers, rng)
        case 1:
            await kill_a_node(bus, rng)
        case 2:
            await kill_postgresql(postgres)
        case _:
            await asyncio.gather(kill_a_server(servers, rng), kill_a_node(bus, rng))


async def run_servers(stack: AsyncExitStack, url: str, bus: str, folder: Path) -> list[ServerProcess]:
    """Start the processes: they share a database, a bus and the keys that sign tokens."""
    environment = {
        "COTTON_DATABASE_URL": url,
        "COTTON_BUS_URL": bus,
        "COTTON_SIGNING_KEY_FILE": str(folder / "keys"),
        "COTTON_LIVE_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "COTTON_LIVE_PER_USER": "10000",
        "COTTON_LIVE_PER_DEVICE": "10000",
        "COTTON_REQUIRE_TOTP": "false",
    }
    servers = [ServerProcess(folder / f"server{n}", environment) for n in range(PROCESSES)]
    for server in servers:
        stack.push_async_callback(server.clean_up)
        await server.start()
    return servers


async def test_whatever_is_killed_every_device_ends_with_everything_and_hints_resume(
    postgres: Cluster, tmp_path: Path, seed: int
) -> None:
    url, rng = postgres.url(), random.Random(seed)
    await migrate_up(url)
    await prepare_organisation(url, USERS)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(valkey_cluster(tmp_path))
        servers = await run_servers(stack, url, bus.url, tmp_path)
        bases = [server.url for server in servers]
        followers = await stack.enter_async_context(following(bases, USERS, DEVICES, seed))
        await followers.until_all(lambda one: one.cursor, SETTLED_SECONDS, "never pulled")
        async with fleet_at_work(bases, USERS, seed) as fleet:
            for number in range(ROUNDS):
                await fleet.progress(PUSHES_BETWEEN)
                await break_something(number, servers, bus, postgres, rng)
            await fleet.progress(PUSHES_BETWEEN)
        await judge(url, fleet.phones)
        created = set[str]().union(*(phone.created for phone in fleet.phones))
        await followers.until_all(lambda one: set(one.held) >= created, SETTLED_SECONDS, "lack a partner")
        assert sum(one.connections for one in followers.each) > DEVICES, "no connection was ever lost"

        position = await change_behind_the_back(url)
        await followers.until_all(lambda one: one.hinted >= position, SETTLED_SECONDS, "were not hinted")
        await followers.until_all(heard_of_it, SETTLED_SECONDS, "lack the last change")


REMARK = "written behind the application's back"


def heard_of_it(one: Follower) -> bool:
    return bool(one.held["buyer"]["remarks"] == REMARK)


async def change_behind_the_back(url: str) -> int:
    """Change a partner by plain SQL; give the position of the change."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE business_partners SET remarks = $1 WHERE id = 'buyer'", REMARK)
        return int(await connection.fetchval("SELECT position FROM feed WHERE org_id = $1 AND id = 'buyer'", ORG))
    finally:
        await connection.close()
