"""Fresh logins over HTTP, for what may be done only by somebody who has just logged in.

Must not know: what is to be done.
Invariant: see identity/freshness.py.
"""

from __future__ import annotations

from aiohttp import web

from sync_server.identity.freshness import MINUTES, fresh_within
from sync_server.web import keys
from sync_server.wire.problems import Problem


async def require_fresh(request: web.Request, minutes: float = MINUTES) -> None:
    """Raise `Problem` unless the asker's session began with a login within so many minutes. Cost: one statement."""
    if not await fresh_within(request.app[keys.DATABASE], request[keys.ACTOR], minutes):
        raise Problem("fresh_login_needed")
