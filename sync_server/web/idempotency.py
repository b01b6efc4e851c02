"""Idempotency-Key over HTTP (draft-ietf-httpapi-idempotency-key-header): a request that may be sent again.

Owns: reading the header, and sending an answer that was kept.
Must not know: what is kept where.
Invariant: what names a request is all that it says: method, address, body and the version that it is about
(tests/integration/test_idempotency.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeVar

from aiohttp import web

from sync_server.store.idempotency import Kept, Once
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.wire.problems import Problem

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r'"?([!#-\[\]-~]{1,255})"?')
"""A string of RFC 8941 without spaces and escapes; the quotes may be left out."""

_Result = TypeVar("_Result")


def once_of(request: web.Request, body: bytes, render: Callable[[_Result], Kept]) -> Once[_Result] | None:
    """Say under which key a request is to have its effect once; None: it has none. Raises Problem."""
    header = request.headers.getall(HEADER, [])
    if not header:
        return None
    key = _KEY.fullmatch(header[0].strip())
    if key is None or len(header) > 1:
        raise Problem("bad_idempotency_key")
    said = [request.method, request.path_qs, request.headers.get("If-Match", ""), request.headers.get("Prefer", "")]
    digest = sha256("\n".join(said).encode("utf-8", "surrogateescape") + b"\n" + body).digest()
    return Once(request[keys.ACTOR].user_id, key[1], digest, render)


async def send_kept(request: web.Request, kept: Kept) -> web.StreamResponse:
    """Send an answer, now or again."""
    if not kept.body:
        return web.Response(status=kept.status, headers=dict(kept.headers))
    return await send_json(request, kept.body, status=kept.status, headers=kept.headers)
