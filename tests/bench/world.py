"""The world in which the benches run: a durable PostgreSQL, organisations of known sizes, the server and the floor's server.

Owns: making and filling it, logging in, and taking it down.
Must not know: what is measured.
Invariant: PostgreSQL runs as in production, fsync on, and is analysed after filling, as autovacuum would have done by the
time it matters (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from erp_core.access import CODES
from sync_server.engine.standing import Standings
from sync_server.identity.people import add_user
from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from tests.bench.lean import LeanClient, request
from tests.harness.servers import ServerProcess, free_port

PASSWORD = "cotton-demo"
ORG = "bench"
SMALL, LARGE = "flat-small", "flat-large"
SCOPED = "scoped"
"""A user of the large organisation who sees one branch of it."""
SYNC = "/api/v1/sync"
FILL_STEP = 10_000
"""Rows in one statement while filling."""

COUNTED = {
    f"COTTON_LIMIT_{bucket}": "user=9999999/minute device=9999999/minute address=9999999/minute organisation=9999999/minute"
    for bucket in ("PULL", "PUSH")
}
"""Each request is counted, as in life, and none refused."""

EPOCH_BITS = 40
TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Sizes:
    """How much is done. Rows, requests and rounds."""

    records: int = 100_000
    changed: int = 100
    pushed: int = 1_000
    feed_small: int = 10_000
    feed_large: int = 1_000_000
    visible: int = 2_000
    granted: int = 5_000
    requests: int = 400
    pushes_each: int = 20
    crowd: int = 32
    listeners: int = 10_000
    imported: int = 100_000
    rounds: int = 7


QUICK = Sizes(
    records=2_000,
    changed=20,
    pushed=50,
    feed_small=500,
    feed_large=5_000,
    visible=40,
    granted=100,
    requests=10,
    pushes_each=2,
    crowd=4,
    listeners=20,
    imported=600,
    rounds=1,
)


@dataclass
class World:
    """What a job needs."""

    sizes: Sizes
    cluster: Cluster
    server: ServerProcess
    floor_url: str
    connection: asyncpg.Connection
    tokens: dict[tuple[str, int], tuple[str, float]]
    folder: Path

    def get(self, org: str, cursor: int | None, *, coding: str = "identity") -> bytes:
        """Write the pull of an organisation's first user."""
        return request("GET", f"{SYNC}?last_pulled_at={cursor or 'null'}", self.token(org), coding=coding)

    def post(self, cursor: int, changes: Any, *, phone: int = 0) -> bytes:
        """Write a push to the bench's organisation, by one of its user's phones."""
        return request("POST", f"{SYNC}?last_pulled_at={cursor}", self.token(ORG, phone), orjson.dumps(changes))

    def as_(self, username: str) -> Callable[[int | None], bytes]:
        """Give what writes the pulls of a user: cursor -> request."""
        return lambda cursor: request("GET", f"{SYNC}?last_pulled_at={cursor or 'null'}", self.token(username))

    def token(self, username: str, phone: int = 0) -> str:
        """Give an access token that a job will not outlive; each phone is an installation."""
        token, since = self.tokens.get((username, phone), ("", 0.0))
        if not token or time.monotonic() - since > TOKEN_SECONDS / 2:
            token = _login(self.server.url, username)
            self.tokens[username, phone] = (token, time.monotonic())
        return token

    async def organisation(self, org: str) -> None:
        """Add an organisation with one branch and a person named as it, who sees everything."""
        await _found(self.connection, org)

    async def employ(self, username: str, org: str, *, branch: str) -> None:
        """Add a person with every code in one branch, which is made if it is not there."""
        await self.branch(org, branch)
        await _employ(self.connection, org, username, branch)

    async def branch(self, org: str, branch: str) -> None:
        await self.connection.execute(
            "INSERT INTO branches (org_id, id, code, name, state) VALUES ($1, $2, $2, $2, 'Gujarat')"
            " ON CONFLICT (org_id, id) DO NOTHING",
            *(org, branch),
        )

    async def clock(self, org: str = ORG) -> int:
        """Read an organisation's newest position."""
        position = await self.connection.fetchval(
            f"SELECT (epoch::bigint << {EPOCH_BITS}) + seq FROM org_clock WHERE org_id = $1", org
        )
        return int(position)

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.cluster.url())

    async def settle(self) -> None:
        """Write a checkpoint and forget dead rows, so that a job does not pay for the one before."""
        admin = await asyncpg.connect(self.cluster.url("cotton", admin=True))
        await admin.execute("VACUUM ANALYZE")
        await admin.execute("CHECKPOINT")
        await admin.close()


@asynccontextmanager
async def world(sizes: Sizes) -> AsyncIterator[World]:
    """Make the world, and take it down."""
    folder = Path(tempfile.mkdtemp(prefix="cotton-bench-"))
    cluster = Cluster(folder / "postgres")
    await asyncio.to_thread(cluster.start)
    server = ServerProcess(
        folder / "server",
        {
            "COTTON_DATABASE_URL": cluster.url(),
            "COTTON_ACCESS_TOKEN_SECONDS": str(TOKEN_SECONDS),
            "COTTON_REQUIRE_TOTP": "false",
            **COUNTED,
        },
    )
    try:
        await migrate_up(cluster.url())
        connection = await asyncpg.connect(cluster.url())
        await _fill(connection, sizes)
        await _settle_holds(cluster.url())
        await server.start()
        async with _floor_server(cluster.url(), folder / "payloads.json") as floor_url:
            made = World(sizes, cluster, server, floor_url, connection, {}, folder)
            await made.settle()
            yield made
        await connection.close()
    finally:
        await server.clean_up()
        await asyncio.to_thread(cluster.release)
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _floor_server(url: str, file: Path) -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.floor_server", url, str(port), str(file))
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.returncode is None, "the floor's server ended"
            with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < deadline, "the floor's server does not listen"
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def _login(url: str, username: str) -> str:
    client = LeanClient(url)
    body = orjson.dumps({"username": username, "password": PASSWORD})
    token = orjson.loads(client.read(request("POST", "/api/v1/auth/login", body=body)))["access_token"]
    client.close()
    return str(token)


