"""The floor of live connections: an aiohttp server with a WebSocket that does the least there is to do. Run as a process.

Owns: `/ws`: what comes is sent to everybody, `/rss`: the memory of the process in bytes.
Must not know: the server that is measured against it.
Invariant: it is what an aiohttp programmer would write who needs nothing else, on the same loop
(tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import sys

import psutil
import uvloop
from aiohttp import web


async def _serve(port: int) -> None:
    sockets: set[web.WebSocketResponse] = set()

    async def join(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.add(socket)
        async for message in socket:
            for each in list(sockets):
                await each.send_str(message.data)
        sockets.discard(socket)
        return socket

    async def memory(_: web.Request) -> web.Response:
        return web.Response(text=str(psutil.Process().memory_info().rss))

    app = web.Application()
    app.add_routes([web.get("/ws", join), web.get("/rss", memory)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
