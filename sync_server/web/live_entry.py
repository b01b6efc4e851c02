"""The way into a live connection: what a browser can say of who it is, whose page it is, and whether there is room.

Owns: the token or ticket among the subprotocols, the check of the origin, the refusals before the upgrade.
Must not know: what a token holds (bearer.py), what happens on the connection.
Invariant: no token is taken from a URL; a ticket may stand there, as it opens one connection once; what a page says in its
subprotocols is neither repeated nor logged (tests/integration/test_live_entry.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from aiohttp import web

from sync_server.config_lists import read_origins
from sync_server.live.admission import Full
from sync_server.web import keys
from sync_server.web.hall import Hall
from sync_server.web.headers import come_back
from sync_server.web.origins import is_ours
from sync_server.web.proxies import client_network
from sync_server.wire.live import BEARER, PROTOCOL, TICKET
from sync_server.wire.problems import Problem

LIVE: Final = "/api/v1/live"
FULL_SECONDS: Final = 30.0
"""When there may be room again for somebody who has as many connections as they may have."""

log = structlog.get_logger(__name__)


def token_of(request: web.Request) -> str:
    """Give the token that the subprotocols of a live connection carry, "" if there is none."""
    return _offered(request, BEARER)


def ticket_of(request: web.Request) -> str:
    """Give the ticket of a live connection, of its subprotocols or its query, "" if there is none."""
    if request.path != LIVE:
        return ""
    return _offered(request, TICKET) or request.query.get("ticket", "")


def _offers(request: web.Request) -> list[str]:
    return [offer.strip() for offer in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if offer.strip()]


def _offered(request: web.Request, prefix: str) -> str:
    if request.path != LIVE:
        return ""
    return next((offer.removeprefix(prefix) for offer in _offers(request) if offer.startswith(prefix)), "")


def check_upgrade(request: web.Request, ws: web.WebSocketResponse) -> None:
    """Raise `Problem` unless this is the upgrade of a client of ours."""
    allowed = read_origins(request.app[keys.SETTINGS].cors_origins)
    if "Origin" in request.headers and not is_ours(request, allowed):
        log.warning("auth_refused", reason="origin_refused", address=request[keys.ADDRESS])
        raise Problem("origin_refused")
    offers = _offers(request)
    # aiohttp would log offers of which it knows none, a token among them.
    if offers and PROTOCOL not in offers:
        raise Problem("bad_request", f"Offer the subprotocol {PROTOCOL}.")
    if not ws.can_prepare(request):
        raise Problem("bad_request", "This address is opened as a WebSocket.")


@contextmanager
def admitted(hall: Hall, request: web.Request) -> Iterator[None]:
    """Hold a place in the hall. Raises `Problem`: busy, too_many_requests, shutting_down."""
    if hall.stopping:
        raise Problem("shutting_down")
    wait = hall.bucket.ask(time.monotonic())
    if wait > 0:
        raise Problem("busy", retry_after=come_back(wait))
    actor = request[keys.ACTOR]
    whole = f"{actor.org_id}/"
    names = {
        "user": whole + actor.user_id,
        "organisation": actor.org_id,
        "address": client_network(request[keys.ADDRESS]),
    }
    if actor.device_id:
        names["device"] = whole + actor.device_id
    try:
        with hall.places.taken(names):
            yield
    except Full as full:
        log.warning("limited", bucket="live", kind=full.kind, who=names[full.kind])
        raise Problem("too_many_requests", limit="live", retry_after=come_back(FULL_SECONDS)) from None
