"""Passwords over HTTP: changed by their owner, reset by a token that an administrator gives.

Owns: the JSON of both.
Must not know: what makes a password good.
Invariant: no password and no token is ever in an answer but the reset, once (tests/integration/test_passwords.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from sync_server.identity import changing
from sync_server.identity.guesses import TooManyGuesses
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.logins import address_of, read_object, too_many
from sync_server.web.rights import NO_SUCH_USER, require_over
from sync_server.wire.problems import Problem, pointer


async def change(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/password `{old_password, new_password}`; the other sessions end."""
    asked = await read_object(request, "old_password", "new_password")
    actor, app, address = request[keys.ACTOR], request.app, address_of(request)
    old, new = asked["old_password"], asked["new_password"]
    try:
        ended = await changing.change_password(app[keys.DATABASE], actor, old=old, new=new, address=address)
    except changing.Refused:
        raise Problem("password_refused", pointer=pointer("old_password")) from None
    except changing.WeakPassword as weak:
        raise Problem("invalid_value", str(weak), pointer=pointer("new_password")) from None
    except TooManyGuesses as guesses:
        raise too_many(guesses) from None
    app[keys.SESSIONS].forget(actor.org_id, ended)
    return await send_json(request, orjson.dumps({"ended": len(ended)}))


async def give_reset(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/users/{user_id}/password, for who has user.update: make the token that sets a password, once."""
    user_id, address = request.match_info["user_id"], address_of(request)
    await require_over(request, "user.update", user_id)
    token = await changing.give_reset(request.app[keys.DATABASE], request[keys.ACTOR], user_id, address=address)
    if token is None:
        raise Problem("not_found", NO_SUCH_USER)
    seconds = round(changing.RESET_LIFE.total_seconds())
    return await send_json(request, orjson.dumps({"token": str(token), "expires_in": seconds}))


async def use_reset(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/password/reset `{token, password}`; all sessions end."""
    asked = await read_object(request, "token", "password")
    app, address = request.app, address_of(request)
    try:
        ended = await changing.use_reset(
            app[keys.DATABASE], token=asked["token"], password=asked["password"], address=address
        )
    except changing.Refused:
        raise Problem("reset_refused") from None
    except changing.WeakPassword as weak:
        raise Problem("invalid_value", str(weak), pointer=pointer("password")) from None
    for org_id, id in ended:
        app[keys.SESSIONS].forget(org_id, [id])
    return web.Response(status=204)
