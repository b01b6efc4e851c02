"""Sync: the stock WatermelonDB endpoints.

Owns: the path from a request to the engine and back.
Must not know: how anything is decided.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import orjson
from aiohttp import web

from sync_server.engine import cursor as cursors
from sync_server.engine.pull import PullRequest
from sync_server.engine.push import Conflict, PushRequest
from sync_server.engine.spooling import Spooled, pieces, pull
from sync_server.web import keys
from sync_server.web.answers import send_json, stream_json
from sync_server.web.bodies import read_body
from sync_server.wire import changes, pulling
from sync_server.wire.problems import Problem
from sync_server.wire.schema import schema_document
from sync_server.wire.strict_json import loads

FROM_THE_FUTURE = "last_pulled_at is ahead of this organisation's history: it came from another server or account."


async def get_sync(request: web.Request) -> web.StreamResponse:
    """Pull: GET /api/v1/sync?last_pulled_at=&schema_version=&migration=."""
    asked = pulling.read_pull(request.query)
    wanted = PullRequest(asked.cursor, asked.tables, asked.new_tables, asked.new_columns)
    app = request.app
    try:
        answer = await pull(app[keys.DATABASE], app[keys.SPOOLS], app[keys.STANDINGS], request[keys.ACTOR], wanted)
    except cursors.FromTheFuture:
        raise Problem("cursor_from_future", FROM_THE_FUTURE) from None
    if isinstance(answer, Spooled):
        return await stream_json(request, _stream(answer))
    return await send_json(request, pulling.write_delta(answer.cursor, answer.tables, answer.moved))


async def post_sync(request: web.Request) -> web.StreamResponse:
    """Push: POST /api/v1/sync?last_pulled_at= with the changes object."""
    wanted = await _read_push(request)
    try:
        answer = await request.app[keys.LANES].push(request[keys.ACTOR], wanted)
    except cursors.FromTheFuture:
        raise Problem("cursor_from_future", FROM_THE_FUTURE) from None
    except Conflict as conflict:
        raise _conflict(conflict) from None
    return await send_json(request, orjson.dumps(pulling.write_kept_back(answer.kept_back)))


async def get_schema(request: web.Request) -> web.StreamResponse:
    """Give the schema as WatermelonDB wants it: GET /api/v1/sync/schema."""
    return await send_json(request, orjson.dumps(schema_document()))


def _stream(answer: Spooled) -> AsyncIterator[bytes]:
    tables = (
        pulling.StreamedTable(t.table, pieces(t.created), pieces(t.updated), pieces(t.deleted), t.corrections)
        for t in answer.tables
    )
    return pulling.stream_changes(answer.cursor, tables, replaces=answer.replaces)


async def _read_push(request: web.Request) -> PushRequest:
    settings = request.app[keys.SETTINGS]
    cursor = pulling.read_cursor(request.query.get("last_pulled_at"))
    body = await read_body(request, settings)
    parsed = loads(body)
    mutations = changes.read_changes(parsed, records_max=settings.push_records_max)
    digest = hashlib.sha256(f"{cursor}\n".encode() + body).digest()
    return PushRequest(cursor, mutations, digest, holds_issues="sync_issues" in parsed)


def _conflict(conflict: Conflict) -> Problem:
    listed = [{"table": clash.table, "id": clash.id, "columns": clash.columns} for clash in conflict.clashes]
    return Problem("conflict", conflicts=listed)
