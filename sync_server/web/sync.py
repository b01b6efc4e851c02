"""Sync: the stock WatermelonDB endpoints.

Owns: the path from a request to the engine and back.
Must not know: how anything is decided.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import orjson
from aiohttp import web

from sync_server.engine.devices import DeviceWiping, check_cursor
from sync_server.engine.pull import PullRequest
from sync_server.engine.push import Conflict, PushRequest
from sync_server.engine.spooling import Spooled, pieces, pull
from sync_server.web import keys
from sync_server.web.answers import send_json, stream_json
from sync_server.web.bodies import read_body
from sync_server.web.caps import CAPS
from sync_server.web.emptying import counter_of, digest_of, empty, impound, notice, refused
from sync_server.wire import changes, pulling
from sync_server.wire.problems import Problem
from sync_server.wire.schema import schema_document
from sync_server.wire.strict_json import loads


async def get_sync(request: web.Request) -> web.StreamResponse:
    """Pull: GET /api/v1/sync?last_pulled_at=&schema_version=&migration=."""
    asked, app, actor = pulling.read_pull(request.query), request.app, request[keys.ACTOR]
    notice(request, asked.cursor, asked.schema_version)
    if actor.wiping:
        return await empty(request, asked)
    wanted = PullRequest(asked.cursor, asked.tables, asked.new_tables, asked.new_columns)
    with refused(request):
        await check_cursor(app[keys.DATABASE], actor, asked.cursor)
        async with app[CAPS].place(actor.org_id, needed=asked.cursor is None):
            answer = await pull(app[keys.DATABASE], app[keys.SPOOLS], app[keys.STANDINGS], actor, wanted)
    if isinstance(answer, Spooled):
        return await stream_json(request, stream_spooled(answer))
    return await send_json(request, pulling.write_delta(answer.cursor, answer.tables, answer.moved))


async def post_sync(request: web.Request) -> web.StreamResponse:
    """Push: POST /api/v1/sync?last_pulled_at= with the changes object."""
    arrived, actor = time.monotonic(), request[keys.ACTOR]
    cursor = pulling.read_cursor(request.query.get("last_pulled_at"))
    notice(request, cursor)
    body = await read_body(request, request.app[keys.SETTINGS])
    if actor.wiping:
        return await impound(request, cursor, body)
    try:
        return await _push(request, _push_request(request, cursor, body, arrived))
    except DeviceWiping:  # since a moment ago
        request.app[keys.SESSIONS].forget(actor.org_id, [actor.session_id])
        return await impound(request, cursor, body)


async def get_schema(request: web.Request) -> web.StreamResponse:
    """Give the schema as WatermelonDB wants it: GET /api/v1/sync/schema."""
    return await send_json(request, orjson.dumps(schema_document()))


def stream_spooled(answer: Spooled) -> AsyncIterator[bytes]:
    """Write a spooled answer piece by piece."""
    tables = (
        pulling.StreamedTable(t.table, pieces(t.created), pieces(t.updated), pieces(t.deleted), t.corrections)
        for t in answer.tables
    )
    return pulling.stream_changes(answer.cursor, tables, replaces=answer.replaces)


async def _push(request: web.Request, wanted: PushRequest) -> web.StreamResponse:
    app, actor = request.app, request[keys.ACTOR]
    with refused(request):
        await check_cursor(app[keys.DATABASE], actor, wanted.cursor)
        try:
            answer = await app[keys.LANES].push(actor, wanted)
        except Conflict as conflict:
            raise _conflict(conflict) from None
    return await send_json(request, orjson.dumps(pulling.write_kept_back(answer.kept_back)))


def _push_request(request: web.Request, cursor: int | None, body: bytes, arrived: float) -> PushRequest:
    parsed = loads(body)
    mutations = changes.read_changes(parsed, records_max=request.app[keys.SETTINGS].push_records_max)
    counter = counter_of(request)
    return PushRequest(
        cursor, mutations, digest_of(cursor, body), "sync_issues" in parsed, counter=counter, arrived=arrived
    )


def _conflict(conflict: Conflict) -> Problem:
    listed = [{"table": clash.table, "id": clash.id, "columns": clash.columns} for clash in conflict.clashes]
    return Problem("conflict", conflicts=listed)
