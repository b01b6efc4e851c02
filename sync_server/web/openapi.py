"""The OpenAPI document over HTTP.

Owns: which routes it describes (all of the application's), its tag, and the answer that nothing changed.
Must not know: any one operation.
Invariant: what is served is made of the routes that this very server answers (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Final

import orjson
from aiohttp import web

from erp_core.catalogue import ENTITIES
from sync_server.store.searching import searched
from sync_server.web.answers import is_current, send_json
from sync_server.web.permissions import DECLARED, PUBLIC, Route
from sync_server.wire.openapi import document as wire

UNSEARCHED: Final = frozenset({"q"})
UNNAMED: Final = frozenset(f"/api/v1/{entity.table}" for entity in ENTITIES if not searched(entity))
"""Lists whose records have no names to search."""


async def get_document(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/openapi.json, with If-None-Match."""
    body, tag = _written(tuple(request.app[DECLARED].values()))
    # Weak: the same document is sent in several codings (RFC 9110, 8.8.3.3).
    headers = {"ETag": f'W/"{tag}"', "Vary": "Accept-Encoding"}
    if is_current(request, tag):
        return web.Response(status=304, headers=headers)
    return await send_json(request, body, headers=headers)


def described(routes: Sequence[Route]) -> list[wire.Route]:
    """Say of each route what a document needs to know."""
    return [
        wire.Route(
            route.method,
            route.path,
            needs=route.needs if isinstance(route.needs, tuple) else (),
            public=route.needs is PUBLIC,
            summary=(route.handler.__doc__ or "").partition("\n")[0],
            without=UNSEARCHED if route.path in UNNAMED else frozenset(),
        )
        for route in routes
    ]


@cache
def _written(routes: tuple[Route, ...]) -> tuple[bytes, str]:
    """The routes do not change while the server runs."""
    body = orjson.dumps(wire.document(described(routes)))
    return body, sha256(body).hexdigest()[:16]
