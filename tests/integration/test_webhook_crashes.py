"""Real processes that are killed while they deliver: nothing is lost, and what comes twice has one id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest
from standardwebhooks import Webhook as Verifier

from tests.conftest import MakeServerProcess
from tests.harness.endpoints import Endpoint, endpoint_here
from tests.harness.servers import ServerProcess


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


async def ask(server: ServerProcess, headers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{server.url}/api/v1{path}", json=body, headers=headers) as answer,
    ):
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def log_in(server: ServerProcess) -> dict[str, str]:
    asked = {"username": "admin", "password": "cotton-demo"}
    return {"Authorization": f"Bearer {(await ask(server, {}, 'POST', '/auth/login', asked))['access_token']}"}


async def lease_is_over(url: str) -> None:
    """Let the time pass that a claim is nobody else's."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "UPDATE webhook_delivery SET next_at = now(), leased_until = now() WHERE state = 'pending'"
    )
    await connection.close()


async def delivered(url: str, number: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'") < number:
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def test_a_process_that_is_killed_in_the_middle_of_a_delivery_loses_nothing(
    server_process: MakeServerProcess, demo_url: str, endpoint: Endpoint
) -> None:
    server = await server_process(demo_url, webhook_loopback="true", require_totp="false")
    headers = await log_in(server)
    made = await ask(server, headers, "POST", "/webhooks", {"url": endpoint.url, "events": ["varieties.*"]})
    commodity = (await ask(server, headers, "GET", "/commodities?limit=1"))["records"][0]["id"]
    endpoint.stalls = True
    for n in range(3):
        body = {"id": f"killed{n}", "commodity_id": commodity, "name": f"Killed {n}"}
        await ask(server, headers, "POST", "/varieties", body)
    await asyncio.wait_for(endpoint.arrived.wait(), 30)

    await server.kill()
    endpoint.stalls = False
    endpoint.released.set()
    await lease_is_over(demo_url)
    await server.restart()
    await delivered(demo_url, 3)

    by_record = {f"killed{n}": endpoint.of(f"killed{n}") for n in range(3)}
    assert all(by_record.values())
    assert any(len(taken) == 2 for taken in by_record.values())
    for taken in by_record.values():
        assert len({one.id for one in taken}) == 1
        for one in taken:
            Verifier(made["secret"]).verify(one.body, one.headers)
