"""Real processes: two servers on one PostgreSQL and one Valkey, several workers behind one port, and `--with-bus`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from sync_server.config import Settings
from sync_server.operate.valkey import bus_for
from tests.conftest import MakeServerProcess
from tests.harness.listeners import Listener, listening
from tests.harness.servers import PASSWORD, Server
from tests.harness.valkeys import Valkey

SOON = 10.0


def settings_of(**given: Any) -> Settings:
    return Settings(**given)


@asynccontextmanager
async def spoken_to(url: str) -> AsyncIterator[Server]:
    """Speak to a server process as tests speak to one of their own."""
    async with aiohttp.ClientSession(url) as session:
        yield Server(url, session, settings_of(data=Path("/nowhere")))


async def ears(stack: AsyncExitStack, url: str, user: str, number: int = 1) -> list[Listener]:
    server = await stack.enter_async_context(spoken_to(url))
    headers = await server.bearer(user, PASSWORD)
    return [await stack.enter_async_context(listening(server, headers)) for _ in range(number)]


async def change(url: str, remark: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE business_partners SET remarks = $1", remark)
    await connection.close()


async def test_two_processes_on_one_database_and_one_valkey_hear_of_each_other_and_of_plain_sql(
    demo_url: str, server_process: MakeServerProcess, tmp_path: Path
) -> None:
    valkey = await Valkey.run(tmp_path / "valkey")
    try:
        shared = {"bus_url": valkey.url, "signing_key_file": tmp_path / "keys"}
        first, second = [await server_process(demo_url, **shared) for _ in range(2)]
        async with AsyncExitStack() as stack:
            listeners = [*await ears(stack, first.url, "trader1"), *await ears(stack, second.url, "trader1")]
            for remark in ("one", "two"):
                await change(demo_url, remark)
                for ear in listeners:
                    await ear.hint_of("business_partners", SOON)
                    ear.frames.clear()
            # One of them dies as in a power cut: the other goes on.
            await first.kill()
            await change(demo_url, "three")
            await listeners[1].hint_of("business_partners", SOON)
    finally:
        await valkey.stop()


async def test_listeners_of_every_worker_hear(demo_url: str, server_process: MakeServerProcess) -> None:
    process = await server_process(demo_url, workers=2, live_per_device=6)  # by chance all are at one worker
    async with AsyncExitStack() as stack:
        listeners = await ears(stack, process.url, "trader1", 6)
        await change(demo_url, "x")
        await asyncio.gather(*(ear.hint_of("business_partners", SOON) for ear in listeners))


def test_embedded_valkey_is_closed_to_strangers_and_gone_at_the_end(tmp_path: Path) -> None:
    with bus_for(settings_of(data=tmp_path), wanted=True) as settings:
        assert settings.bus_url is not None
        assert settings.bus_url.startswith("redis://:")
        asyncio.run(_is_there(settings.bus_url))
    assert not asyncio.run(_listens(settings.bus_url))


def test_bus_that_is_named_is_used_and_none_is_started_unasked(tmp_path: Path) -> None:
    named = settings_of(data=tmp_path, bus_url="redis://elsewhere")
    with bus_for(named, wanted=True) as settings:
        assert settings is named
    plain = settings_of(data=tmp_path)
    with bus_for(plain, wanted=False) as settings:
        assert settings is plain


async def _is_there(url: str) -> None:
    from redis.asyncio import Redis
    from redis.exceptions import AuthenticationError

    async with Redis.from_url(url) as client:
        await client.set("x", "y")
    stranger = url.replace(url[len("redis://") : url.index("@") + 1], "")
    async with Redis.from_url(stranger) as client:
        try:
            await client.set("x", "z")
        except AuthenticationError:
            return
    raise AssertionError("it let a stranger in")


async def _listens(url: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2].split("/")[0]))
    except OSError:
        return False
    writer.close()
    return True
