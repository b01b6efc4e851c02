"""Who may ask what: every route of the table, by somebody of every role that ships.

What a role admits is worked out here from the role and the route's declaration; the server is asked over real HTTP.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from erp_core.access import GUEST, MEMBER, OWN, ROLES
from sync_server.app import create_app
from sync_server.config import Settings
from sync_server.store.database import Database
from sync_server.web import permissions, routes
from sync_server.web.permissions import LOGGED_IN, PUBLIC, Route
from sync_server.web.routes import ROUTES, UndeclaredRoute, add_routes, check_declared
from tests.harness.office import Answer, Clerk, at_desk, furnish
from tests.harness.servers import Server
from tests.harness.world import House

NEEDS_CODE = [route for route in ROUTES if isinstance(route.needs, tuple)]
PUSH = ("POST", "/api/v1/sync")
"""Refuses record by record, so that a phone hears what becomes of what it still has to send."""


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await furnish(settled)
    for role in ROLES.values():
        await settled.employ(role.id, role.id, **({"partner_id": "p1"} if role.external else {}))
    return settled


def held(role: str) -> set[str]:
    """Give what a role comes to somewhere, with what needs no code."""
    return {*ROLES[role].codes, GUEST, OWN, *(() if ROLES[role].external else (MEMBER,))}


async def ask(clerk: Clerk, route: Route) -> Answer:
    """Ask a route about nothing that is there, so that nothing comes of it."""
    path = re.sub(r"\{\w+\}", "nobody", route.path.removeprefix("/api/v1"))
    body = {"push_id": "p"} if path == "/sync/exchange" else {}  # its shape is read before its author's rights
    return await clerk.ask(route.method, path, body if route.method in ("POST", "PATCH") else None)


def is_refused(answer: Answer) -> bool:
    return (
        answer.status == 403 and answer.json["code"] == "forbidden" and answer.json["detail"].startswith("This needs")
    )


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_admits_whom_it_declares_and_nobody_else(server: Server, house: House, role: str) -> None:
    clerk = await at_desk(server, house, role)
    wrong = []
    for route in NEEDS_CODE:
        admitted = bool(held(role) & set(route.needs if isinstance(route.needs, tuple) else ()))
        answer = await ask(clerk, route)
        if (is_refused(answer) is admitted and (route.method, route.path) != PUSH) or answer.status >= 500:
            wrong.append((route.method, route.path, admitted, answer.status, answer.json))

    assert not wrong
    assert NEEDS_CODE


async def test_who_holds_nothing_is_admitted_nowhere(server: Server, house: House) -> None:
    """Except to a sync, which then is empty: a phone that is left with nothing must be told so."""
    await house.employ("newcomer")
    clerk = await at_desk(server, house, "newcomer")

    for route in NEEDS_CODE:
        answer = await ask(clerk, route)
        assert answer.status == 403 or route.path in ("/api/v1/sync", "/api/v1/sync/exchange"), (route, answer)
    for pulled in (await clerk.ask("GET", "/sync"), await clerk.ask("POST", "/sync/exchange", {"push_id": "p"})):
        assert not any(records for lists in pulled.json["changes"].values() for records in lists.values())


async def test_nobody_is_admitted_without_a_login_but_to_what_is_public(server: Server, house: House) -> None:
    stranger = Clerk(server, house.actor("agent1"))
    for route in ROUTES:
        if route.path.startswith("/api/v1"):
            answer = await ask(stranger, route)
            refused = answer.status == 401 and answer.json["code"] == "unauthenticated"
            assert refused is (route.needs is not PUBLIC), (route, answer)


async def test_refusal_names_the_code_and_is_logged(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "grader")

    with capture_logs() as logged:
        answer = await clerk.ask("PATCH", "/roles/agent", {"title": "x"})

    assert (answer.status, answer.json["detail"]) == (403, "This needs role.update.")
    (line,) = [line for line in logged if line["event"] == "permission_refused"]
    assert (line["user"], line["org"], line["method"], line["path"]) == (
        "grader",
        "org_a",
        "PATCH",
        "/api/v1/roles/agent",
    )
    assert line["needs"] == ["role.update"]


async def test_push_of_who_may_not_sync_changes_nothing(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "accountant")
    lists = {"updated": [{"id": "p1", "remarks": "x"}]}

    answer = await clerk.ask("POST", f"/sync?last_pulled_at={await house.clock()}", {"business_partners": lists})

    assert (answer.status, answer.json) == (200, {"experimentalRejectedIds": {"business_partners": ["p1"]}})
    assert (await house.truth("business_partners"))["p1"]["remarks"] is None


@pytest.mark.parametrize("path", ["/roles", "/users/agent1/sessions"])
async def test_right_that_is_taken_is_gone_with_the_next_request(server: Server, house: House, path: str) -> None:
    await house.employ("short")
    grant = await house.grant("short", "auditor")
    clerk = await at_desk(server, house, "short")
    assert (await clerk.ask("GET", path)).status == 200

    await house.take(grant)

    assert (await clerk.ask("GET", path)).status == 403


# --- A route that says nothing ------------------------------------------------------------------------------------------


async def nothing(_: web.Request) -> web.Response:
    return web.Response()


@pytest.mark.parametrize("needs", [(), ("no.such",), ("role.update", "no.such"), None, "role.update"])
async def test_planted_route_without_a_known_code_keeps_the_server_from_starting(
    needs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = (*ROUTES, Route("GET", "/api/v1/planted", nothing, needs))
    monkeypatch.setattr(routes.add_routes, "__defaults__", (planted,))
    settings: dict[str, Any] = {"data": tmp_path}

    with pytest.raises(UndeclaredRoute):
        create_app(Settings(**settings), "postgresql://nowhere")


async def test_planted_route_beside_the_table_keeps_the_server_from_starting() -> None:
    app = web.Application()
    add_routes(app)
    await check_declared(app)
    app.router.add_get("/api/v1/planted", nothing)

    with pytest.raises(UndeclaredRoute):
        await check_declared(app)
    assert check_declared in app.on_startup


async def test_route_that_is_not_in_the_table_admits_nobody(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = await at_desk(server, house, "administrator")
    monkeypatch.setattr(permissions, "declared", lambda *_: None)

    assert (await clerk.ask("GET", "/me")).status == 403


def test_a_path_is_public_for_all_its_methods_or_for_none() -> None:
    with pytest.raises(UndeclaredRoute):
        routes.public_paths((Route("GET", "/x", nothing, PUBLIC), Route("POST", "/x", nothing, LOGGED_IN)))


async def test_planted_deafness_to_codes_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def admit(*_: object) -> None: ...

    monkeypatch.setattr(permissions, "_check", admit)

    with pytest.raises(AssertionError):
        await test_every_route_admits_whom_it_declares_and_nobody_else(server, house, "grader")
