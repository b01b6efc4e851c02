"""Broken HTTP: what is answered when there is no request that a handler could see.

Owns: the answer to bytes that are not HTTP, and to a failure outside of every middleware.
Must not know: routes.
Invariant: it is a problem document with a correlation id like every other; neither it nor the log repeats what was sent,
which may be a password on the wrong line (tests/integration/test_headers.py).

aiohttp answers these itself, with the bytes that it could not read, its name and its version, and logs a traceback of them.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import structlog
from aiohttp import web

from sync_server.web import keys
from sync_server.web.headers import REQUEST_ID, add_always
from sync_server.wire.problems import CONTENT_TYPE, Problem

log = structlog.get_logger(__name__)


class Connection(web.RequestHandler):
    """A connection that says in our words what is wrong with it."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - what aiohttp would have said, with the bytes that were sent
    ) -> web.StreamResponse:
        """Answer what no handler saw, and close the connection. Raises ConnectionError if an answer has begun."""
        correlation_id = request.get(keys.CORRELATION) or uuid.uuid4().hex
        told = {"correlation_id": correlation_id, "address": request.remote}
        if status < 500:
            log.info("request_unreadable", reason=type(exc).__name__, **told)
        else:
            log.error("internal_error", exc_info=exc, **told)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, there cannot be another")
        problem = Problem("bad_request" if status < 500 else "internal_error")
        answer = web.Response(
            body=orjson.dumps(problem.document(correlation_id)), status=problem.status, content_type=CONTENT_TYPE
        )
        answer.headers[REQUEST_ID] = correlation_id
        add_always(answer.headers)
        answer.headers["Server"] = ""  # or aiohttp would name itself: no signal of the application sees this answer
        answer.force_close()
        return answer


class _Server(web.Server):
    def __init__(self, made: web.Server, **settings: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, **settings)
        self._settings = settings

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._settings)


class Runner(web.AppRunner):
    """aiohttp's runner, with connections of ours."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), **self._kwargs)
