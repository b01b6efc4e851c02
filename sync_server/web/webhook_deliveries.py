"""The delivery log of a webhook over HTTP, and sending again.

Owns: its pages.
Must not know: what was sent; it is not kept.
Invariant: the log names no record: who may see one is told by a message (tests/integration/test_webhooks.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from sync_server.store import webhook_deliveries as store
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.webhooks import asker, found_webhook, keeper
from sync_server.wire import webhooks as wire
from sync_server.wire.problems import Problem

NO_SUCH_DELIVERY = "The webhook has no such delivery, or it waits already."


async def list_deliveries(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/webhooks/{webhook_id}/deliveries `?state=&after=&limit=`: newest first."""
    (state, below, limit), org_id = wire.read_page(request.query), request[keys.ACTOR].org_id
    held = await found_webhook(request)
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        found = await store.list_deliveries(connection, org_id, held.id, state, below, limit)
    following = str(found[-1].number) if len(found) == limit else None
    written = [wire.write_delivery(one) for one in found]
    return await send_json(request, orjson.dumps({"deliveries": written, "next": following}))


async def send_again(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver: send it anew, under the same id."""
    held, id = await found_webhook(request, over=True), request.match_info["delivery_id"]
    queued = await keeper(request).send_again(asker(request), held.id, id)
    if not queued:
        raise Problem("not_found", NO_SUCH_DELIVERY)
    return await send_json(request, orjson.dumps({"queued": queued}), status=202)


async def send_dead_again(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/webhooks/{webhook_id}/redeliver: send all that is dead anew."""
    held = await found_webhook(request, over=True)
    queued = await keeper(request).send_again(asker(request), held.id, None)
    return await send_json(request, orjson.dumps({"queued": queued}), status=202)
