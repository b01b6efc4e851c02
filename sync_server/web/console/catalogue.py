"""The catalogue over HTTP: what a page needs to draw lists and forms of every entity.

Owns: the answer that nothing changed.
Must not know: any entity.
Invariant: who has the newest catalogue is not sent it again (tests/integration/test_console_files.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.web.answers import is_current, send_json
from sync_server.wire.catalogue import read_language, write_catalogue


async def get_catalogue(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/catalogue?language=, with If-None-Match."""
    written = write_catalogue(read_language(request.query.get("language")))
    # Weak: the same document is sent in several codings (RFC 9110, 8.8.3.3).
    headers = {"ETag": f'W/"{written.etag}"', "Vary": "Accept-Encoding"}
    if is_current(request, written.etag):
        return web.Response(status=304, headers=headers)
    return await send_json(request, written.body, headers=headers)
