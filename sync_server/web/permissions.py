"""Permissions: which codes a route asks for, and the refusal of who has none of them.

Owns: the check before a handler runs, and the answer and the line in the log of a refusal, wherever it was decided.
Must not know: any route (routes.py has the table), what a code admits of a record (engine/access.py).
Invariant: a route that is not in the table admits nobody; who has no code of a route never reaches its handler, by what they
are entitled to now and not by what a token says (tests/integration/test_permissions.py).

Routes whose engine reads the clock anyway (`by_engine`) are asked there, inside the unit that they are about: a check here
would cost a round trip and say less.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from erp_core.access import CODES, MEMBER
from sync_server.engine.gate import NotEntitled, require
from sync_server.engine.reading import entitled_now
from sync_server.web import keys
from sync_server.web.middleware import who
from sync_server.wire.problems import Problem


class Open(Enum):
    """What a route asks for instead of a code."""

    PUBLIC = "public"
    LOGGED_IN = "logged in"


PUBLIC: Final = Open.PUBLIC
LOGGED_IN: Final = Open.LOGGED_IN
"""Any live session."""

Needs: TypeAlias = Open | tuple[str, ...]
"""PUBLIC, LOGGED_IN, or the codes of which one suffices, held in any scope."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route; `by_engine`: the engine asks for the codes itself."""

    method: str
    path: str
    handler: Handler
    needs: Needs
    by_engine: bool = False


class Declared(dict[tuple[str, str], Route]):
    """(method, path) -> Route, of every route of an application."""


DECLARED: Final = web.AppKey("declared", Declared)

log = structlog.get_logger(__name__)


@web.middleware
async def permitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler if its route admits who asks; inside `bearer`."""
    resource = request.match_info.route.resource
    if resource is None:
        return await handler(request)  # no route: aiohttp's own 404 or 405
    route = declared(request.app[DECLARED], request.method, resource.canonical)
    try:
        if route is None:
            raise NotEntitled(())
        if isinstance(route.needs, tuple) and not route.by_engine:
            await _check(request, route.needs)
        return await handler(request)
    except NotEntitled as refused:
        codes = [code for code in refused.needs if code in CODES]
        log.info("permission_refused", needs=codes, path=request.path, method=request.method, **who(request))
        named = codes or (["a role of the house"] if MEMBER in refused.needs else [])
        raise Problem("forbidden", f"This needs {' or '.join(named)}." if named else "") from None


def declared(routes: Declared, method: str, path: str) -> Route | None:
    """Find the route of a method and a canonical path; HEAD is asked as GET."""
    return routes.get(("GET" if method == "HEAD" else method, path))


async def _check(request: web.Request, needs: tuple[str, ...]) -> None:
    """Raise `NotEntitled` unless the asker has one of the codes. Cost: one look-up if the standing is remembered."""
    async with request.app[keys.DATABASE].acquire(request[keys.ACTOR].org_id) as connection:
        entitled = await entitled_now(connection, request.app[keys.STANDINGS], request[keys.ACTOR])
    require(entitled, *needs)
