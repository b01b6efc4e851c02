"""Oneself over HTTP: who asks, for which organisation, and what they may do where.

Owns: the JSON of it.
Must not know: how any of it is worked out.
Invariant: what a screen offers by this answer is what the server allows (tests/integration/test_records.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from sync_server.engine.reading import Oneself, Seen, read_oneself
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.wire.moments import milliseconds
from sync_server.wire.records import write_record


async def who_am_i(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/me."""
    app, actor = request.app, request[keys.ACTOR]
    oneself = await read_oneself(app[keys.DATABASE], app[keys.STANDINGS], actor)
    document = {
        "user": _record(oneself.user) or {"id": actor.user_id},
        "organisation": _record(oneself.organisation) or {"id": actor.org_id},
        "session_id": actor.session_id,
        "device_id": actor.device_id,
        **_may(oneself),
    }
    return await send_json(request, orjson.dumps(document))


def _record(record: Seen | None) -> Mapping[str, Any] | None:
    return None if record is None else orjson.loads(write_record(record))


def _may(oneself: Oneself) -> Mapping[str, Any]:
    return {
        "roles": [asdict(grant) for grant in oneself.grants],
        "holds": {scope: sorted(codes) for scope, codes in sorted(oneself.holds.items())},
        "entitled_until": milliseconds(oneself.until),
    }
