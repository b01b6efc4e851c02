"""Browsers: pages of which origins may call the API, and which requests a browser may have been tricked into.

Owns: CORS (the Fetch standard, 3.2) and the check against forged requests where a cookie says who asks.
Must not know: any handler.
Invariant: an origin is allowed only if it is in COTTON_CORS_ORIGINS letter by letter; a cookie alone never changes anything
(tests/integration/test_cors.py, tests/unit/test_origins.py).

aiohttp-cors 0.8.1 was tried: it answers preflights in routes of its own, which lie behind our middlewares (a preflight
carries no token), sends no `Vary: Origin` (a shared cache would serve one origin's headers to another), and leaves errors
without headers, so that a page could not read why it was refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sync_server.web import keys
from sync_server.web.headers import add_vary
from sync_server.wire.problems import Problem

METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS: Final = (
    "Authorization, Content-Type, Content-Encoding, Cotton-App-Version, Cotton-Console, Cotton-Device, Cotton-Pending, "
    "Cotton-Push-Counter, Cotton-Session, DPoP, Idempotency-Key, If-Match, If-None-Match, Prefer, Tus-Resumable, "
    "Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Request-Id"
)
EXPOSED: Final = (
    "Date, ETag, Location, Preference-Applied, Retry-After, Tus-Resumable, Upload-Expires, Upload-Length, Upload-Offset, "
    "WWW-Authenticate, X-Request-Id"
)
PREFLIGHT_SECONDS: Final = "7200"
"""The longest that Chromium remembers a preflight."""

CONSOLE: Final = "Cotton-Console"
"""A header that no form and no link can send; a script of another origin only after a preflight that we refuse."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger(__name__)

Signal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def preflights(allowed: frozenset[str]) -> Middleware:
    """Make the middleware that answers preflights; before everything that asks for a token."""

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return await handler(request)
        if request.headers.get("Origin") not in allowed:
            raise Problem("origin_refused")
        told = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        }
        return web.Response(status=204, headers=told)

    return answer_preflight


def cross_origin(allowed: frozenset[str]) -> Signal:
    """Make the signal for `app.on_response_prepare` that lets a page of an allowed origin read any answer."""

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        add_vary(response.headers, "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = EXPOSED

    return allow


def refuse_forged(request: web.Request, allowed: frozenset[str]) -> None:
    """Refuse a request that changes something, is authenticated by a cookie, and was not made by a page of ours.

    Asks for both: an origin that is ours (or `allowed`) or the browser's word that it is, and the console's own header.
    Raises `Problem` forged_request.
    """
    if request.method in SAFE_METHODS:
        return
    if CONSOLE not in request.headers or not is_ours(request, allowed):
        log.warning("auth_refused", reason="forged_request", address=request.get(keys.ADDRESS), method=request.method)
        raise Problem("forged_request")


def is_ours(request: web.Request, allowed: frozenset[str]) -> bool:
    """Say whether a page of ours or of an allowed origin makes this request, as far as a browser tells."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    if origin in allowed:
        return True
    scheme = "https" if request.get(keys.SECURE, False) else "http"
    parts = urlsplit(origin)
    return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin" and (parts.scheme, parts.netloc) == (
        scheme,
        request.host.lower(),
    )
