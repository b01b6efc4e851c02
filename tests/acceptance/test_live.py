"""The SDK's live connection, by itself and against a real server, in Node with real WatermelonDB databases."""

from __future__ import annotations

from tests.acceptance.test_watermelondb import TESTING, let_agents_do_everything, run_node
from tests.harness.servers import Server

WITH_SOCKETS = (*TESTING, "--experimental-websocket")
"""Node 20 has its WebSocket behind a flag; later ones pass over it."""


async def test_hints_become_syncs_and_nothing_is_left_running() -> None:
    await run_node("dist/test/unit/live.test.js")


async def test_an_edit_elsewhere_reaches_a_phone_that_nobody_tells_to_sync(
    demo_server: Server, demo_url: str, seed: int
) -> None:
    await let_agents_do_everything(demo_url)
    environment = {"COTTON_TEST_URL": demo_server.url, "COTTON_TEST_SEED": str(seed)}
    await run_node("dist/test/server/live.test.js", flags=WITH_SOCKETS, **environment)
