"""Consents over HTTP, one's own; and for how long things are kept.

Owns: the path from a request to the store and back.
Must not know: what follows from a consent.
Invariant: nobody agrees to anything for somebody else (tests/integration/test_consents.py).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from erp_core.consents import PURPOSES
from sync_server.operate.retention import periods
from sync_server.store import consents as store
from sync_server.store import languages
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import unit_of_work
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.wire import consents as wire
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

NO_SUCH_PURPOSE: Final = f"There is no such purpose; they are {', '.join(PURPOSES)}."


async def get_consents(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/me/consents: what one may agree to, in one's language, and what one said."""
    actor = request[keys.ACTOR]
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        said = await store.read_said(connection, actor.org_id, actor.user_id)
        spoken = await languages.read_languages(connection, actor.org_id, [actor.user_id])
    return await send_json(request, wire.write_consents(said, spoken.get(actor.user_id, "en")))


async def put_consent(request: web.Request) -> web.StreamResponse:
    """PUT /api/v1/me/consents/{purpose} `{given, version}`: agree, or take it back."""
    purpose, actor = request.match_info["purpose"], request[keys.ACTOR]
    if purpose not in PURPOSES:
        raise Problem("not_found", NO_SUCH_PURPOSE)
    given, version = wire.read_consent(purpose, loads(await read_body(request, request.app[keys.SETTINGS])))

    async def work(connection: Connection) -> None:
        await store.say(connection, actor.org_id, actor.user_id, purpose, given=given, version=version)

    await unit_of_work(request.app[keys.DATABASE], actor.org_id, work)
    return await get_consents(request)


async def get_retention(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/privacy/retention: what tells of persons, and for how long it is kept."""
    return await send_json(request, wire.write_periods(periods(request.app[keys.SETTINGS])))
