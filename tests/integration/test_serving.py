"""Serving: health, readiness, draining, workers (sync_server/app.py, web/health.py, operate/serving.py)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time

import aiohttp
import asyncpg
import psutil
import pytest

from sync_server.operate.postmaster import find_postmaster
from tests.conftest import MakeServerProcess
from tests.harness.servers import Server, ServerProcess

LOGIN = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


async def test_process_answers_that_it_is_alive(server: Server) -> None:
    async with server.session.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "alive"})


async def test_migrated_database_is_ready(server: Server) -> None:
    async with server.session.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["schema"] == "current"


async def test_altered_schema_is_not_ready(server: Server, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE feed DISABLE TRIGGER ALL; CREATE INDEX extra ON feed (author)")
    await connection.close()

    async with server.session.get("/readyz") as answer:
        assert answer.status == 503
        problem = await answer.json()

    assert (problem["code"], problem["schema"]) == ("schema_mismatch", "altered")


# --- Processes --------------------------------------------------------------------------------------------------------


async def test_first_start_makes_migrates_and_seeds_an_embedded_database(server_process: MakeServerProcess) -> None:
    process = await server_process(None)
    shown = process.output()

    for line in (
        f"Cotton Sync serves {process.url}",
        f"{process.url}/api/v1/sync",
        f"{process.url}/console",
        "agent1",
        "password cotton-demo",
    ):
        assert line in shown
    async with aiohttp.ClientSession(process.url) as session:
        credentials = {"username": "agent1", "password": "cotton-demo"}
        async with session.post("/api/v1/auth/login", json=credentials) as answer:
            token = (await answer.json())["access_token"]
        async with session.get("/api/v1/sync", headers={"Authorization": f"Bearer {token}"}) as answer:
            changes = (await answer.json())["changes"]
    assert changes["business_partners"]["created"]

    assert await process.terminate() == 0
    assert find_postmaster(process.data / "postgres" / "cluster") is None


async def test_killed_server_finds_its_database_again(server_process: MakeServerProcess) -> None:
    process = await server_process(None, demo=False)
    postmaster = find_postmaster(process.data / "postgres" / "cluster")
    await process.kill()
    await process.restart()

    assert postmaster is not None
    assert find_postmaster(process.data / "postgres" / "cluster") == postmaster


async def test_killed_postgresql_is_brought_back_while_serving(server_process: MakeServerProcess) -> None:
    process = await server_process(None, demo=False)
    for _ in range(2):
        postmaster = find_postmaster(process.data / "postgres" / "cluster")
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        while find_postmaster(process.data / "postgres" / "cluster") in (None, postmaster):
            await asyncio.sleep(0.01)
        await process.until_ready()

    assert process.output().count("postgresql_restarted") == 2
    assert await process.terminate() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_request_under_way_is_answered_after_sigterm(
    server_process: MakeServerProcess, database_url: str, workers: int
) -> None:
    process = await server_process(database_url, workers=workers)
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    body = b'{"username": "nobody", "password": "wrong"}'
    writer.write(LOGIN.format(len(body)).encode() + body[:10])
    await writer.drain()
    await asyncio.sleep(0.3)

    ending = asyncio.create_task(process.terminate())
    await asyncio.sleep(0.3)
    writer.write(body[10:])
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert await ending == 0


async def test_nothing_new_is_begun_after_sigterm(server_process: MakeServerProcess, database_url: str) -> None:
    process = await server_process(database_url)
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write(
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\n{"
    )
    await writer.drain()
    await asyncio.sleep(0.2)

    ending = asyncio.create_task(process.terminate())
    await asyncio.sleep(0.3)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", process.port)
    writer.close()

    assert await ending == 0


async def test_workers_share_the_port_and_a_dead_one_is_replaced(
    server_process: MakeServerProcess, database_url: str
) -> None:
    process = await server_process(database_url, workers=2)
    first = await _workers(process.pid, 2)

    first[0].kill()
    second = await _workers(process.pid, 2, other_than=first[0].pid)

    assert first[1].pid in {worker.pid for worker in second}
    assert "worker_died" in process.output()
    assert await process.terminate() == 0


async def test_workers_end_with_a_killed_supervisor(server_process: MakeServerProcess, database_url: str) -> None:
    process = await server_process(database_url, workers=2)
    workers = await _workers(process.pid, 2)
    await process.kill()

    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 15)
    assert not alive


async def _workers(
    supervisor: int, number: int, other_than: int | None = None, patience_seconds: float = 20
) -> list[psutil.Process]:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        children = [child for child in psutil.Process(supervisor).children() if child.status() != psutil.STATUS_ZOMBIE]
        if len(children) == number and other_than not in {child.pid for child in children}:
            return children
        await asyncio.sleep(0.05)
    raise AssertionError(f"there are not {number} workers")


async def test_no_step_of_the_event_loop_is_slow(server_process: MakeServerProcess, demo_url: str) -> None:
    """In asyncio's debug mode a slow step is logged: a blocking call would be one, for as long as it waits.

    Only half a second counts: on a busy machine the operating system alone takes a tenth from any step.
    """
    process = ServerProcess(
        (await server_process(None, start=False)).data,
        {"COTTON_DATABASE_URL": demo_url, "PYTHONASYNCIODEBUG": "1"},
    )
    try:
        await process.start()
        async with aiohttp.ClientSession(process.url) as session:
            credentials = {"username": "agent1", "password": "cotton-demo"}
            async with session.post("/api/v1/auth/login", json=credentials) as answer:
                token = (await answer.json())["access_token"]
            bearer = {"Authorization": f"Bearer {token}"}
            for _ in range(3):
                async with session.get("/api/v1/sync", headers=bearer) as answer:
                    pulled = await answer.json()
            partner = {"id": "debugPartner0001", "name": "Debug Ginners", "_status": "created", "_changed": ""}
            changes = {"business_partners": {"created": [partner], "updated": [], "deleted": []}}
            cursor = {"last_pulled_at": pulled["timestamp"]}
            async with session.post("/api/v1/sync", params=cursor, json=changes, headers=bearer) as answer:
                assert answer.status < 500
    finally:
        await process.clean_up()

    steps = re.findall(r"Executing .*? took (\d+\.\d+) seconds", process.output())
    assert not [seconds for seconds in steps if float(seconds) > 0.5]
