"""Every route of the server, on one screen: method, path, handler, and who may ask.

Must not know: what a handler does.
Invariant: a path is written here and nowhere else; a route that does not say who may ask, or names a code that does not exist,
keeps the server from starting (tests/integration/test_permissions.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from erp_core.access import CODES, GUEST, MEMBER, OWN
from erp_core.entities.attachment import ATTACHMENT
from erp_core.numbering import LEASED, NUMBERED
from sync_server.web import (
    auth,
    codes,
    consents,
    desk,
    devices,
    docs_page,
    downloads,
    exchange,
    explain,
    health,
    impounded,
    jobs,
    live,
    me,
    notices,
    numbers,
    openapi,
    passwords,
    policies,
    privacy,
    resolving,
    sessions,
    settlement,
    sync,
    totp,
    tus,
    uploads,
    verify,
    webhook_deliveries,
    webhooks,
)
from sync_server.web.commands import get_commands
from sync_server.web.console import catalogue as console_catalogue
from sync_server.web.console import files as console_files
from sync_server.web.console import health as console_health
from sync_server.web.entity_routes import entity_routes
from sync_server.web.history import get_audit
from sync_server.web.permissions import DECLARED, LOGGED_IN, PUBLIC, Declared, Needs, Open, Route, declared


class UndeclaredRoute(Exception):
    """A route says nothing, or nothing that is known, of who may ask."""


_LEASERS: Final = tuple(dict.fromkeys(code for kind in LEASED for code in NUMBERED[kind].access.create))
_MAKERS: Final = ATTACHMENT.access.update
_DELIVERIES: Final = "/api/v1/webhooks/{webhook_id}/deliveries"

ROUTES: Final[Sequence[Route]] = (
    Route("GET", "/healthz", health.is_alive, PUBLIC),
    Route("GET", "/readyz", health.is_ready, PUBLIC),
    Route("GET", "/docs", docs_page.get_page, PUBLIC),
    Route("GET", "/docs/docs.js", docs_page.get_script, PUBLIC),
    Route("GET", "/docs/docs.css", docs_page.get_style, PUBLIC),
    Route("GET", "/console", console_files.get_page, PUBLIC),
    Route("GET", "/console/{version}/{name}", console_files.get_part, PUBLIC),
    Route("POST", "/api/v1/auth/login", auth.log_in, PUBLIC),
    Route("POST", "/api/v1/auth/refresh", auth.refresh, PUBLIC),
    Route("POST", "/api/v1/auth/logout", auth.log_out, LOGGED_IN),
    Route("POST", "/api/v1/auth/code", codes.ask, PUBLIC),
    Route("POST", "/api/v1/auth/code/verify", codes.verify, PUBLIC),
    Route("POST", "/api/v1/auth/phone", codes.ask_to_move, LOGGED_IN),
    Route("POST", "/api/v1/auth/phone/verify", codes.move, LOGGED_IN),
    Route("POST", "/api/v1/auth/totp", totp.enrol, LOGGED_IN),
    Route("POST", "/api/v1/auth/totp/confirm", totp.confirm, LOGGED_IN),
    Route("POST", "/api/v1/auth/totp/disable", totp.disable, LOGGED_IN),
    Route("GET", "/api/v1/auth/sessions", sessions.list_own, LOGGED_IN),
    Route("DELETE", "/api/v1/auth/sessions", sessions.end_all_own, LOGGED_IN),
    Route("DELETE", "/api/v1/auth/sessions/{session_id}", sessions.end_own, LOGGED_IN),
    Route("POST", "/api/v1/auth/password", passwords.change, LOGGED_IN),
    Route("POST", "/api/v1/auth/password/reset", passwords.use_reset, PUBLIC),
    Route("GET", "/api/v1/users/{user_id}/sessions", sessions.list_of_user, ("session.read",)),
    Route("DELETE", "/api/v1/users/{user_id}/sessions", sessions.end_all_of_user, ("session.revoke",)),
    Route("DELETE", "/api/v1/users/{user_id}/sessions/{session_id}", sessions.end_one_of_user, ("session.revoke",)),
    Route("POST", "/api/v1/users/{user_id}/password", passwords.give_reset, ("user.update",)),
    Route("DELETE", "/api/v1/users/{user_id}/totp", totp.take_away, ("user.update",)),
    Route("GET", "/api/v1/me", me.who_am_i, LOGGED_IN),
    Route("GET", "/api/v1/me/notices", notices.get_wishes, LOGGED_IN),
    Route("PUT", "/api/v1/me/notices", notices.put_wishes, LOGGED_IN),
    Route("PUT", "/api/v1/me/push-address", notices.put_address, LOGGED_IN),
    Route("DELETE", "/api/v1/me/push-address", notices.remove_address, LOGGED_IN),
    Route("GET", "/api/v1/me/consents", consents.get_consents, ("privacy.consent",)),
    Route("PUT", "/api/v1/me/consents/{purpose}", consents.put_consent, ("privacy.consent",)),
    Route("GET", "/api/v1/privacy/retention", consents.get_retention, ("privacy.retention",)),
    Route("GET", "/api/v1/catalogue", console_catalogue.get_catalogue, LOGGED_IN),
    Route("GET", "/api/v1/commands", get_commands, LOGGED_IN),
    Route("GET", "/api/v1/openapi.json", openapi.get_document, LOGGED_IN),
    Route("GET", "/api/v1/audit", get_audit, ("audit.read",), by_engine=True),
    Route("GET", "/api/v1/privacy/requests", privacy.list_requests, LOGGED_IN),
    Route("POST", "/api/v1/privacy/requests", privacy.ask, ("privacy.erase_request",)),
    Route("GET", "/api/v1/privacy/requests/{request_id}", privacy.get_request, LOGGED_IN),
    Route("POST", "/api/v1/privacy/requests/{request_id}/approve", privacy.approve, ("privacy.erase_approve",)),
    Route("POST", "/api/v1/privacy/requests/{request_id}/refuse", privacy.refuse, ("privacy.erase_approve",)),
    Route("GET", "/api/v1/privacy/export", privacy.export, ("privacy.export_own", "privacy.export_any")),
    Route("GET", "/api/v1/devices", devices.list_devices, LOGGED_IN),
    Route("GET", "/api/v1/devices/{device_id}", devices.get_device, LOGGED_IN),
    Route("PATCH", "/api/v1/devices/{device_id}", devices.rename, LOGGED_IN),
    Route("POST", "/api/v1/devices/{device_id}/revoke", devices.revoke, LOGGED_IN),
    Route("POST", "/api/v1/devices/{device_id}/wipe", devices.order_wipe, LOGGED_IN),
    Route("GET", "/api/v1/devices/{device_id}/impounded", impounded.list_impounded, ("device.manage",)),
    Route("GET", "/api/v1/devices/{device_id}/impounded/{push_id}", impounded.get_impounded, ("device.manage",)),
    Route("POST", "/api/v1/devices/{device_id}/impounded/{push_id}/release", impounded.release, ("device.manage",)),
    Route("POST", "/api/v1/devices/{device_id}/impounded/{push_id}/discard", impounded.discard, ("device.manage",)),
    Route("GET", "/api/v1/devices/{device_id}/timeline", console_health.get_timeline, ("device.manage",)),
    Route("POST", "/api/v1/numbers/lease", numbers.lease, _LEASERS),
    Route("POST", "/api/v1/numbers/return", numbers.give_back, LOGGED_IN),
    Route("GET", "/api/v1/series/{series_id}/numbers", numbers.get_report, ("series.manage", "audit.read")),
    Route("POST", "/api/v1/series/{series_id}/gaps", numbers.give_reason, ("series.manage",)),
    Route("GET", "/api/v1/live", live.get_live, LOGGED_IN),
    Route("POST", "/api/v1/live/ticket", live.post_ticket, LOGGED_IN),
    Route("GET", "/api/v1/sync", sync.get_sync, ("sync.use",), by_engine=True),
    Route("POST", "/api/v1/sync", sync.post_sync, ("sync.use",), by_engine=True),
    Route("POST", "/api/v1/sync/exchange", exchange.post_exchange, ("sync.use",), by_engine=True),
    Route("POST", "/api/v1/sync/issues/{id}/resolve", resolving.post_resolve, (OWN, "sync.resolve")),
    Route("POST", "/api/v1/sync/verify", verify.post_verify, ("sync.use",)),
    Route("GET", "/api/v1/sync/explain", explain.get_explain, LOGGED_IN),
    Route("GET", "/api/v1/sync/health", console_health.get_health, ("device.manage",)),
    Route("GET", "/api/v1/sync/schema", sync.get_schema, LOGGED_IN),
    Route("GET", "/api/v1/sync/policies", policies.get_policies, LOGGED_IN),
    Route("GET", "/api/v1/trades/{id}/settlement", settlement.get_settlement, ("desk.read",), by_engine=True),
    Route("GET", "/api/v1/desk/positions", desk.get_positions, ("desk.read",), by_engine=True),
    Route("GET", "/api/v1/desk/exposure", desk.get_exposure, ("desk.read",), by_engine=True),
    Route("GET", "/api/v1/desk/deliveries", desk.get_deliveries, ("desk.read",), by_engine=True),
    Route("GET", "/api/v1/desk/ageing", desk.get_ageing, ("desk.read",), by_engine=True),
    Route("GET", "/api/v1/jobs", jobs.list_jobs, ("setting.update",)),
    Route("GET", "/api/v1/jobs/dead", jobs.list_dead, ("setting.update",)),
    Route("POST", "/api/v1/jobs/dead/{job_id}/retry", jobs.retry_dead, ("setting.update",)),
    Route("GET", "/api/v1/webhooks", webhooks.list_webhooks, ("setting.update",)),
    Route("POST", "/api/v1/webhooks", webhooks.make_webhook, ("setting.update",)),
    Route("GET", "/api/v1/webhooks/{webhook_id}", webhooks.get_webhook, ("setting.update",)),
    Route("PATCH", "/api/v1/webhooks/{webhook_id}", webhooks.change_webhook, ("setting.update",)),
    Route("DELETE", "/api/v1/webhooks/{webhook_id}", webhooks.remove_webhook, ("setting.update",)),
    Route("POST", "/api/v1/webhooks/{webhook_id}/secret", webhooks.rotate_secret, ("setting.update",)),
    Route("POST", "/api/v1/webhooks/{webhook_id}/ping", webhooks.ping_webhook, ("setting.update",)),
    Route("POST", "/api/v1/webhooks/{webhook_id}/redeliver", webhook_deliveries.send_dead_again, ("setting.update",)),
    Route("GET", _DELIVERIES, webhook_deliveries.list_deliveries, ("setting.update",)),
    Route("POST", f"{_DELIVERIES}/{{delivery_id}}/redeliver", webhook_deliveries.send_again, ("setting.update",)),
    Route("OPTIONS", tus.PATH, uploads.options, LOGGED_IN),
    Route("POST", tus.PATH, uploads.create, _MAKERS),
    Route("GET", tus.PATH, uploads.get, _MAKERS),
    Route("PATCH", tus.PATH, uploads.append, _MAKERS),
    Route("DELETE", tus.PATH, uploads.terminate, _MAKERS),
    Route("POST", "/api/v1/attachments/{id}/link", downloads.make_link, ATTACHMENT.access.read),
    Route("GET", downloads.PATH, downloads.get_file, PUBLIC),
    *entity_routes(),
)

ONLY_GET: Final = frozenset({"/api/v1/sync", "/api/v1/live"})
"""Paths that do not answer HEAD: it would cost what a pull costs, or open a connection."""

_KNOWN: Final = CODES | {MEMBER, GUEST, OWN}


def add_routes(app: web.Application, routes: Sequence[Route] = ROUTES) -> None:
    """Give `app` its routes. Raises `UndeclaredRoute` if one does not say who may ask."""
    for route in routes:
        _check_needs(route)
    app[DECLARED] = Declared({(route.method, route.path): route for route in routes})
    for route in routes:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler, allow_head=route.path not in ONLY_GET)
        else:
            app.router.add_route(route.method, route.path, route.handler)
    app.on_startup.append(check_declared)


def _check_needs(route: Route) -> None:
    needs: Needs = route.needs
    if isinstance(needs, Open):
        return
    if not isinstance(needs, tuple) or not needs or not set(needs) <= _KNOWN:
        raise UndeclaredRoute(f"{route.method} {route.path} needs {needs!r}, which no permission is")


async def check_declared(app: web.Application) -> None:
    """Raise `UndeclaredRoute` if `app` has a route that is not in its table; at start."""
    for route in app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        if declared(app[DECLARED], route.method, path) is None:
            raise UndeclaredRoute(f"{route.method} {path} does not say who may ask")


def public_paths(routes: Sequence[Route] = ROUTES) -> tuple[str, ...]:
    """Give anchored patterns of the paths that need no token. Raises `UndeclaredRoute` if another method of one does."""
    public = {route.path for route in routes if route.needs is PUBLIC}
    for route in routes:
        if route.path in public and route.needs is not PUBLIC:
            raise UndeclaredRoute(f"{route.path} is public for one method and not for {route.method}")
    return tuple(rf"^{_pattern(path)}\Z" for path in sorted(public))  # \Z, as $ would let a line break follow


def _pattern(path: str) -> str:
    """Write the pattern of a path; a part in braces is anything without a slash, as the router has it."""
    return "[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", path))
