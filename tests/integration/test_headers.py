"""What every answer carries, over real HTTP: headers, ids, nothing of our insides, whatever was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from sync_server.app import create_app, make_runner
from sync_server.config import Settings
from sync_server.web.headers import ALWAYS, STRICT_TRANSPORT
from sync_server.web.permissions import DECLARED, LOGGED_IN, Route
from sync_server.wire.problems import CONTENT_TYPE, REGISTRY, Problem
from tests.harness.servers import UNLIMITED, Server, serve_here

FIRST_SYNC = "/api/v1/sync?last_pulled_at=null&schema_version=1"
LEAKS = (
    "Traceback",
    "asyncpg",
    "aiohttp",
    "SELECT",
    "INSERT",
    'relation \\"',
    "/sync_server/",
    "site-packages",
    ".py",
    "pg_",
)
"""What an answer would hold if it told of our insides."""


async def raw(server: Server, sent: bytes) -> tuple[int, CIMultiDict[str], bytes]:
    """Send bytes as they are; give the answer's status, headers and body, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(sent)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = CIMultiDict((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return int(first.split(" ")[1]), headers, body


def check_always(headers: Mapping[str, str], *, cached: str = "no-store") -> None:
    for name, value in ALWAYS.items():
        assert headers.get(name) == (cached if name == "Cache-Control" else value), name
    assert headers["X-Request-Id"]
    assert not headers.get("Server")
    assert "X-Powered-By" not in headers


ASKED: dict[str, tuple[str, str, int]] = {
    "data": ("GET", "/api/v1/sync/schema", 200),
    "a first sync, streamed": ("GET", FIRST_SYNC, 200),
    "a refusal": ("GET", "/api/v1/sync?schema_version=rubbish", 400),
    "nothing there": ("GET", "/nothing/here", 404),
    "a wrong method": ("PUT", "/api/v1/sync", 405),
}


@pytest.mark.parametrize(("method", "path", "status"), ASKED.values(), ids=ASKED)
async def test_every_answer_has_the_headers(demo_server: Server, method: str, path: str, status: int) -> None:
    bearer = await demo_server.bearer("agent1")
    async with demo_server.session.request(method, path, headers=bearer) as answer:
        assert answer.status == status
        check_always(answer.headers)
        assert "Strict-Transport-Security" not in answer.headers, "RFC 6797, 7.2: never over plain HTTP"
    async with demo_server.session.request(method, path) as refused:
        assert refused.status == 401
        check_always(refused.headers)


