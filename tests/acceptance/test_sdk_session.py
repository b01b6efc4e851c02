"""Logging in on a phone: the SDK's session, locks and device keys by themselves, and the session against a real server.

mobile/sdk/test/unit and mobile/sdk/test/server/login.test.ts say what is shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from sync_server.web import keys
from tests.acceptance.test_watermelondb import run_node
from tests.harness.coded import ASHA, PASSWORD, RAVI, settle
from tests.harness.gateway import Gateway, all_sent, gateway_here
from tests.harness.servers import Server, serve_here

TOKEN_SECONDS = 2
"""Life of an access token: the shortest that leaves time to use it."""


@pytest.mark.parametrize("what", ["devicekey", "lock", "session"])
async def test_the_login_of_the_sdk_keeps_its_promises(what: str) -> None:
    await run_node(f"dist/test/unit/{what}.test.js")


async def test_a_session_outlives_its_tokens_lost_answers_and_wrong_clocks(demo_server: Server, seed: int) -> None:
    assert demo_server.app is not None
    demo_server.app[keys.TOKENS].access_seconds = TOKEN_SECONDS  # no setting allows so little

    await run_node("dist/test/server/login.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


async def test_people_log_in_with_codes_and_second_factors(database_url: str, tmp_path: Path, seed: int) -> None:
    await settle(database_url)
    async with (
        gateway_here() as gateway,
        serve_here(database_url, tmp_path, sms_url=gateway.url, limit_codes="none") as server,
        inbox_of(server, gateway) as inbox_url,
    ):
        environment = {"COTTON_TEST_URL": server.url, "COTTON_TEST_INBOX": inbox_url, "COTTON_TEST_SEED": str(seed)}
        people = {"COTTON_TEST_ASHA": ASHA, "COTTON_TEST_RAVI": RAVI, "COTTON_TEST_PASSWORD": PASSWORD}
        await run_node("dist/test/server/codes.test.js", **environment, **people)


@asynccontextmanager
async def inbox_of(server: Server, gateway: Gateway) -> AsyncIterator[str]:
    """Let a test outside this process read the messages of a phone: `GET /?to=<number>` gives its newest code."""

    async def read(request: web.Request) -> web.Response:
        await all_sent(server)
        return web.Response(text=gateway.code_to(request.query["to"]))

    app = web.Application()
    app.router.add_get("/", read)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
