"""Login, refresh and logout over HTTP.

Owns: the way from a request to identity and back.
Must not know: how a password or a token is checked.
Invariant: a refusal says nothing of why (tests/integration/test_login.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.identity import login, refreshing, sessions
from sync_server.web import keys
from sync_server.web.logins import address_of, answer_grant, device_of, read_object, text_of, told_apart


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/login `{username, password, code?, device?}`."""
    asked = await read_object(request, "username", "password")
    app = request.app
    with told_apart():
        grant = await login.log_in(
            *(app[keys.DATABASE], app[keys.TOKENS]),
            username=asked["username"],
            password=asked["password"],
            device=device_of(asked),
            refresh_days=app[keys.SETTINGS].refresh_token_days,
            address=address_of(request),
            second=app[keys.SECOND],
            code=text_of(asked, "code"),
        )
    return await answer_grant(request, grant, "login_refused")


async def refresh(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/refresh `{refresh_token}`, with a DPoP header if the device registered a key."""
    asked = await read_object(request, "refresh_token")
    app = request.app
    grant = await refreshing.refresh(
        *(app[keys.DATABASE], app[keys.TOKENS]),
        refresh_token=asked["refresh_token"],
        refresh_days=app[keys.SETTINGS].refresh_token_days,
        proof=request.headers.get("DPoP", ""),
        method=request.method,
        path=request.path,
        address=address_of(request),
    )
    return await answer_grant(request, grant, "refresh_refused")


async def log_out(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/logout: end the session that asks."""
    actor = request[keys.ACTOR]
    await sessions.end_sessions(
        *(request.app[keys.DATABASE], actor.org_id, actor.user_id),
        ended_by="logout",
        by=actor.user_id,
        only=actor.session_id,
        address=address_of(request),
    )
    request.app[keys.SESSIONS].forget(actor.org_id, [actor.session_id])
    return web.Response(status=204)
