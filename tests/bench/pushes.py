"""The jobs that push: large ones, and many small ones at once.

Owns: what each does and its floor.
Must not know: how figures are judged or shown.
Invariant: floor and subject store the same typed rows, durably (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import orjson
import psutil

from erp_core.catalogue import BY_TABLE
from erp_core.values import Day, Document, Flag, Integer, Number, Row, Value, ValueType, Words
from sync_server.store import rows
from tests.bench.lean import LeanClient, LeanCrowd
from tests.bench.measure import Figure, alternate
from tests.bench.world import ORG, World

ENTITY = BY_TABLE["business_partners"]
SMALL_PUSH = 10
NAMES = itertools.count()

NO_FLOOR_TABLES = "DROP TABLE IF EXISTS floor_partners, floor_log"

FLOOR_TABLES = f"""
{NO_FLOOR_TABLES};
CREATE TABLE floor_partners (LIKE business_partners INCLUDING ALL);
CREATE TABLE floor_log (LIKE event INCLUDING ALL);
DO $$ DECLARE key record; BEGIN
  FOR key IN SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
             WHERE conrelid = 'business_partners'::regclass AND contype = 'f' LOOP
    EXECUTE format('ALTER TABLE floor_partners ADD CONSTRAINT %I %s', key.conname, key.definition);
  END LOOP;
END $$;
"""
"""The same columns and keys, foreign ones included, without capture triggers."""

FLOOR_LOG = """
INSERT INTO floor_log (org_id, position, entity, record_id, op, new, actor, session, push, at)
SELECT $1, p, 'business_partners', i, 'i', n::json, 'bench', 'session', 'push', now()
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS t(p, i, n)
"""


def partners(number: int) -> list[dict[str, Any]]:
    """Make partners as a phone pushes them, under new ids."""
    return [_partner(f"pushed.{next(NAMES):08}") for _ in range(number)]


def _partner(id: str) -> dict[str, Any]:
    return {
        "id": id,
        "_status": "created",
        "_changed": "",
        "branch_id": "b1",
        "kind": '["ginner","seller"]',
        "legal_name": f"Shree Ambica Ginning and Pressing {id}",
        "trade_name": f"Ambica {id}",
        "entity_type": "partnership",
        "pan": "",
        "gstin": "",
        "phone": f"+9197{next(NAMES):08}",
        "email": f"{id}@ambica.example",
        "address": "Plot 7, GIDC Estate, Gondal Road, Rajkot, Gujarat 360004",
        "location_id": "",
        "assigned_agent_id": "agent1",
        "credit_limit": 0,
        "exposure": 0,
        "kyc_state": "pending",
        "state": "draft",
        "tags": '["long-staple","prompt-payer"]',
        "remarks": "Presses 170 kg bales; prefers loading in the morning, weighbridge on site.",
        "created_at": 0,
        "updated_at": 0,
        "created_by": "",
        "updated_by": "",
    }


def changes(created: Sequence[Any] = (), updated: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "business_partners": {"created": created, "updated": updated, "deleted": []},
        "sync_issues": {"created": [], "updated": [], "deleted": []},
    }


# --- The floor's SQL --------------------------------------------------------------------------------------------------

SENT: dict[type, tuple[str, str]] = {
    # value type -> (type of the array that is sent, cast of one element)
    Integer: ("integer", ""),
    Number: ("text", "::numeric"),
    Flag: ("boolean", ""),
    Day: ("date", ""),
    Words: ("text", "::text[]"),
    Document: ("text", "::jsonb"),
}


def _insert(table: str) -> str:
    """Write the bulk insert of partners: $1 the organisation, $2 the ids, then an array per field."""
    sent = [(field.name, *SENT.get(type(field.type), ("text", ""))) for field in ENTITY.fields]
    names = ", ".join(name for name, _, _ in sent)
    arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind, _) in enumerate(sent, start=3))
    values = ", ".join(f"sent.{name}{cast}" for name, _, cast in sent)
    return (
        f"INSERT INTO {table} (org_id, id, {names}) SELECT $1, sent.id, {values}"
        f" FROM unnest($2::text[], {arrays}) AS sent(id, {names})"
    )


def _upsert(table: str) -> str:
    sets = ", ".join(f"{field.name} = excluded.{field.name}" for field in ENTITY.fields)
    return f"{_insert(table)} ON CONFLICT (org_id, id) DO UPDATE SET {sets}"


def _typed(partners: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Read pushed partners into the arrays that PostgreSQL is sent: (ids, an array per field). Not timed."""
    read: dict[str, Row] = {}
    for partner in partners:
        row = ENTITY.empty()
        for field in ENTITY.fields:
            if partner.get(field.name, "") not in ("", None):
                row[field.name] = field.type.read(partner[field.name])
        read[partner["id"]] = row
    columns = [[_sent(field.type, row[field.name]) for row in read.values()] for field in ENTITY.fields]
    return list(read), columns


