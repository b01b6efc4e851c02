"""What every answer carries, whatever it says.

Owns: the headers that tell browsers and caches what they may not do, and the correlation id.
Must not know: any route but the health ones, which hold nobody's data.
Invariant: no answer leaves without them, errors, streams and answers to broken HTTP included, and none tells what program
or version made it (tests/integration/test_headers.py).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from sync_server.web import keys

REQUEST_ID: Final = "X-Request-Id"

ALWAYS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""It is somebody's business data, and never to be guessed into something a browser would run, frame or embed. A page of
an allowed origin reads it all the same: Cross-Origin-Resource-Policy binds only requests without CORS."""

STRICT_TRANSPORT: Final = "max-age=63072000; includeSubDomains"
"""Two years, what browsers' preload lists ask for. Only over TLS: RFC 6797, 7.2 forbids it elsewhere."""

HEALTH: Final = frozenset({"/healthz", "/readyz"})


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put on every answer, streams included, what every answer carries; a signal for `app.on_response_prepare`."""
    headers = response.headers
    headers[REQUEST_ID] = request.get(keys.CORRELATION, "")
    add_always(headers)
    if request.path in HEALTH:
        headers["Cache-Control"] = "no-cache"
    if request.get(keys.SECURE, False):
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT


def add_always(headers: CIMultiDict[str]) -> None:
    """Put ALWAYS on an answer where it says nothing else, and take away aiohttp's name and version."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    headers.popall("Server", None)


def add_vary(headers: CIMultiDict[str], name: str) -> None:
    """Tell caches that the answer depends on the request's header `name` too."""
    told = headers.get("Vary")
    headers["Vary"] = name if told is None else f"{told}, {name}"


def come_back(wait: float) -> int:
    """Draw a Retry-After: `wait` seconds, and up to half of it and two seconds more.

    Phones that were refused together would else return together, and be refused again.
    """
    return math.ceil(wait + random.uniform(0, 2 + wait / 2))  # noqa: S311 - spreads load, hides nothing
