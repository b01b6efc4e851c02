"""Histories over REST: what happened to a record, bringing an earlier state back, and the audit trail of the organisation.

Owns: the way from a request to the engine and back.
Must not know: what of the past somebody may see.
Invariant: an earlier state comes back as a new change by the one write path (tests/integration/test_history.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.engine import history as engine
from sync_server.store.histories import LogAsked
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.records import NOT_THERE, Records, engine_of
from sync_server.wire import history as wire
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads


class Histories:
    """The handlers of one entity."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.path = f"{records.path}/{{id}}/history"
        self.restore_path = f"{records.path}/{{id}}/restore"

    async def history(self, request: web.Request) -> web.StreamResponse:
        """GET /api/v1/{table}/{id}/history?limit=&after=."""
        limit, start = wire.read_history(request.query)
        key = (self._records.table, request.match_info["id"])
        found = await engine.read_history(*engine_of(request), key, start, limit)
        if found is None:
            raise Problem("not_found", NOT_THERE)
        return await send_json(request, wire.write_events(*found))

    async def restore(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table}/{id}/restore {"position": n}: bring back how the record was, as a new change."""
        body = await read_body(request, request.app[keys.SETTINGS])
        key = (self._records.table, request.match_info["id"])
        change = await engine.restoring(*engine_of(request), key, wire.read_restore(loads(body)))
        if change is None:
            raise Problem("not_found", NOT_THERE)
        return await self._records.write(request, body, *change)


async def get_audit(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/audit?table=&id=&user=&device=&since=&until=&limit=&after=."""
    asked = wire.read_audit(request.query)
    wanted = LogAsked(asked.table, asked.id, asked.user, asked.device, asked.since, asked.until)
    found = await engine.read_audit(*engine_of(request), wanted, asked.after, asked.limit)
    return await send_json(request, wire.write_events(*found))
