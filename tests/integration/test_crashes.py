"""Crashes: kill -9 of the server and of PostgreSQL, lost connections, restores, in the middle of pushes.

What an acknowledged push did is there afterwards, once; what was not acknowledged is there wholly or not at all, and its
repetition has one effect (correctness.md, holes 15 to 19, 28 and 33). A round ends after a number of acknowledged pushes,
never after a time, so a slow machine only takes longer. CRASH_ROUNDS sets the number of rounds (4 by default).
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import psutil
import pytest
import structlog

from sync_server.operate.launch import environment, package
from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from sync_server.operate.postmaster import find_postmaster
from tests.conftest import MakeServerProcess
from tests.harness import clusters
from tests.harness.postgres_proxy import CutAt, PostgresProxy
from tests.harness.pushers import ORG, SYNC, Phone, counter_of, fleet_at_work, judge, prepare_organisation
from tests.harness.servers import serve_here

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "4"))
PHONES = ("p1", "p2", "p3", "p4", "p5", "p6")
PUSHES_BETWEEN = 20


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    """Log failures as plain text: structlog's coloured tracebacks take seconds each, on the event loop."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    yield
    structlog.reset_defaults()


async def _at_a_random_moment(rng: random.Random) -> None:
    """Wait for less than a push takes, so that over the rounds every step of one is hit."""
    await asyncio.sleep(rng.uniform(0, 0.03))


# --- The server dies --------------------------------------------------------------------------------------------------


async def test_killed_server_loses_and_doubles_nothing(
    database_url: str, server_process: MakeServerProcess, seed: int
) -> None:
    await prepare_organisation(database_url, PHONES)
    server = await server_process(database_url)
    rng = random.Random(seed)

    async with fleet_at_work(server.url, PHONES, seed) as fleet:
        for _ in range(ROUNDS):
            await fleet.progress(PUSHES_BETWEEN)
            await _at_a_random_moment(rng)
            await server.kill()
            await server.restart()
        await fleet.progress(PUSHES_BETWEEN)

    assert sum(phone.interrupted for phone in fleet.phones) >= len(PHONES), "nobody noticed the crashes"
    await judge(database_url, fleet.phones)


async def test_killed_worker_takes_nothing_with_it(
    database_url: str, server_process: MakeServerProcess, seed: int
) -> None:
    await prepare_organisation(database_url, PHONES)
    server = await server_process(database_url, workers=2)
    rng = random.Random(seed)

    async with fleet_at_work(server.url, PHONES, seed) as fleet:
        for _ in range(ROUNDS):
            await fleet.progress(PUSHES_BETWEEN)
            await _at_a_random_moment(rng)
            rng.choice(psutil.Process(server.pid).children()).kill()
        await fleet.progress(PUSHES_BETWEEN)

    await judge(database_url, fleet.phones)