async def test_health_may_be_asked_for_again_by_a_cache(demo_server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        async with demo_server.session.get(path) as answer:
            check_always(answer.headers, cached="no-cache")


async def test_over_tls_browsers_are_told_to_stay_there(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, trusted_proxies="127.0.0.1") as server:
        for path, proto, told in (
            ("/healthz", "https", STRICT_TRANSPORT),
            ("/nothing", "https", STRICT_TRANSPORT),
            ("/healthz", "http", None),
        ):
            async with server.session.get(path, headers={"X-Forwarded-Proto": proto}) as answer:
                assert answer.headers.get("Strict-Transport-Security") == told
    assert int(STRICT_TRANSPORT.partition(";")[0].partition("=")[2]) >= 365 * 86_400


async def test_nobody_makes_us_claim_tls(demo_server: Server) -> None:
    async with demo_server.session.get("/healthz", headers={"X-Forwarded-Proto": "https"}) as answer:
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND"])
async def test_odd_methods_are_refused_and_repeat_nothing(demo_server: Server, method: str) -> None:
    bearer = (await demo_server.bearer("agent1"))["Authorization"]
    target = "x:443" if method == "CONNECT" else "/healthz"
    lines = f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-Canary: canary-1\r\nConnection: close\r\n"

    for sent in (lines, lines + f"Authorization: {bearer}\r\n"):
        status, headers, body = await raw(demo_server, f"{sent}\r\n".encode())
        assert status in (400, 401, 404, 405)
        assert b"canary" not in body
        check_always(headers, cached=headers["Cache-Control"])


# --- Broken HTTP ------------------------------------------------------------------------------------------------------

BROKEN = {
    "not http": b"canary-1 \x16\x03\x01\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary-1\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer canary-1\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer canary-1\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: canary-1\x00\r\n\r\n",
    "two lengths": b"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\ncanary-1",
    "length and chunked": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\ncanary-1"
    ),
    "a bad length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1canary-1\r\n\r\n",
    "an unknown transfer coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: canary-1\r\n\r\n",
    "a version": b"GET / HTTP/canary-1\r\nHost: x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: canary-1" + b"a" * 100_000 + b"\r\n\r\n",
    "a long line": b"GET /canary-1" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n canary-1\r\n\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
async def test_broken_http_is_a_problem_that_repeats_nothing(
    demo_server: Server, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    status, headers, body = await raw(demo_server, sent)

    assert status == 400
    check_always(headers)
    assert headers["Content-Type"] == CONTENT_TYPE
    problem = orjson.loads(body)
    assert problem["code"] == "bad_request"
    assert problem["correlation_id"] == headers["X-Request-Id"]
    written = capsys.readouterr()
    for output in (body.decode(), str(headers), caplog.text, written.out, written.err):
        assert "canary" not in output
        assert "Traceback" not in output


async def test_smuggled_requests_are_never_answered(demo_server: Server) -> None:
    """What a proxy and we could take apart in two ways is refused, and nothing after it is read."""
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for head in (
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 5\r\n\r\n",
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\x0b: chunked\r\n\r\n",
    ):
        _, _, body = await raw(demo_server, head + inner)
        assert b"alive" not in body, head


# --- Our own failures -------------------------------------------------------------------------------------------------

SECRET = "canary-2 in table credential, SELECT password_hash FROM /srv/sync_server/store/x.py"
FAULTS: dict[str, Exception] = {
    "bug": LookupError(SECRET),
    "sql": asyncpg.UndefinedTableError(f'relation "{SECRET}" does not exist'),
    "unique": asyncpg.UniqueViolationError(SECRET),
    "database away": ConnectionRefusedError(SECRET),
    "timeout": TimeoutError(SECRET),
    "aiohttp": web.HTTPInternalServerError(reason="canary-2", text=SECRET),
}


@pytest.fixture
async def failing(demo_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """The whole application with two more routes: one fails as its path says, one refuses."""
    settings = Settings.model_validate({"data": tmp_path, "port": 0, **UNLIMITED})
    app = create_app(settings, demo_url)

    async def fail(request: web.Request) -> web.StreamResponse:
        raise FAULTS[request.match_info["fault"]]

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise Problem(request.match_info["code"])

    for path, handler in (("/api/v1/auth/login/{fault}", fail), ("/api/v1/auth/refresh/{code}", refuse)):
        app[DECLARED]["GET", path] = Route("GET", path, handler, LOGGED_IN)
        app.router.add_get(path, handler)
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession(url) as session:
        yield Server(url, session, settings, app)
    await runner.cleanup()


async def document(server: Server, path: str, **given: Any) -> tuple[int, dict[str, Any], str]:
    async with server.session.get(path, allow_redirects=False, **given) as answer:
        text = await answer.text()
        check_always(answer.headers)
        parsed = orjson.loads(text)
        assert answer.content_type == CONTENT_TYPE
        assert parsed["correlation_id"] == answer.headers["X-Request-Id"]
        return answer.status, parsed, text


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failure_of_ours_tells_nothing_but_its_id(failing: Server, fault: str) -> None:
    bearer = await failing.bearer("agent1")

    status, problem, text = await document(failing, f"/api/v1/auth/login/{fault}", headers=bearer)

    assert status >= 500
    assert problem["detail"] == REGISTRY[problem["code"]].sentence
    assert "canary" not in text
    assert not [leak for leak in LEAKS if leak in text]


@pytest.mark.parametrize("code", REGISTRY)
async def test_every_problem_leaves_as_the_registry_says(failing: Server, code: str) -> None:
    bearer = await failing.bearer("agent1")

    status, problem, text = await document(failing, f"/api/v1/auth/refresh/{code}", headers=bearer)

    assert (status, problem["code"]) == (REGISTRY[code].status, code)
    assert not [leak for leak in LEAKS if leak in text]
    assert set(problem) <= {"type", "title", "status", "detail", "code", "correlation_id"}
