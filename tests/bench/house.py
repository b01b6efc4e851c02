"""The house that is measured: a durable cluster, an organisation of a given size, a server process, a floor server.

Owns: setting up and taking down.
Must not know: the jobs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg

from sync_server.identity.people import add_user
from sync_server.operate.migrations import migrate_up
from tests.bench.client import Line, request
from tests.harness.clusters import durable_cluster
from tests.harness.servers import ServerProcess, free_port

ORG = "bench"
PASSWORD = "cotton-demo"

_PARTNERS = """
INSERT INTO business_partners (org_id, id, branch_id, legal_name, trade_name, kind, address, tags, remarks)
SELECT $1, md5(n::text), 'b1', 'Shree Ganesh Ginning and Pressing ' || n, 'Ganesh ' || n, '{buyer,ginner}',
  'Plot ' || n || ', GIDC, Rajkot, Gujarat', '{cotton,shankar-6}', 'pays on time, ' || repeat('weekly settlement ', 6)
FROM generate_series($2::int, $3::int) AS n
"""


@dataclass
class House:
    """What a job works with."""

    url: str
    connection: asyncpg.Connection
    server: ServerProcess
    floor_port: int
    token: str
    payload_file: Path
    partners: int

    async def cursor(self) -> int:
        found: int = await self.connection.fetchval(
            "SELECT (epoch::bigint << 40) + seq FROM org_clock WHERE org_id = $1", ORG
        )
        return found

    async def touch(self, count: int) -> list[str]:
        """Change `count` partners by SQL; give their ids."""
        rows = await self.connection.fetch(
            "UPDATE business_partners SET remarks = remarks || '.' WHERE org_id = $1 AND id IN"
            " (SELECT id FROM business_partners WHERE org_id = $1 ORDER BY id LIMIT $2) RETURNING id",
            ORG,
            count,
        )
        return [row["id"] for row in rows]

    def line(self) -> Line:
        return Line(self.server.port)

    def floor_line(self) -> Line:
        return Line(self.floor_port)

    def pull(self, cursor: int | None = None) -> bytes:
        return request(f"/api/v1/sync?last_pulled_at={cursor or 'null'}&schema_version=1", token=self.token)


@asynccontextmanager
async def open_house(folder: Path, *, partners: int) -> AsyncIterator[House]:
    """Set everything up below `folder`; it takes about 10 s for 100 000 partners."""
    payload_file = folder / "payloads.json"
    with durable_cluster(folder / "cluster") as cluster:
        url = cluster.url()
        await migrate_up(url)
        connection = await asyncpg.connect(url)
        await _settle(connection, partners)
        with payload_file.open("wb") as file:
            await connection.copy_from_query("SELECT payload FROM feed WHERE org_id = $1", ORG, output=file)
        server = ServerProcess(folder / "server", {"COTTON_DATABASE_URL": url, "COTTON_LOG_LEVEL": "warning"})
        floor_port = free_port()
        floor = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.floor_server", str(floor_port), url, str(payload_file), ORG)
        )
        try:
            await server.start()
            token = await _log_in(server.url)
            yield House(url, connection, server, floor_port, token, payload_file, partners)
        finally:
            floor.terminate()
            await floor.wait()
            await server.clean_up()
            await connection.close()


async def _settle(connection: asyncpg.Connection, partners: int) -> None:
    await connection.execute(
        f"INSERT INTO organisations (org_id, id, legal_name) VALUES ('{ORG}', '{ORG}', 'Bench');"
        f"INSERT INTO branches (org_id, id, code, name, state) VALUES ('{ORG}', 'b1', 'RJK', 'Rajkot', 'Gujarat')"
    )
    for first in range(1, partners + 1, 10_000):
        await connection.execute(_PARTNERS, ORG, first, min(first + 9_999, partners))
    await add_user(
        connection,
        org_id=ORG,
        user_id="u1",
        username="bench",
        name="Bench",
        role="agent",
        branch_id="b1",
        password=PASSWORD,
    )
    await connection.execute("VACUUM ANALYZE")


async def _log_in(url: str) -> str:
    async with (
        aiohttp.ClientSession(url) as session,
        session.post("/api/v1/auth/login", json={"username": "bench", "password": PASSWORD}) as answer,
    ):
        return str((await answer.json())["access_token"])
