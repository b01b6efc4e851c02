"""Login and refresh over HTTP.

Owns: the JSON of requests and grants.
Must not know: how a password or a token is checked.
Invariant: a refusal says nothing of why (tests/integration/test_login.py).
"""

from __future__ import annotations

from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from sync_server.identity import login
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.wire.problems import Problem, pointer
from sync_server.wire.strict_json import loads

TEXT_MAX: Final = 1_000
"""Characters; longer than any name, password or token of ours."""

log = structlog.get_logger(__name__)


async def log_in(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/login `{username, password}`."""
    asked = await _members(request, "username", "password")
    app = request.app
    days = app[keys.SETTINGS].refresh_token_days
    grant = await login.log_in(app[keys.DATABASE], app[keys.TOKENS], **asked, refresh_days=days)
    return await _answer(request, grant, "login_refused")


async def refresh(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/refresh `{refresh_token}`."""
    asked = await _members(request, "refresh_token")
    app = request.app
    days = app[keys.SETTINGS].refresh_token_days
    grant = await login.refresh(app[keys.DATABASE], app[keys.TOKENS], **asked, refresh_days=days)
    return await _answer(request, grant, "refresh_refused")


async def _members(request: web.Request, *names: str) -> dict[str, Any]:
    """Read the named text members of the body; others are ignored."""
    body = loads(await read_body(request, request.app[keys.SETTINGS]))
    if not isinstance(body, dict):
        raise Problem("wrong_type", f"A JSON object with {' and '.join(names)} is needed.", pointer="")
    for name in names:
        if name not in body:
            raise Problem("missing_field", f"{name} is missing.", pointer=pointer(name))
        if not isinstance(body[name], str):
            raise Problem("wrong_type", f"{name} must be a string.", pointer=pointer(name))
        if len(body[name]) > TEXT_MAX:
            raise Problem("invalid_value", f"{name} is longer than {TEXT_MAX} characters.", pointer=pointer(name))
    return {name: body[name] for name in names}


async def _answer(request: web.Request, grant: login.Grant | None, refusal: str) -> web.StreamResponse:
    if grant is None:
        log.info("auth_refused", reason=refusal)
        raise Problem(refusal)
    log.info("auth_granted", org=grant.actor.org_id, user=grant.actor.user_id, session=grant.actor.session_id)
    document = {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
    }
    return await send_json(request, orjson.dumps(document))
