"""The job that imports: how many rows a second, and how long a phone's push waits beside it.

Owns: the file that is imported, and the pushes beside it.
Must not know: how figures are judged or shown.
Invariant: the import is one request over HTTP, and the pushes beside it are of the same organisation, so that both wait for one
clock (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import psutil

from tests.bench.lean import LeanClient
from tests.bench.measure import Figure
from tests.bench.pushes import NAMES, changes, partners
from tests.bench.world import ORG, World

COLUMNS = "id,branch_id,kind,legal_name,trade_name,entity_type,phone,address,remarks"
PIECE = 1_000
"""Rows that are written to the socket at once."""
PAUSE = 0.05
"""Seconds between two pushes."""


async def imports(world: World) -> AsyncIterator[Figure]:
    """One large file, and single records pushed meanwhile; the floor of their waits is the same pushes without the import."""
    await world.settle()
    resident = psutil.Process(world.server.pid).memory_info
    before, alone = resident().rss, await _pushes(world, enough=lambda n: n >= world.sizes.requests)
    began = time.perf_counter()
    importing = asyncio.create_task(_import(world))
    beside = await _pushes(world, enough=lambda _: importing.done())
    summary = await importing
    took = time.perf_counter() - began
    facts: dict[str, Any] = {
        "seconds": took,
        "summary": summary,
        "server_memory_mib": (resident().rss - before) / 2**20,
        "pushes_beside": len(beside),
    }
    yield Figure(f"import of {world.sizes.imported:,} rows", "rows/s", [world.sizes.imported / took], facts=facts)
    for name, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1.0)):
        yield Figure(f"push of 1 beside an import, {name}", "ms", [_at(share, beside)], [_at(share, alone)])


async def _pushes(world: World, enough: Any) -> list[float]:
    """Push new records one by one until it is `enough`; give how long each took, in seconds."""
    client, took = LeanClient(world.server.url), list[float]()
    while not took or not enough(len(took)):
        asked = world.post(await world.clock(), changes(created=partners(1)))
        began = time.perf_counter()
        await asyncio.to_thread(client.read, asked)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)
    client.close()
    return took


async def _import(world: World) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.post(
            f"{world.server.url}/api/v1/import/business_partners?format=csv&name=bench",
            data=_file(world.sizes.imported),
            headers={"Authorization": f"Bearer {world.token(ORG, 1)}", "Content-Type": "text/csv"},
        ) as answer,
    ):
        last = b""
        async for line in answer.content:
            last = line
    summary: dict[str, Any] = orjson.loads(last)["summary"]
    assert summary["made"] == world.sizes.imported, summary
    return summary


async def _file(rows: int) -> AsyncIterator[bytes]:
    yield f"{COLUMNS}\n".encode()
    for first in range(0, rows, PIECE):
        yield "".join(_row(number) for number in range(first, min(first + PIECE, rows))).encode()


def _row(number: int) -> str:
    name = f"Shree Ambica Ginning and Pressing {number}"
    return (
        f"imported.{number:08},b1,ginner;seller,{name},Ambica {number},partnership,+9196{next(NAMES):08},"
        '"Plot 7, GIDC Estate, Gondal Road, Rajkot, Gujarat 360004",Presses 170 kg bales\n'
    )


def _at(share: float, seconds: list[float]) -> float:
    """Give what this share took at most, in milliseconds."""
    return sorted(seconds)[min(int(len(seconds) * share), len(seconds) - 1)] * 1000
