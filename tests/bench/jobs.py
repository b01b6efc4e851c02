"""The jobs: DESIGN's budgets for first sync, deltas and pushes, one function each.

Owns: what is compared with what.
Must not know: how a house is set up.
Invariant: floor and subject move the same rows.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import orjson
import psutil

from tests.bench.client import ask_many, request
from tests.bench.house import ORG, House
from tests.bench.measure import Result, in_turn

_BATCHES = itertools.count()


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does: the full one for figures, the quick one to see that every job works."""

    rounds: int
    requests: int
    flat_rows: int


FULL = Size(rounds=7, requests=400, flat_rows=1_000_000)
QUICK = Size(rounds=1, requests=5, flat_rows=20_000)

Job = Callable[[House, Size], Awaitable[Result]]


async def first_sync(house: House, size: Size) -> Result:
    """First sync of everything, nothing cached, against COPY of the same payloads to a client."""

    async def floor() -> None:
        async def sink(_: bytes) -> None:
            pass

        await house.connection.copy_from_query("SELECT payload FROM feed WHERE org_id = $1", ORG, output=sink)

    async def subject() -> None:
        await asyncio.to_thread(_drain_once, house)

    async def another_version() -> None:
        await house.touch(1)  # nothing that is kept can be used

    low, high = await in_turn(floor, subject, rounds=size.rounds, before=another_version)
    return Result(f"first sync, {house.partners} records", low, high, "s", high / low, 1.5, "lower")


async def first_sync_again(house: House, size: Size) -> Result:
    """First sync by another device, nothing changed meanwhile, against sending the bytes from a file."""
    floor_line = house.floor_line()

    async def floor() -> None:
        await asyncio.to_thread(floor_line.drain, request("/file"))

    async def subject() -> None:
        await asyncio.to_thread(_drain_once, house)

    low, high = await in_turn(floor, subject, rounds=size.rounds)
    floor_line.close()
    return Result("first sync again, another device", low, high, "s", high / low, 3.0, "lower")


def _drain_once(house: House) -> None:
    line = house.line()
    line.drain(house.pull())
    line.close()


async def first_sync_memory(house: House, size: Size) -> Result:
    """What the server's memory grows by while it sends a first sync; the budget is 64 MB whatever the size."""
    process = psutil.Process(house.server.pid)
    await house.touch(1)
    before = process.memory_info().rss
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(min(3, size.rounds)):
        await house.touch(1)
        await asyncio.to_thread(_drain_once, house)
    done.set()
    watcher.join()
    grown = (peak - before) / 2**20
    return Result(
        "first sync, growth of memory", 64.0, grown, "MiB", grown / 64.0, 1.0, "lower", "the floor is the budget"
    )


async def delta_nothing(house: House, size: Size) -> Result:
    """A delta without changes, against SELECT 1 through a pool and an empty answer."""
    low, high = await _answers(house, size, request("/one"), house.pull(await house.cursor()))
    return Result("delta, nothing changed", low * 1e3, high * 1e3, "ms", high / low, 2.0, "lower")


async def delta_flat(house: House, size: Size) -> Result:
    """A delta without changes in an organisation with many more records, against itself before."""
    line = house.line()
    _, before = await _answers(house, size, request("/one"), house.pull(await house.cursor()))
    await house.connection.execute(
        "INSERT INTO feed (org_id, entity, id, position, created_position, scope, payload)"
        " SELECT $1, 'dispatches', 'flat' || n, n, n, 'org', '{}' FROM generate_series(1, $2::int) AS n",
        ORG,
        size.flat_rows,
    )
    _, after = await _answers(house, size, request("/one"), house.pull(await house.cursor()))
    line.close()
    await house.connection.execute("DELETE FROM feed WHERE org_id = $1 AND entity = 'dispatches'", ORG)
    name = f"delta, nothing changed, + {size.flat_rows} records"
    return Result(
        name, before * 1e3, after * 1e3, "ms", after / before, 1.2, "lower", "the floor is the same delta before"
    )


async def delta_hundred(house: House, size: Size) -> Result:
    """A delta of 100 changed records, against SELECT 1 and fetching 100 payloads."""
    cursor = await house.cursor()
    ids = await house.touch(100)
    low, high = await _answers(house, size, request(f"/payloads?ids={','.join(ids)}"), house.pull(cursor))
    return Result(f"delta, 100 of {house.partners} changed", low * 1e3, high * 1e3, "ms", high / low, 2.0, "lower")


async def _answers(house: House, size: Size, floor_asked: bytes, asked: bytes) -> tuple[float, float]:
    """Give the median seconds of one request to the floor server and to ours, sent one after the other."""
    floor_line, line = house.floor_line(), house.line()

    async def floor() -> None:
        for _ in range(size.requests):
            floor_line.ask(floor_asked)

    async def subject() -> None:
        for _ in range(size.requests):
            line.ask(asked)

    low, high = await in_turn(floor, subject, rounds=size.rounds)
    floor_line.close()
    line.close()
    return low / size.requests, high / size.requests


