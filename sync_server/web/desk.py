"""The desk over HTTP: positions, exposure, pending deliveries and ageing.

Owns: the path from a request to engine/desk_reading.py and back.
Must not know: what a line comes to, who may read it.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from erp_core.india import day_of
from sync_server.engine.desk_reading import read_page
from sync_server.store.desk import MODELS
from sync_server.web.answers import send_json
from sync_server.web.records import engine_of
from sync_server.wire import desk as wire


async def get_positions(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/desk/positions: what each branch has on offer, is asked for and has to deliver, by variety."""
    return await _page(request, "positions")


async def get_exposure(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/desk/exposure: what partners have bought and not settled, against their credit limits."""
    return await _page(request, "exposure")


async def get_deliveries(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/desk/deliveries: how far the delivery of each confirmed trade has come."""
    return await _page(request, "deliveries")


async def get_ageing(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/desk/ageing: what partners owe on invoices, by how long it is due."""
    return await _page(request, "ageing")


async def _page(request: web.Request, name: str) -> web.StreamResponse:
    asked, after, limit = wire.read_query(request.query, tuple(MODELS[name].filters))
    page = await read_page(*engine_of(request), name, asked, after, limit)
    return await send_json(
        request, wire.write_page(name, page.lines, page.following, page.as_of, day_of(datetime.now(UTC)))
    )
