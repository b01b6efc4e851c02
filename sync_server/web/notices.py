"""How people want to be told, over HTTP: one's wishes, and where one's phone is reached.

Owns: the path from a request to the store and back.
Must not know: when something is due, how it is sent.
Invariant: everybody says it for themselves, and of the device of their session (tests/integration/test_notices_api.py).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from erp_core.telling import DEFAULT
from sync_server.store import outward as store
from sync_server.store.database import Connection
from sync_server.store.outward import Address
from sync_server.store.unit_of_work import unit_of_work
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.wire import notices as wire
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

NO_DEVICE: Final = "This session is of no device; log in with one."


async def get_wishes(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/me/notices: how one wants to be told outside of the app."""
    actor = request[keys.ACTOR]
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        wishes = await store.read_wishes(connection, actor.org_id, [actor.user_id])
    return await send_json(request, wire.write_wishes(wishes.get(actor.user_id, DEFAULT)))


async def put_wishes(request: web.Request) -> web.StreamResponse:
    """PUT /api/v1/me/notices: say it; what is left out is as at first."""
    wishes, actor = wire.read_wishes(loads(await read_body(request, request.app[keys.SETTINGS]))), request[keys.ACTOR]

    async def work(connection: Connection) -> None:
        await store.write_wishes(connection, actor.org_id, actor.user_id, wishes)

    await unit_of_work(request.app[keys.DATABASE], actor.org_id, work)
    return await get_wishes(request)


async def put_address(request: web.Request) -> web.StreamResponse:
    """PUT /api/v1/me/push-address `{service, token}`: where the device of this session is reached."""
    service, token = wire.read_address(loads(await read_body(request, request.app[keys.SETTINGS])))
    actor = request[keys.ACTOR]
    if not actor.device_id:
        raise Problem("device_state", NO_DEVICE)

    async def work(connection: Connection) -> None:
        await store.write_address(connection, actor.org_id, Address(actor.device_id, actor.user_id, service, token))

    await unit_of_work(request.app[keys.DATABASE], actor.org_id, work)
    return web.Response(status=204)


async def remove_address(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/me/push-address: the device of this session is told nothing by push any more."""
    actor = request[keys.ACTOR]

    async def work(connection: Connection) -> None:
        await store.forget_address(connection, actor.org_id, actor.device_id)

    await unit_of_work(request.app[keys.DATABASE], actor.org_id, work)
    return web.Response(status=204)
