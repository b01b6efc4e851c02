"""Resolutions over HTTP: an issue is settled.

Owns: the path from a request to engine/resolving.py and back.
Must not know: what a resolution does.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from sync_server.engine import office
from sync_server.engine.resolving import Choice, How, IssueClosed, resolve
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.records import told_apart
from sync_server.wire import resolving as wire
from sync_server.wire.problems import Problem
from sync_server.wire.records import read_if_match
from sync_server.wire.strict_json import loads


async def post_resolve(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/sync/issues/{id}/resolve; `If-Match`: only if the issue is still as it was read."""
    app, actor = request.app, request[keys.ACTOR]
    base = read_if_match(request.headers.get("If-Match"))
    asked = wire.read_resolution(loads(await read_body(request, app[keys.SETTINGS])))
    choice = Choice(How(asked.how), asked.values)
    with _told(asked):
        settled = await resolve(app[keys.DATABASE], app[keys.STANDINGS], actor, request.match_info["id"], choice, base)
    return await send_json(request, wire.write_settled(settled.issue, settled.record))


@contextmanager
def _told(asked: wire.Resolution) -> Iterator[None]:
    """Turn what a resolution raises into problems."""
    with told_apart():
        try:
            yield
        except IssueClosed:
            raise Problem("issue_closed") from None
        except office.Refused as refused:
            raise asked.refusal(refused.reasons) from None
