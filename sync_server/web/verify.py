"""Verify over HTTP: whether a phone holds what it should, and what differs.

Owns: the path from a request to engine/verify.py and back.
Must not know: how anything is compared.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.engine.devices import check_cursor
from sync_server.engine.verify import Behind, Held, TooDifferent, Verified, verify
from sync_server.store.digesting import Column
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.caps import CAPS
from sync_server.web.emptying import notice, refused
from sync_server.wire import verifying
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads
from sync_server.wire.verifying import VerifyParameters


async def post_verify(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/sync/verify."""
    app, actor = request.app, request[keys.ACTOR]
    asked = verifying.read_verify(loads(await read_body(request, app[keys.SETTINGS])))
    if actor.wiping:
        raise Problem("device_wiping")
    notice(request, asked.cursor, asked.schema_version)
    with refused(request):
        await check_cursor(app[keys.DATABASE], actor, asked.cursor)
        async with app[CAPS].place(actor.org_id):
            answer = await _compared(request, asked)
    return await send_json(request, verifying.write_verified(answer.tables, more=answer.more))


async def _compared(request: web.Request, asked: VerifyParameters) -> Verified:
    app = request.app
    held = {
        table: Held(
            said.digests,
            said.without,
            tuple(Column(field.name, field.type.plain_kind, not field.required) for field in said.columns),
        )
        for table, said in asked.tables.items()
    }
    try:
        return await verify(app[keys.DATABASE], app[keys.STANDINGS], request[keys.ACTOR], asked.cursor, held)
    except Behind:
        raise Problem("behind") from None
    except TooDifferent as failure:
        raise Problem("too_different", rows=failure.rows) from None
