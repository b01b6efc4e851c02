"""The jobs that pull: first syncs and deltas.

Owns: what each does and its floor.
Must not know: how figures are judged or shown.
Invariant: floor and subject move the same bytes (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
import psutil

from tests.bench.lean import LeanClient, LeanCrowd, request
from tests.bench.measure import Figure, alternate
from tests.bench.world import LARGE, ORG, SMALL, World

PAYLOADS = "SELECT payload::text FROM feed WHERE org_id = $1 AND entity = 'business_partners' AND position > 0"
TOUCH = "UPDATE business_partners SET trade_name = 'touched ' || clock_timestamp() WHERE org_id = $1 AND id = $2"
MEGABYTE = 2**20


class Memory(threading.Thread):
    """Samples the memory of a process every 2 ms; `grown` is the most it had above `before` (bytes), in MiB."""

    def __init__(self, pid: int, before: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._before = self._most = before
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.002):
            self._most = max(self._most, self._process.memory_info().rss)

    @property
    def grown(self) -> float:
        return float(self._most - self._before) / MEGABYTE

    @classmethod
    @contextmanager
    def watched(cls, pid: int, before: int) -> Iterator[Memory]:
        memory = cls(pid, before)
        memory.start()
        yield memory
        memory._over.set()
        memory.join()


async def first_syncs(world: World) -> AsyncIterator[Figure]:
    """First sync when nothing is cached, server memory during it, and first sync of the next device."""
    client = LeanClient(world.server.url)
    sizes, asked = world.sizes, world.get(ORG, None)
    process = psutil.Process(world.server.pid)
    idle = process.memory_info().rss  # before the very first one: what it keeps afterwards counts too
    facts: dict[str, Any] = {"floor_bytes": 0, "subject_bytes": 0}
    spent: list[tuple[float, float]] = []
    grown: list[float] = []

    async def copy() -> float:
        count = 0

        async def sink(data: bytes) -> None:
            nonlocal count
            count += len(data)

        began = time.perf_counter()
        await world.connection.copy_from_query(PAYLOADS, ORG, output=sink, format="csv", delimiter="\x02", quote="\x01")
        facts["floor_bytes"] = count
        return time.perf_counter() - began

    async def sync() -> float:
        await world.connection.execute(TOUCH, ORG, "partner.00000000")  # what was cached is out of date
        cpu, own = process.cpu_times(), time.process_time()
        with Memory.watched(world.server.pid, idle) as memory:
            began = time.perf_counter()
            facts["subject_bytes"] = client.ask(asked)
            took = time.perf_counter() - began
        after = process.cpu_times()
        spent.append((after.user + after.system - cpu.user - cpu.system, time.process_time() - own))
        grown.append(memory.grown)
        return took

    floors, subjects = await alternate(sizes.rounds, copy, sync)
    facts |= {"server_cpu_seconds": [s for s, _ in spent], "client_cpu_seconds": [c for _, c in spent]}
    yield Figure(f"first sync, {sizes.records} records", "s", subjects, floors, budget=1.5, facts=facts)
    yield Figure("server memory during it", "MiB", grown, budget=64)
    yield await _again(world, client, asked)
    yield await _compressed(world, client)
    client.close()


async def _again(world: World, client: LeanClient, asked: bytes) -> Figure:
    (world.folder / "payloads.json").write_bytes(client.read(asked))
    floor_client = LeanClient(world.floor_url)
    file = request("GET", "/file")

    async def send_file() -> float:
        began = time.perf_counter()
        floor_client.ask(file)
        return time.perf_counter() - began

    async def sync() -> float:
        began = time.perf_counter()
        client.ask(asked)
        return time.perf_counter() - began

    floors, subjects = await alternate(world.sizes.rounds, send_file, sync)
    floor_client.close()
    return Figure("first sync again, another device", "s", subjects, floors, budget=3)


async def _compressed(world: World, client: LeanClient) -> Figure:
    """Say what a phone that reads zstd waits for on loopback; for information."""
    asked = world.get(ORG, None, coding="zstd")
    took = []
    for _ in range(world.sizes.rounds):
        await world.connection.execute(TOUCH, ORG, "partner.00000000")
        began = time.perf_counter()
        count = client.ask(asked)
        took.append(time.perf_counter() - began)
    return Figure("first sync, zstd", "s", took, facts={"bytes": count})


# --- Deltas -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _clients(world: World) -> AsyncIterator[tuple[LeanClient, LeanClient]]:
    floor, subject = LeanClient(world.floor_url), LeanClient(world.server.url)
    yield floor, subject
    floor.close()
    subject.close()


def _one_by_one(client: LeanClient, asked: bytes, times: int) -> float:
    """Give the milliseconds that one request takes."""
    began = time.perf_counter()
    for _ in range(times):
        client.ask(asked)
    return (time.perf_counter() - began) / times * 1_000


async def empty_delta(world: World) -> AsyncIterator[Figure]:
    """A pull when nothing has changed: one after the other, and many devices at once."""
    asked, floor_asked = world.get(ORG, await world.clock()), request("GET", "/empty")
    async with _clients(world) as (floor_client, client):
        _expect(client.read(asked), 0)

        async def floor() -> float:
            return _one_by_one(floor_client, floor_asked, world.sizes.requests)

        async def subject() -> float:
            return _one_by_one(client, asked, world.sizes.requests)

        floors, subjects = await alternate(world.sizes.rounds, floor, subject)
    yield Figure("delta, nothing changed", "ms", subjects, floors, budget=2)
    yield await _crowded(world, floor_asked, asked)


async def _crowded(world: World, floor_asked: bytes, asked: bytes) -> Figure:
    each = max(1, world.sizes.requests * 4 // world.sizes.crowd)
    floor_crowd = await LeanCrowd.connect(world.floor_url, world.sizes.crowd)
    crowd = await LeanCrowd.connect(world.server.url, world.sizes.crowd)

    async def rate(asking: LeanCrowd, what: bytes) -> float:
        began = time.perf_counter()
        await asking.ask([[what] * each] * world.sizes.crowd)
        return each * world.sizes.crowd / (time.perf_counter() - began)

    floors, subjects = await alternate(
        world.sizes.rounds, lambda: rate(floor_crowd, floor_asked), lambda: rate(crowd, asked)
    )
    floor_crowd.close()
    crowd.close()
    name = f"the same, {world.sizes.crowd} at a time"
    return Figure(name, "requests/s", subjects, floors, budget=0.5, bound="at least")


async def flatness(world: World) -> AsyncIterator[Figure]:
    """An empty delta of a large organisation against that of a small one."""
    small, large = world.get(SMALL, await world.clock(SMALL)), world.get(LARGE, await world.clock(LARGE))
    client = LeanClient(world.server.url)

    async def of_small() -> float:
        return _one_by_one(client, small, world.sizes.requests)

    async def of_large() -> float:
        return _one_by_one(client, large, world.sizes.requests)

    floors, subjects = await alternate(world.sizes.rounds, of_small, of_large)
    client.close()
    name = f"delta, nothing changed: {world.sizes.feed_large} records against {world.sizes.feed_small}"
    yield Figure(name, "ms", subjects, floors, budget=1.2)


async def small_delta(world: World) -> AsyncIterator[Figure]:
    """A pull when a few of many records have changed."""
    before = await world.clock()
    ids = [f"partner.{n * 7:08}" for n in range(world.sizes.changed)]
    await world.connection.execute(TOUCH.replace("id = $2", "id = ANY($2)"), ORG, ids)
    asked = world.get(ORG, before)
    floor_asked = request("GET", f"/payloads?org={ORG}&after={before}")
    async with _clients(world) as (floor_client, client):
        _expect(client.read(asked), len(ids))
        assert len(orjson.loads(floor_client.read(floor_asked))) == len(ids)

        async def floor() -> float:
            return _one_by_one(floor_client, floor_asked, world.sizes.requests)

        async def subject() -> float:
            return _one_by_one(client, asked, world.sizes.requests)

        floors, subjects = await alternate(world.sizes.rounds, floor, subject)
    yield Figure(f"delta, {len(ids)} of {world.sizes.records} changed", "ms", subjects, floors, budget=2)


def _expect(body: bytes, records: int) -> None:
    changes = orjson.loads(body)["changes"]
    assert sum(len(ids) for lists in changes.values() for ids in lists.values()) == records
