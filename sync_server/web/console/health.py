"""How syncing goes, over HTTP: by hour, by open issues, and one device's timeline.

Owns: the JSON of it. The devices themselves are in `GET /api/v1/devices`.
Must not know: SQL.
Invariant: it is for who has device.manage, and of their organisation only (tests/integration/test_sync_health.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from erp_core.catalogue import SCHEMA_VERSION
from sync_server.store import sync_health
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.devices import found_device
from sync_server.wire.moments import milliseconds


async def get_health(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/sync/health."""
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        hours = await sync_health.read_hours(connection, org_id)
        issues = await sync_health.count_open_issues(connection, org_id)
    listed = [{"at": milliseconds(hour.at), "pushes": hour.pushes, "heard": hour.heard} for hour in hours]
    return await send_json(
        request, orjson.dumps({"schema_version": SCHEMA_VERSION, "hours": listed, "open_issues": dict(issues)})
    )


async def get_timeline(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/devices/{device_id}/timeline."""
    device, org_id = await found_device(request, manage=True), request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        traces = await sync_health.read_traces(connection, org_id, device.id)
    listed = [
        {"at": milliseconds(each.at), "kind": each.kind, "detail": each.detail, "about": each.about or None}
        for each in traces
    ]
    return await send_json(request, orjson.dumps({"device_id": device.id, "traces": listed}))
