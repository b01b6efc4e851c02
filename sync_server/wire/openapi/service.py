"""The server itself, described: its health, this document, and the live connection that says when to sync.

Owns: the shapes of their answers.
Must not know: what is judged, or who is told what.
Invariant: what is here is what web/health.py, openapi.py and live.py read and answer (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.live import BEARER, PROTOCOL, TICKET
from sync_server.wire.openapi.operations import Answer, Operation, header, query
from sync_server.wire.openapi.shapes import Schema, anything, or_null, shape, text, whole

TAG: Final = "Server"

_READY: Final = shape(
    {"status": {"const": "ready"}, "schema": text(), "revision": or_null(text()), "head": or_null(text())}
)
_ALIVE: Final = shape({"status": {"const": "alive"}})
_TICKET: Final = shape({"ticket": text("Opens one live connection, once."), "expires_in": whole("Seconds.", least=1)})
_ETAG: Final = {"ETag": {"$ref": "#/components/headers/ETag"}}

SCHEMAS: Final[Mapping[str, Schema]] = {}

_SINCE: Final = header("If-None-Match", text(), "The `ETag` of before.")


def _file(id: str, what: str, type: str) -> Operation:
    answers = {200: Answer("It.", text(), type, headers=_ETAG), 304: Answer("Nothing changed.")}
    return Operation(id, TAG, f"Give {what} of the page that shows this document", answers, parameters=(_SINCE,))


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/live"): Operation(
        *("live", TAG, "Open a WebSocket that says when there is something to pull", {101: Answer("It is open.")}),
        help="It never says what moved: a pull makes everything good. docs/PROTOCOL.md has its frames.",
        parameters=(
            query("ticket", text(), "Of `POST /api/v1/live/ticket`, in place of a token."),
            header(
                "Sec-WebSocket-Protocol",
                text(examples=[f"{PROTOCOL}, {TICKET}…"]),
                f"`{PROTOCOL}`, and for a browser beside it `{BEARER}<access token>` or `{TICKET}<ticket>`.",
            ),
        ),
        codes=("origin_refused",),
    ),
    ("POST", "/api/v1/live/ticket"): Operation(
        *("makeTicket", TAG, "Make a ticket for a live connection", {200: Answer("Good for one.", _TICKET)}),
    ),
    ("GET", "/healthz"): Operation(
        *("isAlive", TAG, "Say whether the process is alive", {200: Answer("It is.", _ALIVE)}), counted=False
    ),
    ("GET", "/readyz"): Operation(
        *("isReady", TAG, "Say whether the server can serve", {200: Answer("It can.", _READY)}),
        codes=("schema_mismatch",),
        counted=False,
    ),
    ("GET", "/api/v1/openapi.json"): Operation(
        "openapi",
        TAG,
        "Give this document",
        {
            200: Answer("OpenAPI 3.1.", anything(), headers=_ETAG),
            304: Answer("Nothing changed."),
        },
        parameters=(_SINCE,),
    ),
    ("GET", "/docs"): _file("docs", "the markup", "text/html"),
    ("GET", "/docs/docs.js"): _file("docsScript", "the script", "text/javascript"),
    ("GET", "/docs/docs.css"): _file("docsStyle", "the style", "text/css"),
}