# --- Filling ----------------------------------------------------------------------------------------------------------


async def _fill(connection: asyncpg.Connection, sizes: Sizes) -> None:
    for org in (ORG, SMALL, LARGE):
        await _found(connection, org)
    for first in range(0, sizes.records, FILL_STEP):
        await connection.execute(PARTNERS, ORG, first, min(first + FILL_STEP, sizes.records) - 1)
    for org, number in ((SMALL, sizes.feed_small), (LARGE, sizes.feed_large)):
        await _fill_feed(connection, org, number)


async def _found(connection: asyncpg.Connection, org: str) -> None:
    """Add an organisation, a branch, and a person named as the organisation, who sees and may do everything in it."""
    await connection.execute(
        "INSERT INTO organisations (org_id, id, legal_name, base_currency, financial_year_start_month)"
        " VALUES ($1, $1, 'Bench Cotton', 'INR', 4)",
        org,
    )
    await connection.execute(
        "INSERT INTO branches (org_id, id, code, name, state, is_active)"
        " VALUES ($1, 'b1', 'RJT', 'Rajkot', 'Gujarat', true)",
        org,
    )
    await connection.execute(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'everything', 'Everything', $2)", org, sorted(CODES)
    )
    await _employ(connection, org, org, None)


async def _employ(connection: asyncpg.Connection, org: str, username: str, branch: str | None) -> None:
    """Add a person with every code, in the whole organisation or in one branch."""
    await add_user(
        connection, org_id=org, user_id=username, username=username, name=username, branch_id="b1", password=PASSWORD
    )
    await connection.execute(
        "INSERT INTO grants (org_id, id, user_id, role_id, branch_id) VALUES ($1, 'of-' || $2, $2, 'everything', $3)",
        *(org, username, branch),
    )


async def fill_labelled(world: World, org: str, scope: str, number: int) -> None:
    """Write feed rows and labels of one scope in bulk, without the records behind them."""
    await world.connection.execute(
        f"""
        WITH clock AS (
          UPDATE org_clock SET seq = seq + $2 WHERE org_id = $1 RETURNING (epoch::bigint << {EPOCH_BITS}) + seq AS top
        ), fed AS (
          INSERT INTO feed (org_id, entity, id, position, created_position, relabelled, author, scope, scopes, payload)
          SELECT $1, 'business_partners', $3 || '.' || n, top - $2 + n, top - $2 + n, top - $2 + n, 'bench', 'org',
            ARRAY['branch', $3], json_build_object('id', $3 || '.' || n, 'legal_name', 'Shree Ambica Ginning ' || n)
          FROM clock, generate_series(1, $2::int) AS n RETURNING id, position
        )
        INSERT INTO label (org_id, scope, entity, id, since) SELECT $1, $3, 'business_partners', id, position FROM fed
        """,
        *(org, number, scope),
    )


async def _settle_holds(url: str) -> None:
    """Write down what everybody holds, as the first pull would, so that none of those that are measured is a first one."""
    database = await Database.open(url)
    for org in (ORG, SMALL, LARGE):
        await Standings().write_down(database, Actor(org, org, "filling"))
    await database.close()


PARTNERS = """
INSERT INTO business_partners (org_id, id, branch_id, kind, legal_name, trade_name, entity_type, phone, email, address,
  assigned_agent_id, credit_limit, exposure, kyc_state, state, tags, remarks, created_by, updated_by)
SELECT $1, 'partner.' || lpad(n::text, 8, '0'), 'b1', '{ginner,seller}', 'Shree Ambica Ginning and Pressing ' || n,
  'Ambica ' || n, 'partnership', '+9198' || lpad((n * 7919 % 100000000)::text, 8, '0'), 'office' || n || '@ambica.example',
  'Plot ' || n || ', GIDC Estate, Gondal Road, Rajkot, Gujarat 360004', 'agent' || n % 40, 0, 0, 'pending', 'draft',
  '{long-staple,prompt-payer}', 'Presses 170 kg bales; prefers loading in the morning, weighbridge on site.', 'bench', 'bench'
FROM generate_series($2::int, $3::int) AS n
"""


async def _fill_feed(connection: asyncpg.Connection, org: str, number: int) -> None:
    """Write feed rows in bulk, without the records behind them: an empty delta reads nothing else."""
    await connection.execute(
        f"""
        WITH clock AS (
          UPDATE org_clock SET seq = seq + $2 WHERE org_id = $1 RETURNING (epoch::bigint << {EPOCH_BITS}) + seq AS top
        )
        INSERT INTO feed (org_id, entity, id, position, created_position, author, scope, scopes, payload)
        SELECT $1, 'business_partners', 'fed.' || n, top - $2 + n, top - $2 + n, 'bench', 'org', '{{branch,branch:b1}}',
          json_build_object('id', 'fed.' || n, 'legal_name', 'Shree Ambica Ginning and Pressing ' || n)
        FROM clock, generate_series(1, $2::int) AS n
        """,
        org,
        number,
    )
    await connection.execute(
        "INSERT INTO label (org_id, scope, entity, id, since) SELECT org_id, 'branch:b1', entity, id, position FROM feed"
        " WHERE org_id = $1 AND entity = 'business_partners'",
        org,
    )
