"""The settlement of a trade over HTTP.

Owns: the path from a request to engine/settling.py and back.
Must not know: what a trade comes to, who may read it.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.engine.settling import read_settlement
from sync_server.web.answers import send_json
from sync_server.web.records import NOT_THERE, engine_of
from sync_server.wire.problems import Problem
from sync_server.wire.settlement import write_settlement


async def get_settlement(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/trades/{id}/settlement: who owes whom what, line by line, by the papers as they are now."""
    id = request.match_info["id"]
    settlement = await read_settlement(*engine_of(request), id)
    if settlement is None:
        raise Problem("not_found", NOT_THERE)
    return await send_json(request, write_settlement(id, settlement))
