"""The way in: by header, by subprotocol, by a ticket that is used once; never by a token in a URL, nor from a foreign page."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from sync_server.identity.tickets import Tickets
from sync_server.store.database import Database
from sync_server.web import keys
from sync_server.wire.live import PROTOCOL
from tests.harness.listeners import listening, refusal
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import House

LIVE = "/api/v1/live"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    return await at_desk(server, house, "agent1")


def token(clerk: Clerk) -> str:
    return clerk.headers["Authorization"].removeprefix("Bearer ")


async def ticket(clerk: Clerk) -> str:
    answer = await clerk.ask("POST", "/live/ticket", {})
    assert answer.status == 200
    assert answer.json["expires_in"] == 30
    return str(answer.json["ticket"])


def offering(*offers: str) -> dict[str, str]:
    return {"Sec-WebSocket-Protocol": ", ".join((PROTOCOL, *offers))}


async def test_by_header(server: Server, clerk: Clerk) -> None:
    async with listening(server, clerk.headers) as ear:
        assert ear.frames[0]["type"] == "hello"


async def test_by_subprotocol_which_is_not_repeated(server: Server, clerk: Clerk) -> None:
    async with listening(server, protocols=(PROTOCOL, f"cotton.bearer.{token(clerk)}")) as ear:
        assert ear.ws.protocol == PROTOCOL


async def test_by_ticket_in_the_subprotocol_or_the_address(server: Server, clerk: Clerk) -> None:
    async with listening(server, protocols=(PROTOCOL, f"cotton.ticket.{await ticket(clerk)}")):
        pass
    async with listening(server, path=f"{LIVE}?ticket={await ticket(clerk)}"):
        pass


async def test_ticket_is_used_once(server: Server, clerk: Clerk) -> None:
    used = await ticket(clerk)
    async with listening(server, path=f"{LIVE}?ticket={used}"):
        pass

    assert await refusal(server, path=f"{LIVE}?ticket={used}") == (401, "token_refused")


async def test_ticket_is_used_once_by_all_processes(
    server: Server, clerk: Clerk, database_url: str, tmp_path: Path
) -> None:
    used = await ticket(clerk)
    async with serve_here(database_url, tmp_path) as second:  # the same folder of keys
        async with listening(second, path=f"{LIVE}?ticket={used}"):
            pass
        assert await refusal(server, path=f"{LIVE}?ticket={used}") == (401, "token_refused")


async def test_ticket_is_good_for_thirty_seconds(server: Server, clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("sync_server.identity.tickets.time.time", lambda: now - 31)
    old = Tickets(server.app[keys.TOKENS].ring).issue(clerk.actor, int(now) + 600) if server.app else ""
    monkeypatch.undo()

    assert await refusal(server, path=f"{LIVE}?ticket={old}") == (401, "token_refused")


async def test_ticket_opens_nothing_else(server: Server, clerk: Clerk) -> None:
    async with server.session.get("/api/v1/me", headers={"Authorization": f"Bearer {await ticket(clerk)}"}) as answer:
        assert answer.status == 401
    async with server.session.get(f"/api/v1/me?ticket={await ticket(clerk)}") as answer:
        assert answer.status == 401


async def test_ticket_is_of_a_session_that_lives(server: Server, clerk: Clerk, house: House) -> None:
    given = await ticket(clerk)
    await house.fetch("UPDATE session SET revoked_at = now() WHERE id = $1", clerk.actor.session_id)
    assert server.app is not None
    server.app[keys.SESSIONS].forget(house.org_id, [clerk.actor.session_id])

    assert await refusal(server, path=f"{LIVE}?ticket={given}") == (401, "session_ended")


@pytest.mark.parametrize("name", ["token", "access_token", "ticket", "bearer", "authorization"])
async def test_token_in_a_url_is_no_token(server: Server, clerk: Clerk, name: str) -> None:
    status, code = await refusal(server, path=f"{LIVE}?{name}={token(clerk)}")

    assert (status, code) == (401, "token_refused" if name == "ticket" else "unauthenticated")


async def test_token_of_another_kind_is_no_ticket(server: Server, clerk: Clerk) -> None:
    assert server.app is not None
    key = server.app[keys.TOKENS].ring.signing()
    claims: dict[str, Any] = jwt.decode(await ticket(clerk), options={"verify_signature": False})
    forged = [
        jwt.encode(
            claims,
            "secret-of-mine-that-is-long-enough-for-hs256",
            "HS256",
            {"kid": key.key_id, "typ": "live-ticket+jwt"},
        ),
        jwt.encode(claims, key.key, "ES256", {"kid": key.key_id, "typ": "at+jwt"}),
        jwt.encode(
            {**claims, "aud": "cotton-sync-api"}, key.key, "ES256", {"kid": key.key_id, "typ": "live-ticket+jwt"}
        ),
        jwt.encode(
            {k: v for k, v in claims.items() if k != "exp"},
            key.key,
            "ES256",
            {"kid": key.key_id, "typ": "live-ticket+jwt"},
        ),
        "x",
        "a.b.c",
        "é",
    ]
    for ticket_like in forged:
        assert await refusal(server, path=f"{LIVE}?ticket={ticket_like}") == (401, "token_refused"), ticket_like


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("https://console.example.com", 101), ("own", 101)],
)
async def test_origin_is_checked_when_there_is_one(
    house: House, database_url: str, tmp_path: Path, origin: str, status: int
) -> None:
    async with serve_here(database_url, tmp_path, cors_origins="https://console.example.com") as server:
        clerk = await at_desk(server, house, "agent1")
        headers = {**clerk.headers, "Origin": server.url if origin == "own" else origin}
        assert (await refusal(server, headers))[0] == status


async def test_who_says_nothing_is_refused(server: Server) -> None:
    assert await refusal(server) == (401, "unauthenticated")


async def test_what_is_no_upgrade_is_told_so(server: Server, clerk: Clerk) -> None:
    answer = await clerk.ask("GET", "/live")
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


async def test_offers_of_strangers_are_refused_and_never_logged(
    server: Server, clerk: Clerk, lines: io.StringIO
) -> None:
    """aiohttp logs subprotocols of which it knows none."""
    secret = f"cotton.bearer.{token(clerk)}"
    status, code = await refusal(server, {"Sec-WebSocket-Protocol": secret})
    await refusal(server, offering(secret))
    await refusal(server, path=f"{LIVE}?ticket={await ticket(clerk)}")

    assert (status, code) == (400, "bad_request")
    assert token(clerk) not in lines.getvalue()
    assert "ticket=" not in lines.getvalue()


async def test_compression_is_not_agreed_to(server: Server, clerk: Clerk) -> None:
    async with listening(server, clerk.headers, compress=15) as ear:
        assert not ear.ws.compress
