"""The policies over HTTP: what decides a clash, for a phone that wants to decide the same.

Owns: the answer that nothing changed.
Must not know: any policy.
Invariant: who has the newest policies is not sent them again (tests/integration/test_policies.py).
"""

from __future__ import annotations

from functools import cache

from aiohttp import web

from sync_server.engine.exporting import exported
from sync_server.web.answers import is_current, send_json
from sync_server.wire.policies import Written, write_policies


async def get_policies(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/sync/policies, with If-None-Match."""
    written = _written()
    # Weak: the same document is sent in several codings (RFC 9110, 8.8.3.3).
    headers = {"ETag": f'W/"{written.etag}"', "Vary": "Accept-Encoding"}
    if is_current(request, written.etag):
        return web.Response(status=304, headers=headers)
    return await send_json(request, written.body, headers=headers)


@cache
def _written() -> Written:
    """The catalogue does not change while the server runs."""
    return write_policies(exported())
