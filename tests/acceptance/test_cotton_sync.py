"""The phone's SDK as a whole, on a real WatermelonDB and against a real server: mobile/sdk/test/server says what is shown."""

from __future__ import annotations

import pytest

from tests.acceptance.test_watermelondb import let_agents_do_everything, run_node
from tests.harness.servers import Server


@pytest.mark.parametrize("what", ["cotton", "kill", "network", "slices", "hands", "upgrade"])
async def test_the_sdk_keeps_its_promises(what: str, demo_url: str, demo_server: Server, seed: int) -> None:
    await let_agents_do_everything(demo_url)
    await run_node(f"dist/test/server/{what}.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


async def test_sessions_keys_and_wipes_are_kept_on_the_phone(demo_server: Server, seed: int) -> None:
    await run_node("dist/test/server/session.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


@pytest.mark.parametrize("what", ["auto", "receive", "status", "transport", "unsynced", "wire"])
async def test_the_parts_of_the_sdk_keep_theirs(what: str) -> None:
    await run_node(f"dist/test/unit/{what}.test.js")
