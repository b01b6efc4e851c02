"""Around every request: its correlation id, its line in the log, and the one mapping from exceptions to problems.

Owns: what a client is told of a failure, and what of it is logged.
Must not know: any route.
Invariant: every answer carries a correlation id; a failure of ours tells the client nothing but that id, and the log
everything under it (tests/unit/test_middleware.py).
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from sync_server.identity.passwords import Overloaded
from sync_server.store.database import DISCONNECTED
from sync_server.store.unit_of_work import Busy
from sync_server.web import keys
from sync_server.web.answers import cut
from sync_server.web.headers import REQUEST_ID, come_back
from sync_server.web.meters import PROBLEMS, count_request
from sync_server.web.proxies import PROXIES, Proxies
from sync_server.wire.problems import CONTENT_TYPE, Problem

_USABLE_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_BY_STATUS: Final[Mapping[int, str]] = {
    404: "not_found",
    405: "method_not_allowed",
    408: "body_incomplete",
    413: "body_too_large",
    415: "unsupported_media_type",
    503: "busy",
}
"""aiohttp's own refusals -> our codes; any other 4xx is a bad_request."""

_REFUSED: Final = frozenset({401, 403})
"""Who was not let in, or may not; each such answer is a line of its own in the log."""

_UNPROXIED: Final = Proxies()

_BUSY: Final = (Busy, Overloaded)
_TIMED_OUT: Final = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)
_NO_DATABASE: Final = (*DISCONNECTED, asyncpg.TooManyConnectionsError)
"""What asyncpg raises while PostgreSQL restarts, refuses connections or is gone."""

log = structlog.get_logger(__name__)


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its correlation id, and the log one line when it is done; outermost."""
    offered = request.headers.get(REQUEST_ID, "")
    correlation_id = offered if _USABLE_ID.fullmatch(offered) else uuid.uuid4().hex
    request[keys.CORRELATION] = correlation_id
    request.app.get(PROXIES, _UNPROXIED).locate(request)
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id, address=request[keys.ADDRESS])
    began = time.perf_counter()
    status = 499  # as nginx logs it: the client left, or the server is stopping
    response: web.StreamResponse | None = None
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        seconds = time.perf_counter() - began
        count_request(request, response, status, seconds)
        log.info("request", **_line(request, status, seconds))
        structlog.contextvars.unbind_contextvars("correlation_id", "address")


def _line(request: web.Request, status: int, seconds: float) -> dict[str, Any]:
    return {**_what(request), "status": status, "ms": round(seconds * 1000, 1), **who(request)}


def _what(request: web.Request) -> dict[str, str]:
    return {"method": request.method, "path": request.path}  # without the query: what is in it belongs to the client


def who(request: web.Request) -> dict[str, str]:
    """Say for a line of the log who asks; nothing before that is known."""
    actor = request.get(keys.ACTOR)
    if actor is None:
        return {}
    named = {"org": actor.org_id, "user": actor.user_id, "session": actor.session_id}
    return {**named, "device": actor.device_id} if actor.device_id else named


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem; inside `observed`, around everything else."""
    try:
        return await handler(request)
    except Exception as fault:
        if keys.STREAM in request and (request.transport is None or request.transport.is_closing()):
            log.info("client_left")  # there is nobody to tell
            return cut(request)
        problem, headers = _problem_of(fault)
        PROBLEMS.add(problem.code)
        if problem.status in _REFUSED:
            log.info("access_refused", reason=problem.code, **_what(request), **who(request))
        if problem.status >= 500:
            log.log(*_severity(problem), exc_info=fault)
        if keys.STREAM in request:
            log.warning("answer_cut", code=problem.code)
            return cut(request)
        return _answer(request, problem, headers)


def _severity(problem: Problem) -> tuple[int, str]:
    return (40, "internal_error") if problem.code == "internal_error" else (30, problem.code)


def _problem_of(fault: Exception) -> tuple[Problem, Mapping[str, str]]:
    match fault:
        case Problem():
            return fault, {}
        case web.HTTPException() if fault.status >= 400:
            code = _BY_STATUS.get(fault.status, "bad_request" if fault.status < 500 else "internal_error")
            return Problem(code), {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else {}
        case _ if isinstance(fault, _BUSY):
            return Problem("busy"), {}
        case _ if isinstance(fault, _TIMED_OUT):
            return Problem("timed_out"), {}
        case _ if isinstance(fault, _NO_DATABASE):
            return Problem("database_unavailable"), {}
    return Problem("internal_error"), {}


_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "unauthenticated": {"WWW-Authenticate": 'Bearer realm="cotton-sync"'},
    "login_refused": {"WWW-Authenticate": 'Bearer realm="cotton-sync"'},
    "refresh_refused": {"WWW-Authenticate": 'Bearer realm="cotton-sync", error="invalid_grant"'},
    "second_factor_needed": {"WWW-Authenticate": 'Bearer realm="cotton-sync"'},
    "session_ended": {"WWW-Authenticate": 'Bearer realm="cotton-sync", error="invalid_token"'},
    "device_wiped": {"WWW-Authenticate": 'Bearer realm="cotton-sync", error="invalid_token"'},
    "token_refused": {"WWW-Authenticate": 'Bearer realm="cotton-sync", error="invalid_token"'},
    "token_expired": {
        "WWW-Authenticate": 'Bearer realm="cotton-sync", error="invalid_token", error_description="expired"'
    },
    "unsupported_coding": {"Accept-Encoding": "zstd, br, gzip, deflate"},
}
"""Headers that belong to a problem: RFC 9110 asks for WWW-Authenticate on 401 and for Accept-Encoding on such a 415."""


_COME_BACK_SECONDS: Final[Mapping[str, float]] = {
    "busy": 1,
    "timed_out": 2,
    "database_unavailable": 2,
    "schema_mismatch": 10,
    "shutting_down": 1,
}
"""When the same request may do better; a problem with a `retry_after` of its own says it itself."""


def _answer(request: web.Request, problem: Problem, headers: Mapping[str, str]) -> web.Response:
    later = _COME_BACK_SECONDS.get(problem.code)
    seconds = problem.extra.get("retry_after") or (later and come_back(later))
    return web.Response(
        body=orjson.dumps(problem.document(request[keys.CORRELATION])),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers={**({"Retry-After": str(seconds)} if seconds else {}), **_HEADERS.get(problem.code, {}), **headers},
    )
