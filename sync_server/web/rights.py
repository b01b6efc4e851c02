"""Rights over HTTP: whether the asker has a code, and whether it reaches the person whom a path names.

Owns: the refusals.
Must not know: how entitlements are worked out (engine/entitlements.py).
Invariant: nobody takes over, or shuts out, a person who may do more than they themselves (tests/integration/test_sessions.py).
"""

from __future__ import annotations

from aiohttp import web

from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import reaches as reaches
from sync_server.engine.reading import entitled_now
from sync_server.store.actor import Actor
from sync_server.web import keys
from sync_server.wire.problems import Problem

NO_SUCH_USER = "There is no such user, or it is not for you to act on."


async def entitlements_of(request: web.Request, *user_ids: str) -> list[Entitlements]:
    """Work out what users of the asker's organisation are entitled to now, in their order."""
    org_id, app = request[keys.ACTOR].org_id, request.app
    async with app[keys.DATABASE].acquire(org_id) as connection:
        standings = app[keys.STANDINGS]
        return [await entitled_now(connection, standings, Actor(org_id, user_id, "")) for user_id in user_ids]


async def require(request: web.Request, code: str) -> None:
    """Raise `Problem` unless the asker has `code`."""
    (own,) = await entitlements_of(request, request[keys.ACTOR].user_id)
    if not own.has(code):
        raise Problem("forbidden")


async def require_over(request: web.Request, code: str, user_id: str) -> None:
    """Raise `Problem` unless the asker has `code` and, wherever the other has a code of the house, that code too."""
    own, other = await entitlements_of(request, request[keys.ACTOR].user_id, user_id)
    if not own.has(code):
        raise Problem("forbidden")
    if not reaches(own, other):
        raise Problem("not_found", NO_SUCH_USER)
