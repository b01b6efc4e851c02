"""The floors that are HTTP: an aiohttp server that does the least there is to do. Run by the benches as a process.

Owns: `/empty` (one prepared SELECT 1 through the pool, an empty answer), `/payloads` (the same plus fetching the newest
payloads), `/file` (the bytes of a file), each as an aiohttp programmer would write it who needs nothing else.
Must not know: the server that is measured against it.
Invariant: it runs on the same loop, driver and pool size as the server (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
import uvloop
from aiohttp import web

POOL_MAX = 10
NEWEST = "SELECT payload::text FROM feed WHERE org_id = $1 AND entity = 'business_partners' AND position > $2 AND position > 0"


async def _serve(url: str, port: int, file: Path) -> None:
    pool = await asyncpg.create_pool(url, min_size=1, max_size=POOL_MAX, server_settings={"jit": "off"})

    async def empty(_: web.Request) -> web.Response:
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
        return web.Response()

    async def payloads(request: web.Request) -> web.Response:
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
            rows = await connection.fetch(NEWEST, request.query["org"], int(request.query["after"]))
        return web.Response(body=("[" + ",".join([row[0] for row in rows]) + "]").encode())

    async def whole_file(_: web.Request) -> web.FileResponse:
        return web.FileResponse(file)

    app = web.Application()
    app.add_routes([web.get("/empty", empty), web.get("/payloads", payloads), web.get("/file", whole_file)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
