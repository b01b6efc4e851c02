"""A real WatermelonDB finds with a real server what drifted, and repairs that and nothing else.

The tests are mobile/sdk/test/server/drift.test.ts and, of the phone's parts by themselves, mobile/sdk/test/unit.
"""

from __future__ import annotations

import pytest

from tests.acceptance.test_watermelondb import let_agents_do_everything, run_node
from tests.harness.servers import Server


@pytest.mark.parametrize("what", ["digest", "resolve", "inbox"])
async def test_the_parts_of_the_phone_do_what_they_promise(what: str) -> None:
    await run_node(f"dist/test/unit/{what}.test.js")


async def test_drift_is_found_and_repaired(demo_url: str, demo_server: Server, seed: int) -> None:
    await let_agents_do_everything(demo_url)
    await run_node("dist/test/server/drift.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))
