"""What the web counts of itself: requests by hop, their time and bytes, and the problems that were told.

Owns: the names, and which hop a request is.
Must not know: who reads them, what a handler does.
Invariant: a hop is one of a short list, whatever path a stranger asks for (tests/unit/test_meters.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from sync_server.meters import Counter, Gauge, Histogram
from sync_server.wire.problems import REGISTRY

REQUESTS: Final = Counter("cotton_requests_total", "Requests answered, by hop and HTTP status.", ("hop", "status"))
REQUEST_SECONDS: Final = Histogram(
    "cotton_request_seconds", "From the head of a request until its answer is made, or streamed.", ("hop",)
)
REQUEST_BYTES: Final = Counter("cotton_request_bytes_total", "Bytes of request bodies, as they were sent.", ("hop",))
ANSWER_BYTES: Final = Counter("cotton_answer_bytes_total", "Bytes of answers' bodies, as they were sent.", ("hop",))
PROBLEMS: Final = Counter(
    "cotton_problems_total", "Problems told to clients, by their code.", ("code",), known=[(code,) for code in REGISTRY]
)
REDIS_UP: Final = Gauge(
    "cotton_redis_up", "Whether the Redis of shared limits is reached: 1 or 0; not there without one."
)

_EXACT: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "/api/v1/sync"): "pull",
    ("POST", "/api/v1/sync"): "push",
    ("POST", "/api/v1/sync/exchange"): "exchange",
    ("POST", "/api/v1/sync/verify"): "verify",
    ("GET", "/api/v1/live"): "live",
    ("GET", "/healthz"): "health",
    ("GET", "/readyz"): "health",
}
_PREFIXES: Final = (
    ("/api/v1/sync/", "sync"),
    ("/api/v1/auth/", "auth"),
    ("/api/v1/attachments", "attachment"),
    ("/api/v1/live/", "live"),
    ("/api/", "rest"),
    ("/console", "page"),
    ("/docs", "page"),
)
HOPS: Final = frozenset({*_EXACT.values(), *(hop for _, hop in _PREFIXES), "other"})


def hop_of(method: str, path: str) -> str:
    """Say which hop a request is.

    >>> hop_of("GET", "/api/v1/sync"), hop_of("GET", "/api/v1/trades/x1"), hop_of("GET", "/wp-login.php")
    ('pull', 'rest', 'other')
    """
    exact = _EXACT.get((method, path))
    return exact or next((hop for prefix, hop in _PREFIXES if path.startswith(prefix)), "other")


def count_request(request: web.Request, response: web.StreamResponse | None, status: int, seconds: float) -> None:
    """Count a request that is done; `response` None: there is none, the client has left."""
    hop = hop_of(request.method, request.path)
    REQUESTS.add(hop, str(status))
    if hop != "live":  # it lasts as long as somebody listens
        REQUEST_SECONDS.observe(seconds, hop)
    received = request.content.total_bytes  # nothing is decompressed on the way in
    if received:
        REQUEST_BYTES.add(hop, n=received)
    sent = 0 if response is None else _bytes_of(response)
    if sent:
        ANSWER_BYTES.add(hop, n=sent)


def _bytes_of(response: web.StreamResponse) -> int:
    """Give the length of a body: of one that is yet to be sent, or of what was streamed."""
    if isinstance(response, web.Response):
        return response.content_length or 0
    return response.body_length if response.prepared and not isinstance(response, web.WebSocketResponse) else 0