def _sent(kind: ValueType, value: Value) -> Any:
    if value is None:
        return None
    if isinstance(kind, Words):
        return rows.array_literal(value)
    return str(value) if isinstance(kind, Number) else value


# --- Large pushes -----------------------------------------------------------------------------------------------------


async def large_pushes(world: World) -> AsyncIterator[Figure]:
    """A push of many new records, and one of many records that somebody else has changed meanwhile."""
    await world.connection.execute(FLOOR_TABLES)
    client = LeanClient(world.server.url)
    process = psutil.Process(world.server.pid)
    number, spent = world.sizes.pushed, list[float]()
    upsert = _upsert("floor_partners")
    await world.settle()

    async def bulk(partners: Sequence[dict[str, Any]]) -> float:
        ids, columns = _typed(partners)
        positions = [next(NAMES) for _ in ids]
        payloads = [orjson.dumps(partner).decode() for partner in partners]
        began = time.perf_counter()
        async with world.connection.transaction():
            await world.connection.execute(upsert, ORG, ids, *columns)
            await world.connection.execute(FLOOR_LOG, ORG, positions, ids, payloads)
        return number / (time.perf_counter() - began)

    async def push(sent: bytes) -> float:
        cpu = process.cpu_times()
        began = time.perf_counter()
        assert client.ask(sent) == len("{}"), "something was refused"
        took = time.perf_counter() - began
        after = process.cpu_times()
        spent.append(after.user + after.system - cpu.user - cpu.system)
        return number / took

    async def created() -> float:
        return await push(world.post(await world.clock(), changes(created=partners(number))))

    async def merged() -> float:
        cursor = await world.clock()
        await world.connection.execute(
            "UPDATE business_partners SET address = 'Plot ' || clock_timestamp() WHERE org_id = $1 AND id < $2",
            ORG,
            last,
        )
        updated = [{"id": p["id"], "_status": "updated", "_changed": "phone", **_new_phone()} for p in standing]
        return await push(world.post(cursor, changes(updated=updated)))

    floors, subjects = await alternate(world.sizes.rounds, lambda: bulk(partners(number)), created)
    yield _figure(f"push of {number} new records", floors, subjects, spent)
    standing = [_partner(f"partner.{n:08}") for n in range(number)]
    last = f"partner.{number:08}"
    spent.clear()
    floors, subjects = await alternate(world.sizes.rounds, lambda: bulk(standing), merged)
    yield _figure(f"push of {number} updates, all merged", floors, subjects, spent)
    client.close()
    # A server that starts beside them would take the schema for altered.
    await world.connection.execute(NO_FLOOR_TABLES)


def _new_phone() -> dict[str, str]:
    return {"phone": f"+9199{next(NAMES):08}"}


def _figure(job: str, floors: Sequence[float], subjects: Sequence[float], spent: Sequence[float]) -> Figure:
    return Figure(job, "rows/s", subjects, floors, 0.5, "at least", {"server_cpu_seconds": list(spent)})


# --- Small pushes -----------------------------------------------------------------------------------------------------


async def small_pushes(world: World) -> AsyncIterator[Figure]:
    """Pushes of ten records from many devices of one organisation at once."""
    crowd_size, each = world.sizes.crowd, world.sizes.pushes_each
    crowd = await LeanCrowd.connect(world.server.url, crowd_size)
    connections = [await world.connect() for _ in range(crowd_size)]
    insert = _insert("business_partners")
    process = psutil.Process(world.server.pid)
    spent: list[float] = []
    await world.settle()

    async def one_each(connection: asyncpg.Connection, batches: Sequence[tuple[list[str], list[list[Any]]]]) -> None:
        for ids, columns in batches:
            async with connection.transaction():
                await connection.execute(insert, ORG, ids, *columns)

    async def straight() -> float:
        batches = [[_typed(partners(SMALL_PUSH)) for _ in range(each)] for _ in connections]
        began = time.perf_counter()
        await asyncio.gather(*map(one_each, connections, batches))
        return crowd_size * each / (time.perf_counter() - began)

    async def pushed() -> float:
        cursor = await world.clock()
        requests = [
            [world.post(cursor, changes(created=partners(SMALL_PUSH)), phone=n) for _ in range(each)]
            for n in range(crowd_size)
        ]
        cpu, own = process.cpu_times(), time.process_time()
        began = time.perf_counter()
        await crowd.ask(requests)
        took = time.perf_counter() - began
        after = process.cpu_times()
        spent.append((after.user + after.system - cpu.user - cpu.system) / took)
        facts["client_cpu_share"].append((time.process_time() - own) / took)
        return crowd_size * each / took

    facts: dict[str, list[float]] = {"server_cpu_share": spent, "client_cpu_share": []}
    floors, subjects = await alternate(world.sizes.rounds, straight, pushed)
    crowd.close()
    for connection in connections:
        await connection.close()
    name = f"pushes of {SMALL_PUSH} records, {crowd_size} at a time"
    yield Figure(name, "pushes/s", subjects, floors, budget=1, bound="at least", facts=facts)
