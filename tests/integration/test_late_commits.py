"""The cursor under concurrency: whatever commits, however late, is delivered (correctness.md, holes 1 to 6).

Twelve writers insert, update, delete and roll back with random sleeps between statement and commit, so that transactions
commit in another order than they began. Two devices poll all the while: ours, over the engine, and one that does what
WatermelonDB's documentation suggests (`updated_at > last_pulled_at`). Ours must end with exactly what plain SQL says; the
other must not, or this test would prove nothing.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import orjson

from sync_server.engine.pull import Delta, PullRequest
from sync_server.engine.spooling import Spooled, pieces, pull
from sync_server.store.database import Database
from tests.harness.world import House

WRITERS = 12
ROWS_EACH = 1_700
ORG = "late"


async def _write(url: str, writer: int, seed: int) -> int:
    """Insert at least ROWS_EACH rows in small transactions; some roll back, some change or delete earlier rows."""
    rng = random.Random(f"{seed}/{writer}")
    connection = await asyncpg.connect(url)
    written = 0
    try:
        while written < ROWS_EACH:
            batch = rng.randint(1, 40)
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(
                "INSERT INTO units (org_id, id, code, name, dimension, factor_to_base, updated_at)"
                " SELECT $1, $2 || n, $2 || n, 'unit', 'mass', 1, clock_timestamp() FROM generate_series($3::int, $4::int) n",
                ORG,
                f"w{writer}.",
                written,
                written + batch - 1,
            )
            if written and rng.random() < 0.3:
                touched = rng.randrange(written)
                statement = rng.choice(
                    (
                        "UPDATE units SET name = name || 'x', updated_at = clock_timestamp() WHERE org_id = $1 AND id = $2",
                        "DELETE FROM units WHERE org_id = $1 AND id = $2",
                    )
                )
                await connection.execute(statement, ORG, f"w{writer}.{touched}")
            if rng.random() < 0.5:
                await asyncio.sleep(rng.expovariate(1 / 0.004))
            if rng.random() < 0.1:
                await transaction.rollback()
                continue
            await transaction.commit()
            written += batch
    finally:
        await connection.close()
    return written


class _CursorDevice:
    """A device that pulls with our cursor."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.cursor: int | None = None
        self.held: dict[str, str] = {}
        self.pulls = 0

    async def poll(self) -> None:
        house, asked = self._house, PullRequest(self.cursor, ("units",))
        answer = await pull(house.database, house.room, house.standings, house.actor("reader"), asked)
        self.pulls += 1
        if isinstance(answer, Spooled):
            (units,) = answer.tables
            for listed in (units.created, units.updated):
                body = b"".join([piece async for piece in pieces(listed)])
                self.held.update({row["id"]: row["name"] for row in orjson.loads(b"[" + body[1:] + b"]")})
            gone = b"".join([piece async for piece in pieces(units.deleted)])
            for id in orjson.loads(b"[" + gone[1:] + b"]"):
                self.held.pop(id, None)
        else:
            assert isinstance(answer, Delta)
            for moved in answer.moved:
                if moved.payload is None:
                    self.held.pop(moved.id, None)
                else:
                    self.held[moved.id] = orjson.loads(moved.payload)["name"]
        assert self.cursor is None or answer.cursor >= self.cursor, "the cursor never goes back"
        self.cursor = answer.cursor


class _TimestampDevice:
    """A device that pulls `updated_at > last_pulled_at`, as most backends do; it never hears of deletions."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._last = datetime.now(UTC) - timedelta(days=1)
        self.held: set[str] = set()

    async def poll(self) -> None:
        now = await self._connection.fetchval("SELECT clock_timestamp()")
        found = await self._connection.fetch(
            "SELECT id FROM units WHERE org_id = $1 AND updated_at > $2", ORG, self._last
        )
        self.held |= {row["id"] for row in found}
        self._last = now


async def test_late_commit_is_still_delivered(database_url: str, database: Database, tmp_path: Path, seed: int) -> None:
    ours = _CursorDevice(await House.found(database, tmp_path, ORG, "reader"))
    watcher = await asyncpg.connect(database_url)
    theirs = _TimestampDevice(watcher)
    writers = [asyncio.create_task(_write(database_url, writer, seed)) for writer in range(WRITERS)]

    while not all(writer.done() for writer in writers):
        await ours.poll()
        await theirs.poll()
        await asyncio.sleep(0.002)
    assert sum([writer.result() for writer in writers]) >= 20_000
    await ours.poll()
    await theirs.poll()

    truth = {r["id"]: r["name"] for r in await watcher.fetch("SELECT id, name FROM units WHERE org_id = $1", ORG)}
    await watcher.close()
    assert ours.held == truth
    assert ours.pulls > 50, "the device must have polled while the writers were at work"
    missed = truth.keys() - theirs.held
    assert missed, "the test of the test: a timestamp cursor under the same load must lose rows"