# --- Pushes -----------------------------------------------------------------------------------------------------------

_UPSERT = """
INSERT INTO floor_partners (org_id, id, branch_id, legal_name, kind, address, remarks)
SELECT $1, t.id, 'b1', t.legal_name, t.kind::text[], t.address, t.remarks
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS t(id, legal_name, kind, address, remarks)
ON CONFLICT (org_id, id) DO UPDATE SET legal_name = excluded.legal_name, kind = excluded.kind,
  address = excluded.address, remarks = excluded.remarks
"""
_LOG = """
INSERT INTO floor_log (org_id, position, entity, record_id, op, new, at)
SELECT $1, nextval('floor_position'), 'business_partners', t.id, 'i', t.payload::json, now()
FROM unnest($2::text[], $3::text[]) AS t(id, payload)
"""


def _partners(count: int) -> list[dict[str, str]]:
    batch = next(_BATCHES)
    return [
        {
            "id": f"p{batch}.{n}",
            "branch_id": "b1",
            "legal_name": f"Shree Ganesh Ginning {n}",
            "kind": '["buyer","seller"]',
            "address": f"Plot {n}, GIDC, Rajkot, Gujarat",
            "remarks": "pays on time, weekly settlement " * 3,
        }
        for n in range(count)
    ]


async def _prepare_floor(connection: asyncpg.Connection) -> None:
    """Make a table and a log of the same columns and keys, without triggers."""
    await connection.execute(
        "DROP TABLE IF EXISTS floor_partners, floor_log; DROP SEQUENCE IF EXISTS floor_position;"
        "CREATE TABLE floor_partners (LIKE business_partners INCLUDING ALL,"
        " FOREIGN KEY (org_id, branch_id) REFERENCES branches (org_id, id));"
        "CREATE TABLE floor_log (LIKE event INCLUDING ALL); CREATE SEQUENCE floor_position"
    )


async def _store(connection: asyncpg.Connection, rows: list[dict[str, str]], *, clock: bool) -> None:
    async with connection.transaction():
        if clock:
            await connection.execute("UPDATE org_clock SET seq = seq + $2 WHERE org_id = $1", ORG, len(rows))
        columns = [[row[name] for row in rows] for name in ("id", "legal_name", "address", "remarks")]
        kinds = ["{buyer,seller}"] * len(rows)
        await connection.execute(_UPSERT, ORG, columns[0], columns[1], kinds, columns[2], columns[3])
        await connection.execute(_LOG, ORG, columns[0], [orjson.dumps(row).decode() for row in rows])


def _push(house: House, cursor: int, rows: list[dict[str, str]]) -> bytes:
    body = orjson.dumps({"business_partners": {"created": rows, "updated": [], "deleted": []}})
    return request(f"/api/v1/sync?last_pulled_at={cursor}", token=house.token, body=body)


async def push_thousand(house: House, size: Size) -> Result:
    """A push of 1 000 new records, merged, ruled and logged, against a bulk upsert of them with 1 000 log rows."""
    await _prepare_floor(house.connection)
    cursor, line = await house.cursor(), house.line()
    floors = iter([_partners(1000) for _ in range(size.rounds + 1)])
    pushes = iter([_push(house, cursor, _partners(1000)) for _ in range(size.rounds + 1)])

    async def floor() -> None:
        await _store(house.connection, next(floors), clock=False)

    async def subject() -> None:
        line.ask(next(pushes))

    low, high = await in_turn(floor, subject, rounds=size.rounds)
    line.close()
    return Result("push of 1 000 records", 1000 / low, 1000 / high, "rows/s", low / high, 0.5, "higher")


async def pushes_together(house: House, size: Size) -> Result:
    """Pushes of 10 records, 32 at a time on one organisation, against the same transactions straight to PostgreSQL."""
    await _prepare_floor(house.connection)
    cursor, each = await house.cursor(), max(1, size.requests // 20)
    connections = [await asyncpg.connect(house.url) for _ in range(32)]

    async def floor() -> None:
        async def one(connection: asyncpg.Connection) -> None:
            for _ in range(each):
                await _store(connection, _partners(10), clock=True)

        await asyncio.gather(*(one(connection) for connection in connections))

    prepared = iter(
        [
            [[_push(house, cursor, _partners(10)) for _ in range(each)] for _ in range(32)]
            for _ in range(size.rounds + 1)
        ]
    )

    async def subject() -> None:
        await ask_many(house.server.port, next(prepared))

    low, high = await in_turn(floor, subject, rounds=size.rounds)
    for connection in connections:
        await connection.close()
    count = 32 * each
    return Result(
        "pushes of 10 records, 32 at a time", count / low, count / high, "pushes/s", low / high, 1.0, "higher"
    )


JOBS: tuple[Job, ...] = (
    first_sync,
    first_sync_again,
    first_sync_memory,
    delta_nothing,
    delta_hundred,
    delta_flat,
    push_thousand,
    pushes_together,
)
