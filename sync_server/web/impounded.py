"""Impounded pushes over HTTP, for who has device.manage: look, then release or discard.

Owns: the JSON of impounded pushes.
Must not know: how one is applied.
Invariant: nobody decides about what their user may and they may not (tests/integration/test_wipe.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from sync_server.engine import releasing
from sync_server.store import impounded as store
from sync_server.store.impounded import Listed, Whole
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.devices import found_device
from sync_server.web.emptying import refused
from sync_server.wire import changes
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

NO_SUCH_PUSH = "The device left no such push."


async def list_impounded(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/devices/{device_id}/impounded."""
    device = await found_device(request, over=True, manage=True)
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        found = await store.list_impounded(connection, org_id, device.id)
    return await send_json(request, orjson.dumps({"impounded": [_written(push) for push in found]}))


async def get_impounded(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/devices/{device_id}/impounded/{push_id}: with the body, as it was sent."""
    kept = await _found(request)
    return await send_json(
        request, orjson.dumps({**_written(kept.listed), "body": kept.body.decode("utf-8", errors="replace")})
    )


async def release(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/devices/{device_id}/impounded/{push_id}/release: apply it as its author."""
    kept, app, device_id = await _found(request), request.app, request.match_info["device_id"]
    mutations = changes.read_changes(loads(kept.body), records_max=app[keys.SETTINGS].push_records_max)
    actor = request[keys.ACTOR]
    try:
        with refused(request):
            await releasing.release(app[keys.DATABASE], app[keys.STANDINGS], device_id, kept, mutations, by=actor)
    except releasing.Decided:
        raise Problem("already_decided") from None
    return await send_json(request, orjson.dumps(_written((await _found(request)).listed)))


async def discard(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/devices/{device_id}/impounded/{push_id}/discard: leave it; the record of it stays."""
    kept, device_id = await _found(request), request.match_info["device_id"]
    try:
        await releasing.discard(request.app[keys.DATABASE], device_id, kept.listed.id, by=request[keys.ACTOR])
    except releasing.Decided:
        raise Problem("already_decided") from None
    return await send_json(request, orjson.dumps(_written((await _found(request)).listed)))


async def _found(request: web.Request) -> Whole:
    device = await found_device(request, over=True, manage=True)
    org_id, id = request[keys.ACTOR].org_id, request.match_info["push_id"]
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        kept = await store.read_impounded(connection, org_id, device.id, id)
    if kept is None:
        raise Problem("not_found", NO_SUCH_PUSH)
    return kept


def _written(push: Listed) -> dict[str, object]:
    return {
        "id": push.id,
        "user_id": push.user_id,
        "cursor": push.base,
        "bytes": push.size,
        "records": list(push.records),
        "received_at": milliseconds(push.received_at),
        "state": push.state,
        "decided_by": push.decided_by,
        "decided_at": milliseconds(push.decided_at),
    }
