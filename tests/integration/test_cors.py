"""CORS over the whole server: pages of listed origins may read answers, pages of others may not, and forms change nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.servers import Server, serve_here

OURS = "https://console.example.com"
ALSO_OURS = "http://localhost:3000"
STRANGERS = [
    "https://evil.example",
    "https://console.example.com.evil.example",
    "https://evil-console.example.com",
    "https://a.console.example.com",
    "http://console.example.com",
    "https://console.example.com:8443",
    "https://console.example.com/",
    "https://CONSOLE.example.com",
    "null",
    "*",
    "",
    "file://",
]


@pytest.fixture
async def server(demo_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with serve_here(demo_url, tmp_path, cors_origins=f"{OURS}, {ALSO_OURS}") as serving:
        yield serving


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type",
    }


@pytest.mark.parametrize("origin", [OURS, ALSO_OURS])
@pytest.mark.parametrize("path", ["/api/v1/sync", "/api/v1/auth/login", "/api/v1/auth/sessions/x"])
async def test_a_preflight_of_ours_is_answered_without_a_token(server: Server, origin: str, path: str) -> None:
    async with server.session.options(path, headers=preflight(origin, "DELETE")) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "DELETE" in answer.headers["Access-Control-Allow-Methods"].split(", ")
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "content-encoding", "dpop", "cotton-console"} <= set(allowed)
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert 0 < int(answer.headers["Access-Control-Max-Age"]) <= 7200
        assert "Origin" in answer.headers["Vary"]
        assert await answer.read() == b""


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_of_a_stranger_reads_nothing(server: Server, origin: str) -> None:
    bearer = await server.bearer("agent1")
    async with server.session.options("/api/v1/sync", headers=preflight(origin)) as answer:
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert (await answer.json(content_type=None))["code"] == "origin_refused"
    async with server.session.get("/api/v1/sync/schema", headers={**bearer, "Origin": origin}) as answer:
        assert answer.status == 200, "a token was given by hand; it is the browser that keeps the page from reading"
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/sync/schema", 200), ("/api/v1/sync", 400), ("/nothing", 404), ("/healthz", 200)]
)
async def test_a_page_of_ours_reads_answers_and_refusals(server: Server, path: str, status: int) -> None:
    headers = {**(await server.bearer("agent1")), "Origin": OURS}
    async with server.session.get(f"{path}?schema_version=x", headers=headers) as answer:
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"X-Request-Id", "Retry-After", "ETag"} <= set(exposed)
    async with server.session.get(path, headers={"Origin": OURS}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == OURS, "a page must be able to read a 401"


async def test_a_streamed_answer_can_be_read_too(server: Server) -> None:
    headers = {**(await server.bearer("agent1")), "Origin": OURS}
    async with server.session.get("/api/v1/sync?last_pulled_at=null&schema_version=1", headers=headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert answer.headers["Vary"] == "Accept-Encoding, Origin"


async def test_nothing_says_star(server: Server) -> None:
    for path in ("/healthz", "/api/v1/sync"):
        for headers in ({}, {"Origin": OURS}, preflight(OURS)):
            async with server.session.options(path, headers=headers) as answer:
                assert "*" not in [v for name, v in answer.headers.items() if name.startswith("Access-Control")]


async def test_without_the_setting_no_page_may_ask(demo_server: Server) -> None:
    async with demo_server.session.options("/api/v1/sync", headers=preflight(OURS)) as answer:
        assert answer.status == 403
    async with demo_server.session.get("/healthz", headers={"Origin": OURS}) as answer:
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_an_ordinary_options_is_no_preflight(server: Server) -> None:
    async with server.session.options("/healthz", headers={"Origin": OURS}) as answer:
        assert answer.status in (401, 405)
