"""Explain over HTTP: why a record is or is not on a device.

Owns: who may ask about which device.
Must not know: how it is concluded.
Invariant: without device.manage nobody hears of another device than their own, there or not
(tests/integration/test_explain.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.engine.explain import explain
from sync_server.store import registry
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.rights import entitlements_of
from sync_server.wire import explaining
from sync_server.wire.problems import Problem

MANAGE = "device.manage"


async def get_explain(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/sync/explain?table=&id=&device=."""
    key, asked = explaining.read_explain(request.query)
    app, actor = request.app, request[keys.ACTOR]
    (own,) = await entitlements_of(request, actor.user_id)
    fully = own.has(MANAGE)
    device = await _device(request, asked or actor.device_id, anyone=fully)
    found = await explain(app[keys.DATABASE], app[keys.STANDINGS], actor.org_id, key, device, fully=fully)
    said = {
        "id": device.id,
        "user_id": device.user_id,
        "state": device.state,
        "cursor": device.cursor,
        "lag": device.lag,
    }
    return await send_json(request, explaining.write_explained(key, said, found))


async def _device(request: web.Request, id: str, *, anyone: bool) -> registry.Device:
    app, actor = request.app, request[keys.ACTOR]
    if id != actor.device_id and not anyone:
        raise Problem("forbidden")
    await app[keys.SIGHTINGS].write(app[keys.DATABASE])  # what this very device just said of its cursor counts
    async with app[keys.DATABASE].acquire(actor.org_id) as connection:
        device = await registry.read_device(connection, actor.org_id, id)
    if device is None:
        raise Problem("not_found", "There is no such device; name one, or log in on one.")
    return device
