"""Second factors over HTTP: set up, put into force, taken away.

Owns: the JSON of all three.
Must not know: how a code is checked, or who reaches whom (rights.py).
Invariant: a secret and recovery codes are in one answer each, and never again (tests/integration/test_totp.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from sync_server.identity import totp
from sync_server.store import people
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.fresh import require_fresh
from sync_server.web.logins import address_of, read_object, told_apart
from sync_server.web.rights import require_over
from sync_server.wire.problems import Problem, pointer


async def enrol(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/totp: make a secret for the asker's authenticator app; needs a fresh login."""
    actor, app = request[keys.ACTOR], request.app
    await require_fresh(request)
    async with app[keys.DATABASE].acquire(actor.org_id) as connection:
        person = await people.read_person(connection, actor.org_id, actor.user_id)
    name = "" if person is None else person.username
    made = await totp.enrol(app[keys.DATABASE], app[keys.SECOND].secret, actor, name)
    if made is None:
        raise Problem("second_factor_exists")
    return await send_json(request, orjson.dumps({"secret": made.secret, "uri": made.uri}))


async def confirm(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/totp/confirm `{code}`: put it into force; gives the recovery codes, this once."""
    asked = await read_object(request, "code")
    actor, app = request[keys.ACTOR], request.app
    secret, address = app[keys.SECOND].secret, address_of(request)
    done = await totp.confirm(app[keys.DATABASE], secret, actor, asked["code"], address=address)
    if done is None:
        raise Problem("wrong_code", pointer=pointer("code"))
    app[keys.SESSIONS].forget(actor.org_id, done.sessions)
    return await send_json(request, orjson.dumps({"recovery_codes": done.recovery_codes}))


async def disable(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/totp/disable `{password, code}`: take the asker's own away."""
    asked = await read_object(request, "password", "code")
    actor, app = request[keys.ACTOR], request.app
    password, code, address = asked["password"], asked["code"], address_of(request)
    with told_apart():
        done = await app[keys.SECOND].disable(app[keys.DATABASE], actor, password=password, code=code, address=address)
    if not done:
        raise Problem("password_refused", "The password is not right, or there is no second factor.")
    return web.Response(status=204)


async def take_away(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/users/{user_id}/totp: for somebody who has lost phone and recovery codes; needs a fresh login."""
    user_id, app = request.match_info["user_id"], request.app
    await require_over(request, "user.update", user_id)
    await require_fresh(request)
    actor, address = request[keys.ACTOR], address_of(request)
    if not await totp.disable(app[keys.DATABASE], actor.org_id, user_id, by=actor, address=address):
        raise Problem("not_found", "There is no such user, or no second factor.")
    return web.Response(status=204)
