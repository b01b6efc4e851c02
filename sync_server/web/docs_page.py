"""The page that shows the OpenAPI document: three files, which need nothing from anywhere else.

Owns: how they are sent, and what a browser may do with them.
Must not know: the document; the page asks for it with a login of whoever reads it.
Invariant: a browser runs nothing on the page that is not one of these files, and the page works without a network
(tests/integration/test_docs_page.py).
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

from sync_server.web.answers import is_current, send_json

FILES: Final = Path(__file__).parent / "static" / "docs"
TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The form is sent by the script; without it nowhere, so no password can end up in an address."""


async def get_page(request: web.Request) -> web.StreamResponse:
    """GET /docs."""
    return await _send(request, "index.html")


async def get_script(request: web.Request) -> web.StreamResponse:
    """GET /docs/docs.js."""
    return await _send(request, "docs.js")


async def get_style(request: web.Request) -> web.StreamResponse:
    """GET /docs/docs.css."""
    return await _send(request, "docs.css")


async def _send(request: web.Request, name: str) -> web.StreamResponse:
    body, tag = _read(name)
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "ETag": f'W/"{tag}"',
        "Vary": "Accept-Encoding",
    }
    if is_current(request, tag):
        return web.Response(status=304, headers=headers)
    response = await send_json(request, body, content_type=TYPES[Path(name).suffix], headers=headers)
    response.charset = "utf-8"
    return response


@cache
def _read(name: str) -> tuple[bytes, str]:
    body = (FILES / name).read_bytes()
    return body, sha256(body).hexdigest()[:16]
