"""Webhooks over HTTP: made, read, changed, given a new secret, tested, removed; for who has setting.update.

Owns: who may act on whose webhook, and the URL that one may have.
Must not know: how anything is sent.
Invariant: whoever has a webhook's messages sent elsewhere, or resumed, may do all that its owner may, as what is sent is what
the owner sees (tests/integration/test_webhooks.py).
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from sync_server.identity.webhook_keeping import Asker, Keeper, TooMany
from sync_server.operate.webhook_wall import Wall
from sync_server.store import webhooks as store
from sync_server.store.webhooks import Webhook
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.fresh import require_fresh
from sync_server.web.logins import address_of
from sync_server.web.rights import entitlements_of, reaches
from sync_server.wire import webhooks as wire
from sync_server.wire.problems import Problem, pointer
from sync_server.wire.strict_json import loads

MANAGE: Final = "setting.update"

NO_SUCH_WEBHOOK: Final = "There is no such webhook, or it is not for you to act on."


async def list_webhooks(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/webhooks: those of the organisation."""
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        found = await store.list_webhooks(connection, org_id)
    return await send_json(request, orjson.dumps({"webhooks": [wire.write_webhook(one) for one in found]}))


async def get_webhook(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/webhooks/{webhook_id}."""
    return await send_json(request, orjson.dumps(wire.write_webhook(await found_webhook(request))))


async def make_webhook(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhooks `{url, events, name?, scopes?}`: the asker's; gives its secret, this once."""
    asked = wire.read_new(await _body(request))
    url, events = _checked(request, asked.url or ""), asked.events or ()
    await require_fresh(request)
    try:
        made, secret = await keeper(request).make(
            asker(request), url=url, name=asked.name or "", events=events, scopes=asked.scopes or ()
        )
    except TooMany:
        raise Problem("invalid_value", "The organisation has as many webhooks as it may: remove one.") from None
    return await send_json(request, orjson.dumps(wire.write_webhook(made, secret)), status=201)


async def change_webhook(request: web.Request) -> web.StreamResponse:
    """PATCH /api/v1/webhooks/{webhook_id} `{url?, events?, name?, scopes?, state?, skip_missed?, take_over?}`."""
    held, asked = await found_webhook(request, over=True), wire.read_change(await _body(request))
    said = {name: getattr(asked, name) for name in ("url", "events", "name", "scopes", "state")}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if asked.url is not None:
        _checked(request, asked.url)
        await require_fresh(request)
    if asked.take_over:
        changes["owner_id"] = request[keys.ACTOR].user_id
    await keeper(request).change(asker(request), held.id, changes, skip_missed=asked.skip_missed)
    return await get_webhook(request)


async def rotate_secret(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhooks/{webhook_id}/secret: another secret, this once; the one before signs beside it for a day."""
    held = await found_webhook(request, over=True)
    await require_fresh(request)
    webhook, secret = await keeper(request).rotate(asker(request), held)
    return await send_json(request, orjson.dumps(wire.write_webhook(webhook, secret)))


async def ping_webhook(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhooks/{webhook_id}/ping: queue a test, which is tried once; its delivery log has what came of it."""
    held = await found_webhook(request, over=True)
    queued = await keeper(request).ping(asker(request), held.id)
    if queued is None:
        raise Problem("not_found", NO_SUCH_WEBHOOK)
    return await send_json(request, orjson.dumps(wire.write_delivery(queued)), status=202)


async def remove_webhook(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/webhooks/{webhook_id}: it and its delivery log."""
    held = await found_webhook(request, over=True)
    await keeper(request).remove(asker(request), held.id)
    return web.Response(status=204)


# --- What its routes share ----------------------------------------------------------------------------------------------


async def found_webhook(request: web.Request, *, over: bool = False) -> Webhook:
    """Give the webhook of the path. `over`: only to who may do all that its owner may. Raises `Problem`."""
    actor, id = request[keys.ACTOR], request.match_info["webhook_id"]
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        found = await store.read_webhook(connection, actor.org_id, id)
    if found is None:
        raise Problem("not_found", NO_SUCH_WEBHOOK)
    is_others = over and found.owner_id != actor.user_id
    if is_others and not reaches(*await entitlements_of(request, actor.user_id, found.owner_id)):
        raise Problem("not_found", NO_SUCH_WEBHOOK)
    return found


def keeper(request: web.Request) -> Keeper:
    """Give what keeps webhooks."""
    return Keeper(request.app[keys.DATABASE], request.app[keys.SECOND].secret)


def asker(request: web.Request) -> Asker:
    """Say who asks, and from where."""
    return Asker(request[keys.ACTOR], address_of(request))


async def _body(request: web.Request) -> Any:
    return loads(await read_body(request, request.app[keys.SETTINGS]))


def _checked(request: web.Request, url: str) -> str:
    """Give the URL if it may be reached. Names are not looked up: what counts is where they lead when something is sent."""
    fault = Wall(loopback=request.app[keys.SETTINGS].webhook_loopback).fault_of(url)
    if fault:
        raise Problem("invalid_value", fault, pointer=pointer("url"))
    return url
