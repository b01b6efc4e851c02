"""The real WatermelonDB, with the SDK's calls and with those of its documentation, is emptied by a wipe, and shows it."""

from __future__ import annotations

from tests.acceptance.test_watermelondb import run_node
from tests.harness.servers import Server


async def test_a_lost_phone_hands_over_what_is_unsent_and_holds_nothing_any_more(
    demo_server: Server, seed: int
) -> None:
    await run_node("dist/test/server/wipe.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))
