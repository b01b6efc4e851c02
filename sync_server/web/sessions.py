"""Sessions over HTTP: a user's own, and those of others for who may look after them.

Owns: the JSON of lists of sessions.
Must not know: how sessions end.
Invariant: a path's user or session is looked up in the asker's organisation only; what is not there and what is another's are
one answer (tests/integration/test_sessions.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from aiohttp import web

from sync_server.identity.sessions import end_sessions
from sync_server.store import sessions as store
from sync_server.store.sessions import Listed
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.logins import address_of
from sync_server.web.rights import require, require_over
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem

KEEP = ("", "current")


async def list_own(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/auth/sessions."""
    return await _list(request, request[keys.ACTOR].user_id)


async def end_own(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/auth/sessions/{session_id}."""
    return await _end(request, request[keys.ACTOR].user_id, "user", only=request.match_info["session_id"])


async def end_all_own(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/auth/sessions, all of them; `?keep=current`: all but the one that asks."""
    keep = request.query.get("keep", "")
    if keep not in KEEP:
        raise Problem("bad_parameter", "keep can only be current.")
    actor = request[keys.ACTOR]
    return await _end(request, actor.user_id, "user", keep=actor.session_id if keep else None)


async def list_of_user(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/users/{user_id}/sessions, for who has session.read."""
    await require(request, "session.read")
    return await _list(request, request.match_info["user_id"])


async def end_one_of_user(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/users/{user_id}/sessions/{session_id}, for who has session.revoke."""
    user_id, session_id = request.match_info["user_id"], request.match_info["session_id"]
    await require_over(request, "session.revoke", user_id)
    return await _end(request, user_id, "administrator", only=session_id)


async def end_all_of_user(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/users/{user_id}/sessions, for who has session.revoke."""
    user_id = request.match_info["user_id"]
    await require_over(request, "session.revoke", user_id)
    return await _end(request, user_id, "administrator")


async def _list(request: web.Request, user_id: str) -> web.StreamResponse:
    actor = request[keys.ACTOR]
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        found = await store.list_sessions(connection, actor.org_id, user_id)
    return await send_json(request, orjson.dumps({"sessions": _written(found, actor.session_id)}))


def _written(found: Sequence[Listed], current: str) -> list[dict[str, object]]:
    return [
        {
            "id": session.id,
            "current": session.id == current,
            "device": {
                "id": session.device_id,
                "name": session.device_name,
                "platform": session.platform,
                "app_version": session.app_version,
            },
            "created_at": milliseconds(session.created_at),
            "last_seen_at": milliseconds(session.last_seen_at),
            "expires_at": milliseconds(session.expires_at),
        }
        for session in found
    ]


async def _end(
    request: web.Request, user_id: str, ended_by: str, *, only: str | None = None, keep: str | None = None
) -> web.StreamResponse:
    actor = request[keys.ACTOR]
    ended = await end_sessions(
        *(request.app[keys.DATABASE], actor.org_id, user_id),
        ended_by=ended_by,
        by=actor.user_id,
        only=only,
        keep=keep,
        address=address_of(request),
    )
    request.app[keys.SESSIONS].forget(actor.org_id, ended)
    if only is not None and not ended:
        raise Problem("not_found", "There is no such session, or it has ended.")
    return await send_json(request, orjson.dumps({"ended": len(ended)}))
