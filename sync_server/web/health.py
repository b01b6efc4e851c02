"""Health: is the process alive, and can it serve.

Owns: what a load balancer and an operator are told.
Must not know: how a schema is compared (operate/standing.py).
Invariant: `/healthz` touches nothing that can be slow or away, so that a database outage never gets processes killed;
`/readyz` says 503 whenever a sync would fail (tests/integration/test_serving.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from aiohttp import web

from sync_server.operate.standing import judge
from sync_server.store.schema import read_schema
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.wire.problems import Problem

ANSWER_SECONDS_MAX: Final = 5
"""A probe that waits longer has given up."""


async def is_alive(request: web.Request) -> web.StreamResponse:
    """GET /healthz: the process answers."""
    return await send_json(request, b'{"status":"alive"}')


async def is_ready(request: web.Request) -> web.StreamResponse:
    """GET /readyz: the database answers and its schema is one this program can work on; else a 503 problem.

    The problem's `schema` is behind, ahead or altered; what was altered only `cotton-sync migrate check` tells.
    """
    async with asyncio.timeout(ANSWER_SECONDS_MAX), request.app[keys.DATABASE].acquire_everywhere() as connection:
        report = judge(await read_schema(connection))
    schema = {"schema": report.state.value, "revision": report.revision, "head": report.head}
    if not report.ready:
        raise Problem(
            "schema_mismatch", f"The schema is {report.state.value}; see `cotton-sync migrate check`.", **schema
        )
    return await send_json(request, orjson.dumps({"status": "ready", **schema}))
