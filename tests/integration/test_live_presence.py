"""Who looks at a record, and which devices are there: for those who ask to be shown, and among themselves only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.listeners import Listener, listening
from tests.harness.office import at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.valkeys import Valkey
from tests.harness.world import ORG, House

TRADE = "entity:trades:t1"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def listen(server: Server, house: House, stack: AsyncExitStack, user: str, session: str = "") -> Listener:
    clerk = await at_desk(server, house, user, session)
    return await stack.enter_async_context(listening(server, clerk.headers))


def shows(*users: str) -> Any:
    return lambda f: f["type"] == "presence" and [p["user"] for p in f["present"]] == list(users)


async def test_who_looks_at_a_trade_is_shown_to_the_others_there_until_they_leave(
    server: Server, house: House, stack: AsyncExitStack
) -> None:
    asha, bela = [await listen(server, house, stack, user) for user in ("agent1", "agent2")]
    await asha.subscribe(TRADE, presence=True)
    await asha.until(shows("agent1"))
    await bela.subscribe(TRADE, presence=True)
    await asyncio.gather(asha.until(shows("agent1", "agent2")), bela.until(shows("agent1", "agent2")))

    asha.frames.clear()
    await bela.say(type="unsubscribe", channel=TRADE)
    await asha.until(shows("agent1"))
    await bela.subscribe(TRADE, presence=True)
    await asha.until(shows("agent1", "agent2"))
    asha.frames.clear()
    await bela.ws.close()
    await asha.until(shows("agent1"))


async def test_who_does_not_ask_is_neither_shown_nor_told(server: Server, house: House, stack: AsyncExitStack) -> None:
    shown, quiet = [await listen(server, house, stack, user) for user in ("agent1", "agent2")]
    await quiet.subscribe(TRADE)
    await shown.subscribe(TRADE, presence=True)
    await shown.until(shows("agent1"))
    await asyncio.sleep(0.3)
    assert not [frame for frame in quiet.frames if frame["type"] == "presence"]


async def test_partner_sees_nobody_and_is_not_seen(server: Server, house: House, stack: AsyncExitStack) -> None:
    await house.employ("buyer", "external_buyer", partner_id="p1")
    partner, clerk = await listen(server, house, stack, "buyer"), await listen(server, house, stack, "agent1")
    await clerk.subscribe(TRADE, presence=True)
    await partner.subscribe(TRADE, presence=True)
    await partner.subscribe("user:buyer", presence=True)
    await asyncio.sleep(0.3)
    assert not [frame for frame in partner.frames if frame["type"] == "presence"]
    assert not [frame for frame in clerk.frames if shows("agent1", "buyer")(frame)]


async def test_who_may_no_more_see_the_record_is_shown_no_more(
    server: Server, house: House, stack: AsyncExitStack
) -> None:
    await house.employ("desk1", "manager", branch_id="b1")
    stays, goes = await listen(server, house, stack, "agent1"), await listen(server, house, stack, "desk1")
    await stays.subscribe(TRADE, presence=True)
    await goes.subscribe(TRADE, presence=True)
    await stays.until(shows("agent1", "desk1"))
    stays.frames.clear()

    await house.run(f"UPDATE trades SET branch_id = 'b2' WHERE org_id = '{ORG}' AND id = 't1'")

    await stays.until(shows("agent1"))


async def test_presence_is_of_all_processes_on_a_bus(house: House, database_url: str, tmp_path: Path) -> None:
    valkey = await Valkey.run(tmp_path / "valkey")
    try:
        async with (
            serve_here(database_url, tmp_path / "a", bus_url=valkey.url) as a,
            serve_here(database_url, tmp_path / "b", bus_url=valkey.url) as b,
            AsyncExitStack() as stack,
        ):
            asha, bela = await listen(a, house, stack, "agent1"), await listen(b, house, stack, "agent2")
            await asyncio.sleep(0.5)
            await asha.subscribe(TRADE, presence=True)
            await bela.subscribe(TRADE, presence=True)
            await asha.until(shows("agent1", "agent2"))
            asha.frames.clear()
            await bela.ws.close()
            await asha.until(shows("agent1"))
    finally:
        await valkey.stop()
