"""Privacy over HTTP: asking to be forgotten, deciding about it, and taking along what is known of oneself.

Owns: the path from a request to engine/privacy.py and back.
Must not know: who is forgotten how, where it is remembered.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from aiohttp import web

from sync_server.engine.privacy import AskedAlready, Decided, NoSuchPerson, StillNeeded
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.fresh import require_fresh
from sync_server.wire import privacy as wire
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

NO_SUCH_PERSON = "There is no such person, or not for you to see."
NO_SUCH_REQUEST = "There is no such request, or it is not yours."
DECIDED = "Somebody has agreed to this request or refused it."


async def list_requests(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/privacy/requests: one's own, newest first; all of them for who decides."""
    found = await request.app[keys.PRIVACY].list_requests(request[keys.ACTOR])
    return await send_json(request, wire.write_requests(found))


async def ask(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/privacy/requests `{table, id, reason?}`: ask that a person be forgotten."""
    asked = wire.read_request(loads(await read_body(request, request.app[keys.SETTINGS])))
    with _refused(NO_SUCH_PERSON):
        made = await request.app[keys.PRIVACY].ask(request[keys.ACTOR], *asked)
    return await send_json(request, orjson.dumps(wire.describe(made)), status=201)


async def get_request(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/privacy/requests/{request_id}: how it stands, and which devices have not been told."""
    stands = await request.app[keys.PRIVACY].read(request[keys.ACTOR], request.match_info["request_id"])
    if stands is None:
        raise Problem("not_found", NO_SUCH_REQUEST)
    return await send_json(request, wire.write_stands(stands))


async def approve(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/privacy/requests/{request_id}/approve: agree, and have the person forgotten before the answer."""
    await require_fresh(request)
    with _refused(NO_SUCH_REQUEST):
        await request.app[keys.PRIVACY].approve(request[keys.ACTOR], request.match_info["request_id"])
    return await get_request(request)


async def refuse(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/privacy/requests/{request_id}/refuse `{reason}`."""
    reason = wire.read_refusal(loads(await read_body(request, request.app[keys.SETTINGS])))
    with _refused(NO_SUCH_REQUEST):
        await request.app[keys.PRIVACY].refuse(request[keys.ACTOR], request.match_info["request_id"], reason)
    return await get_request(request)


async def export(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/privacy/export?table=&id=: everything that is known of a person; without a query, of oneself."""
    await require_fresh(request)
    asked = wire.read_whom(request.query, request[keys.ACTOR].user_id)
    with _refused(NO_SUCH_PERSON):
        known = await request.app[keys.PRIVACY].export(request[keys.ACTOR], *asked)
    headers = {"Content-Disposition": 'attachment; filename="known.json"'}
    return await send_json(request, wire.write_known(known), headers=headers)


@contextmanager
def _refused(not_there: str) -> Iterator[None]:
    try:
        yield
    except NoSuchPerson:
        raise Problem("not_found", not_there) from None
    except AskedAlready:
        raise Problem("asked_already") from None
    except Decided:
        raise Problem("already_decided", DECIDED) from None
    except StillNeeded as needed:
        because = [{"table": table, "id": id} for table, id in needed.because]
        raise Problem("still_needed", because=because) from None