# --- PostgreSQL dies --------------------------------------------------------------------------------------------------


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket."""
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    yield folder
    clusters.stop_orphan(folder / "postgres")
    shutil.rmtree(folder)


async def test_killed_postgresql_loses_and_doubles_nothing(
    short_folder: Path, server_process: MakeServerProcess, seed: int
) -> None:
    server = await server_process(data=short_folder, demo=False)
    cluster = Cluster(short_folder / "postgres")
    await prepare_organisation(cluster.url(), PHONES)
    rng = random.Random(seed)

    async with fleet_at_work(server.url, PHONES, seed) as fleet:
        for number in range(ROUNDS):
            await fleet.progress(PUSHES_BETWEEN)
            await _at_a_random_moment(rng)
            _kill_postmaster(cluster) if number % 2 == 0 else _kill_backend(cluster, rng)
        await fleet.progress(PUSHES_BETWEEN)

    assert sum(phone.interrupted for phone in fleet.phones) >= len(PHONES), "nobody noticed the crashes"
    await judge(cluster.url(), fleet.phones)


def _kill_postmaster(cluster: Cluster) -> None:
    postmaster = find_postmaster(cluster.data)
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)


def _kill_backend(cluster: Cluster, rng: random.Random) -> None:
    """Kill one of the processes that serve connections: PostgreSQL then restarts all of itself and recovers."""
    postmaster = find_postmaster(cluster.data)
    assert postmaster is not None
    serving = [
        each for each in psutil.Process(postmaster.pid).children() if "postgres: cotton" in " ".join(each.cmdline())
    ]
    if serving:  # none while it recovers from the last time
        rng.choice(serving).kill()


# --- Connections die --------------------------------------------------------------------------------------------------


async def test_terminated_backends_lose_and_double_nothing(database_url: str, tmp_path: Path, seed: int) -> None:
    await prepare_organisation(database_url, PHONES)
    rng = random.Random(seed)
    killer = await asyncpg.connect(database_url)
    try:
        async with (
            serve_here(database_url, tmp_path) as server,
            fleet_at_work(server.url, PHONES, seed) as fleet,
        ):
            for _ in range(5 * ROUNDS):
                await fleet.progress(PUSHES_BETWEEN // 4)
                await _at_a_random_moment(rng)
                await killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state <> 'idle'"
                )
            await fleet.progress(PUSHES_BETWEEN)
    finally:
        await killer.close()

    await judge(database_url, fleet.phones)


@pytest.mark.parametrize("pull_first", [False, True], ids=["same request again", "pull, then push again"])
@pytest.mark.parametrize("cut_at", [CutAt.BEFORE_COMMIT, CutAt.AFTER_COMMIT])
async def test_commit_with_unknown_outcome_takes_effect_once(
    database_url: str, tmp_path: Path, cut_at: CutAt, pull_first: bool
) -> None:
    await prepare_organisation(database_url, ["p1"])
    async with (
        PostgresProxy(database_url) as proxy,
        serve_here(proxy.url, tmp_path) as server,
        aiohttp.ClientSession() as session,
    ):
        phone = Phone("p1", server.url, random.Random(1), token=await server.login("p1"))
        await phone.pull(session)
        changes = phone.next_changes()
        body = orjson.dumps(changes)

        proxy.arm(cut_at)
        with pytest.raises(Exception) as lost:  # noqa: PT011 - 503 or a cut connection; both say "not known"
            await phone.post(session, body)
        assert type(lost.value).__name__ in {"NotNow", "ServerDisconnectedError"}
        assert proxy.cuts == 1
        stored = await _partners(database_url)
        if pull_first:
            await phone.pull(session)
        await phone.post(session, body)
        await phone.pull(session)

    assert bool(stored) == (cut_at is CutAt.AFTER_COMMIT), "the proxy must cut on the side of the commit that it says"
    phone.acknowledged = 1
    phone.created = {record["id"] for record in changes["business_partners"]["created"]}
    await judge(database_url, [phone])


async def test_connections_cut_at_every_kind_of_moment_lose_and_double_nothing(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    await prepare_organisation(database_url, PHONES)
    rng = random.Random(seed)
    async with (
        PostgresProxy(database_url) as proxy,
        serve_here(proxy.url, tmp_path) as server,
        fleet_at_work(server.url, PHONES, seed) as fleet,
    ):
        for _ in range(5 * ROUNDS):
            await fleet.progress(PUSHES_BETWEEN // 4)
            await _at_a_random_moment(rng)
            match rng.randrange(3):
                case 0:
                    proxy.arm(CutAt.BEFORE_COMMIT)
                case 1:
                    proxy.arm(CutAt.AFTER_COMMIT)
                case _:
                    proxy.cut_all()
        await fleet.progress(PUSHES_BETWEEN)

    assert proxy.cuts > ROUNDS
    await judge(database_url, fleet.phones)


# --- Phones hang up ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 1.0], ids=["half of the body sent", "all of it sent, no answer read"])
async def test_phone_that_hangs_up_can_push_again(database_url: str, tmp_path: Path, share: float) -> None:
    await prepare_organisation(database_url, ["p1"])
    async with serve_here(database_url, tmp_path) as server, aiohttp.ClientSession() as session:
        phone = Phone("p1", server.url, random.Random(1), token=await server.login("p1"))
        await phone.pull(session)
        changes = phone.next_changes()
        body = orjson.dumps(changes)
        for _ in range(ROUNDS):
            await _send_and_hang_up(phone, body, share)
        before = await _partners(database_url)
        await phone.post(session, body)
        await phone.pull(session)

    if share < 1:
        assert not before, "a body that never arrived whole must have no effect"
    phone.acknowledged = 1
    phone.created = {record["id"] for record in changes["business_partners"]["created"]}
    await judge(database_url, [phone])


async def _send_and_hang_up(phone: Phone, body: bytes, share: float) -> None:
    host, port = phone.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {SYNC}?last_pulled_at={phone.cursor} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {phone.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[: int(len(body) * share)])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


# --- Dump and restore -------------------------------------------------------------------------------------------------


async def test_cursor_stays_valid_over_dump_and_restore(
    cluster: Cluster, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    """Hole 33: transaction ids start anew in a restored database; positions are data and do not."""
    await prepare_organisation(database_url, ["p1"])
    async with serve_here(database_url, tmp_path / "old") as server, aiohttp.ClientSession() as session:
        phone = Phone("p1", server.url, random.Random(1), token=await server.login("p1"))
        await phone.push_once(session)
        await phone.pull(session)
    held = set(phone.held)

    await asyncio.to_thread(_dump_and_restore, database_url, empty_url, tmp_path / "dump.sql")
    assert not await migrate_up(empty_url), "the restored schema is complete"
    connection = await asyncpg.connect(empty_url)
    await connection.execute(
        "UPDATE business_partners SET remarks = 'after the restore' WHERE org_id = $1 AND id = 'buyer'", ORG
    )
    await connection.close()

    async with serve_here(empty_url, tmp_path / "new") as server, aiohttp.ClientSession() as session:
        phone.base, phone.token = server.url, await server.login("p1")
        changes = await _pulled(phone, session)
        assert [record["id"] for record in changes["business_partners"]["updated"]] == ["buyer"]
        assert not changes["requirements"]["updated"], "what the phone has is not sent again"
        await phone.pull(session)
        await phone.push_once(session)
        await phone.pull(session)

    assert held < phone.held
    await judge(empty_url, [phone])
    assert counter_of("p1") in await _ids(empty_url, "requirements")


async def _pulled(phone: Phone, session: aiohttp.ClientSession) -> dict[str, dict[str, list[dict[str, str]]]]:
    query = {"last_pulled_at": str(phone.cursor)}
    headers = {"Authorization": f"Bearer {phone.token}"}
    async with session.get(phone.base + SYNC, params=query, headers=headers) as answer:
        document = await answer.json()
    assert "experimentalStrategy" not in document
    changes: dict[str, dict[str, list[dict[str, str]]]] = document["changes"]
    return changes


def _dump_and_restore(old: str, new: str, file: Path) -> None:
    binaries = package() / "pginstall" / "bin"
    for command in (
        (str(binaries / "pg_dump"), "--no-owner", f"--file={file}", old),
        (str(binaries / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={file}", new),
    ):
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


async def _partners(url: str) -> set[str]:
    return await _ids(url, "business_partners") - {"buyer"}


async def _ids(url: str, table: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row["id"] for row in await connection.fetch(f"SELECT id FROM {table} WHERE org_id = $1", ORG)}
    finally:
        await connection.close()


async def test_durable_cluster_keeps_its_promise_to_be_durable(tmp_path: Path) -> None:
    """The crash tests mean something only if what they kill would survive a power cut."""
    with clusters.durable_cluster(tmp_path / "postgres") as durable:
        connection = await asyncpg.connect(durable.url("postgres", admin=True))
        settings = await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit')"
        )
        await connection.close()

    assert {row["name"]: row["setting"] for row in settings} == {"fsync": "on", "synchronous_commit": "on"}


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM partner_contacts WHERE partner_id = 'p1.1.0'",
        "DELETE FROM business_partners WHERE id = 'p1.1.0'",
        "UPDATE business_partners SET remarks = 'again' WHERE id = 'p1.1.0'",
        "UPDATE requirements SET bales_max = bales_max + 1 WHERE id = 'counter.p1'",
        "ALTER TABLE event DISABLE TRIGGER refuse_delete; DELETE FROM event WHERE record_id = 'p1.1.0'",
    ],
)
async def test_judge_notices_what_is_lost_or_done_twice(database_url: str, tmp_path: Path, tampering: str) -> None:
    """The test of the tests: without it, a judge that sees nothing would let them all pass."""
    await prepare_organisation(database_url, ["p1"])
    async with serve_here(database_url, tmp_path) as server, aiohttp.ClientSession() as session:
        phone = Phone("p1", server.url, random.Random(1), token=await server.login("p1"))
        await phone.push_once(session)
        await phone.pull(session)
    await judge(database_url, [phone])

    connection = await asyncpg.connect(database_url)
    await connection.execute(tampering)
    await connection.close()

    with pytest.raises(AssertionError):
        await judge(database_url, [phone])
