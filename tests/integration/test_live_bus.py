"""Processes tell each other over a real Valkey, alone and as a cluster of three; it may go away and come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from sync_server.live import tail
from sync_server.live.bus import Bus
from sync_server.live.choose import choose_bus
from sync_server.web.live_tasks import LIVE_ROOM
from tests.harness.listeners import Listener, listening
from tests.harness.office import at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.valkeys import Valkey, valkey_cluster
from tests.harness.world import ORG, House

SOON = 5.0


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    running = await Valkey.run(tmp_path / "valkey")
    yield running
    await running.stop()


@asynccontextmanager
async def heard_over(
    url: str, *org_ids: str, database: str = "db"
) -> AsyncIterator[tuple[Bus, list[bytes], list[None]]]:
    """Run a process's end of the bus; give what it hears, and how often it may have missed something."""
    bus, heard, missed = choose_bus(url, database), list[bytes](), list[None]()
    bus.follow(org_ids)
    running = asyncio.create_task(bus.run(heard.append, lambda: missed.append(None)))
    try:
        await until(lambda: bool(missed))
        yield bus, heard, missed
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(is_so: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_process_hears_of_the_organisations_that_it_follows_and_of_no_others(valkey: Valkey) -> None:
    async with heard_over(valkey.url) as (teller, _, _), heard_over(valkey.url, "o1") as (listener, heard, missed):
        teller.publish("o2", b"two")
        teller.publish("o1", b"one")
        await until(lambda: heard == [b"one"])

        listener.follow(["o2"])
        await until(lambda: len(missed) == 2)
        teller.publish("o1", b"one again")
        teller.publish("o2", b"two again")
        await until(lambda: heard == [b"one", b"two again"])


async def test_processes_over_another_database_are_not_heard(valkey: Valkey) -> None:
    """Its organisations may have the same names, as a copy for trying things out does; its positions mean nothing here."""
    async with (
        heard_over(valkey.url, database="copy") as (copy, _, _),
        heard_over(valkey.url) as (teller, _, _),
        heard_over(valkey.url, "o1") as (_, heard, _),
    ):
        copy.publish("o1", b"from the copy")
        await asyncio.sleep(0.2)
        teller.publish("o1", b"from here")
        await until(lambda: bool(heard))
        assert heard == [b"from here"]


async def test_cluster_carries_every_organisation_over_one_node_of_its_own(tmp_path: Path) -> None:
    orgs = [f"o{n}" for n in range(30)]
    async with (
        valkey_cluster(tmp_path) as cluster,
        heard_over(cluster.url) as (teller, _, _),
        heard_over(cluster.url, *orgs) as (_, heard, _),
    ):
        for org in orgs:
            teller.publish(org, org.encode())
        await until(lambda: len(heard) == 30)
        assert sorted(heard) == sorted(org.encode() for org in orgs)

        # A node that goes away takes its organisations with it; the others are heard, and it comes back.
        await cluster.nodes[2].stop()
        await asyncio.sleep(0.5)
        await cluster.nodes[2].start()
        heard.clear()
        async with asyncio.timeout(30):
            while {org.encode() for org in orgs} - set(heard):
                for org in orgs:
                    teller.publish(org, org.encode())
                await asyncio.sleep(0.5)


async def test_bus_that_goes_away_is_taken_up_again(valkey: Valkey) -> None:
    async with heard_over(valkey.url) as (teller, _, _), heard_over(valkey.url, "o1") as (_, heard, missed):
        for _ in range(2):
            before = len(missed)
            await valkey.stop()
            await asyncio.sleep(0.3)
            await valkey.start()
            await until(lambda: len(missed) > before)  # noqa: B023
            teller.publish("o1", b"x")
            await until(lambda: bool(heard))
            heard.clear()


async def test_bus_that_was_never_there_holds_nobody_up(tmp_path: Path) -> None:
    bus = choose_bus("redis://127.0.0.1:1/0", "db")
    running = asyncio.create_task(bus.run(lambda _: None, lambda: None))
    for n in range(5_000):
        bus.publish("o1", b"%d" % n)
    await asyncio.sleep(0.3)
    assert not running.done()
    running.cancel()
    await asyncio.wait({running})


# --- Servers ------------------------------------------------------------------------------------------------------------


async def listen(server: Server, house: House, stack: AsyncExitStack, user: str) -> Listener:
    clerk = await at_desk(server, house, user)
    return await stack.enter_async_context(listening(server, clerk.headers))


async def test_two_servers_hear_of_each_others_changes_over_the_bus_at_once(
    house: House, database_url: str, tmp_path: Path, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With looks at the log a minute apart, so that only the bus can have told."""
    monkeypatch.setattr(tail, "POLL_SECONDS", 60.0)
    async with (
        serve_here(database_url, tmp_path / "a", bus_url=valkey.url) as a,
        serve_here(database_url, tmp_path / "b", bus_url=valkey.url) as b,
        AsyncExitStack() as stack,
    ):
        here, there = await listen(a, house, stack, "agent1"), await listen(b, house, stack, "agent2")
        await asyncio.sleep(0.5)
        writer = await at_desk(a, house, "agent3")

        assert (await writer.ask("PATCH", "/trades/t1", {"remarks": "x"}, If_Match="*")).status == 200

        told = await asyncio.gather(here.hint_of("trades", SOON), there.hint_of("trades", SOON))
        assert told[0]["clock"] == told[1]["clock"] == await house.clock()


@pytest.mark.parametrize("bus", [False, True])
async def test_two_servers_hear_of_each_others_changes_and_of_plain_sql_without_a_bus_or_with_a_dead_one(
    house: House, database_url: str, tmp_path: Path, bus: bool
) -> None:
    url = {"bus_url": "redis://127.0.0.1:1/0"} if bus else {}
    async with (
        serve_here(database_url, tmp_path / "a", **url) as a,
        serve_here(database_url, tmp_path / "b", **url) as b,
        AsyncExitStack() as stack,
    ):
        here, there = await listen(a, house, stack, "agent1"), await listen(b, house, stack, "agent2")
        writer = await at_desk(a, house, "agent3")
        assert (await writer.ask("PATCH", "/trades/t1", {"remarks": "x"}, If_Match="*")).status == 200
        await asyncio.gather(here.hint_of("trades", SOON), there.hint_of("trades", SOON))

        await house.run(f"UPDATE units SET name = 'kilo' WHERE org_id = '{ORG}' AND id = 'kg'")
        await asyncio.gather(here.hint_of("units", SOON), there.hint_of("units", SOON))


async def test_valkey_may_go_and_come_back_while_phones_sync_and_nobody_is_cut_off(
    house: House, database_url: str, tmp_path: Path, valkey: Valkey
) -> None:
    async with (
        serve_here(database_url, tmp_path / "a", bus_url=valkey.url) as a,
        serve_here(database_url, tmp_path / "b", bus_url=valkey.url) as b,
        AsyncExitStack() as stack,
    ):
        ears = [await listen(a, house, stack, "agent1"), await listen(b, house, stack, "agent2")]
        writer = await at_desk(a, house, "agent3")
        for stage in ("up", "down", "back"):
            if stage == "down":
                await valkey.stop()
            if stage == "back":
                await valkey.start()
            for ear in ears:
                ear.frames.clear()
            assert (await writer.ask("PATCH", "/trades/t1", {"remarks": stage}, If_Match="*")).status == 200
            began = time.monotonic()
            for ear in ears:
                await ear.hint_of("trades", SOON)
            assert time.monotonic() - began < SOON
        assert [ear.code for ear in ears] == [None, None]


async def test_database_may_go_and_come_back_and_nobody_is_cut_off(
    house: House, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.app is not None
    source = server.app[LIVE_ROOM].source
    async with AsyncExitStack() as stack:
        ear = await listen(server, house, stack, "agent1")
        await asyncio.sleep(0.5)  # a look that is under way

        async def gone(_org_ids: object) -> object:
            raise ConnectionRefusedError

        with monkeypatch.context() as away:
            away.setattr(source, "clocks", gone)
            await house.add_partners("n1")
            await asyncio.sleep(1.0)
            assert not ear.hints()
        await ear.hint_of("business_partners", SOON)
        assert ear.code is None
