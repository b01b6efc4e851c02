"""Jobs over HTTP: what waits and runs for the organisation, what failed for good, and asking for that again.

Owns: the JSON of it.
Must not know: SQL, what a job does.
Invariant: it is for who has setting.update, and of their organisation only (tests/integration/test_jobs_api.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from sync_server.store import jobs as store
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import unit_of_work
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem

NO_SUCH_JOB = "There is no such job among those that failed for good."


async def list_jobs(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/jobs: what waits and runs, the soonest first; 200 at most."""
    async with request.app[keys.DATABASE].acquire(request[keys.ACTOR].org_id) as connection:
        found = await store.list_jobs(connection)
    listed = [
        {"id": one.id, "kind": one.kind, "state": one.state, "failures": one.attempts}
        | {"asked_at": milliseconds(one.asked_at), "due_at": milliseconds(one.due_at)}
        for one in found
    ]
    return await send_json(request, orjson.dumps({"jobs": listed}))


async def list_dead(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/jobs/dead: what failed for good, the newest first; 200 at most."""
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        found = await store.list_dead(connection, org_id)
    listed = [
        {"id": one.id, "kind": one.kind, "failures": one.attempts, "error": one.error}
        | {"asked_at": milliseconds(one.asked_at), "died_at": milliseconds(one.died_at)}
        for one in found
    ]
    return await send_json(request, orjson.dumps({"jobs": listed}))


async def retry_dead(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/jobs/dead/{job_id}/retry: ask for it again, as if for the first time."""
    org_id, said = request[keys.ACTOR].org_id, request.match_info["job_id"]
    id = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0

    async def work(connection: Connection) -> bool:
        return await store.revive(connection, org_id, id)

    if not await unit_of_work(request.app[keys.DATABASE], org_id, work):
        raise Problem("not_found", NO_SUCH_JOB)
    return web.Response(status=204)
