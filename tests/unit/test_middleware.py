"""Around every request, over real HTTP: correlation ids, the access log, and what a failure tells whom."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest
import structlog
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from sync_server.identity.passwords import Overloaded
from sync_server.store.unit_of_work import Busy
from sync_server.web.headers import set_headers
from sync_server.web.middleware import explained, observed
from sync_server.wire.problems import CONTENT_TYPE, Problem

SECRET = "the-name-of-a-table-or-a-password"

FAULTS: dict[str, Exception] = {
    "problem": Problem("unknown_table", "There is no table frobs.", pointer="/frobs"),
    "unauthenticated": Problem("unauthenticated"),
    "http": web.HTTPForbidden(reason=SECRET),
    "busy": Busy(SECRET),
    "overloaded": Overloaded(SECRET),
    "timeout": TimeoutError(SECRET),
    "statement": asyncpg.QueryCanceledError(SECRET),
    "database": ConnectionRefusedError(SECRET),
    "restart": asyncpg.AdminShutdownError(SECRET),
    "bug": LookupError(SECRET),
    "sql": asyncpg.UndefinedTableError(SECRET),
    "aiohttp": web.HTTPInternalServerError(reason=SECRET),
}
EXPECTED = {
    "problem": (422, "unknown_table"),
    "unauthenticated": (401, "unauthenticated"),
    "http": (400, "bad_request"),
    "busy": (503, "busy"),
    "overloaded": (503, "busy"),
    "timeout": (503, "timed_out"),
    "statement": (503, "timed_out"),
    "database": (503, "database_unavailable"),
    "restart": (503, "database_unavailable"),
    "bug": (500, "internal_error"),
    "sql": (500, "internal_error"),
    "aiohttp": (500, "internal_error"),
}


async def fail(request: web.Request) -> web.Response:
    raise FAULTS[request.match_info["fault"]]


async def fine(_request: web.Request) -> web.Response:
    structlog.get_logger("test").info("inside")
    return web.Response(text="fine")


async def slow(_request: web.Request) -> web.Response:
    structlog.get_logger("test").info("began")
    await asyncio.sleep(0.05)
    structlog.get_logger("test").info("ended")
    return web.Response(text="slow")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application(middlewares=[observed, explained])
    app.on_response_prepare.append(set_headers)
    app.router.add_get("/fail/{fault}", fail)
    app.router.add_get("/fine", fine)
    app.router.add_get("/slow", slow)
    server = TestServer(app)
    await server.start_server(auto_decompress=False, access_log=None)
    yield server
    await server.close()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def events(lines: io.StringIO, name: str) -> list[dict[str, Any]]:
    parsed = [orjson.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in parsed if line["event"] == name]


async def get(client: ClientSession, server: TestServer, path: str, **headers: str) -> aiohttp.ClientResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(server.make_url(path), headers=sent) as answer:
        await answer.read()
        return answer


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_failure_is_a_problem_that_tells_nothing_of_our_insides(
    client: ClientSession, server: TestServer, lines: io.StringIO, fault: str
) -> None:
    answer = await get(client, server, f"/fail/{fault}", X_Request_Id="abc-1")

    text = await answer.text()
    problem = orjson.loads(text)
    assert (answer.status, problem["code"]) == EXPECTED[fault]
    assert answer.content_type == CONTENT_TYPE
    assert problem["correlation_id"] == "abc-1"
    assert answer.reason == aiohttp.http.RESPONSES[answer.status][0]
    assert SECRET not in text
    assert "Traceback" not in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("fault", ["bug", "sql", "database", "aiohttp"])
async def test_a_failure_of_ours_is_logged_with_its_traceback_under_its_id(
    client: ClientSession, server: TestServer, lines: io.StringIO, fault: str
) -> None:
    await get(client, server, f"/fail/{fault}", X_Request_Id="abc-1")

    (line,) = events(lines, EXPECTED[fault][1])
    assert line["correlation_id"] == "abc-1"
    assert "Traceback" in line["exception"]
    assert "in fail" in line["exception"]


async def test_a_fault_of_the_client_is_no_alarm(client: ClientSession, server: TestServer, lines: io.StringIO) -> None:
    await get(client, server, "/fail/problem")

    assert "Traceback" not in lines.getvalue()
    assert {orjson.loads(line)["level"] for line in lines.getvalue().splitlines()} == {"info"}


async def test_addresses_and_methods_that_do_not_exist_are_problems(client: ClientSession, server: TestServer) -> None:
    missing = await get(client, server, "/nothing/here")
    async with client.post(server.make_url("/fine")) as wrong:
        assert wrong.status == 405
        assert wrong.headers["Allow"] == "GET,HEAD"
        assert (await wrong.json(content_type=CONTENT_TYPE))["code"] == "method_not_allowed"
    assert missing.status == 404
    assert (await missing.json(content_type=CONTENT_TYPE))["code"] == "not_found"


async def test_401_says_how_to_authenticate_and_503_when_to_come_back(
    client: ClientSession, server: TestServer
) -> None:
    assert (await get(client, server, "/fail/unauthenticated")).headers["WWW-Authenticate"].startswith("Bearer ")
    assert int((await get(client, server, "/fail/busy")).headers["Retry-After"]) >= 1


@pytest.mark.parametrize("offered", ["abc", "A.b_c-9", "x" * 64])
async def test_a_usable_request_id_is_kept(client: ClientSession, server: TestServer, offered: str) -> None:
    assert (await get(client, server, "/fine", X_Request_Id=offered)).headers["X-Request-Id"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 65, "a b", "a\tb", '{"a":1}', "é", "a/b", "<script>"])
async def test_any_other_request_id_is_replaced(client: ClientSession, server: TestServer, offered: str) -> None:
    answer = await get(client, server, "/fine", X_Request_Id=offered)

    made = answer.headers["X-Request-Id"]
    assert made != offered
    assert len(made) == 32


async def test_a_request_is_one_line_with_its_id_and_not_its_query(
    client: ClientSession, server: TestServer, lines: io.StringIO
) -> None:
    answer = await get(client, server, "/fine?token=" + SECRET, X_Request_Id="abc-2", Authorization="Bearer " + SECRET)

    (line,) = events(lines, "request")
    assert answer.status == line["status"] == 200
    assert (line["method"], line["path"], line["correlation_id"]) == ("GET", "/fine", "abc-2")
    assert line["ms"] >= 0
    assert events(lines, "inside")[0]["correlation_id"] == "abc-2"
    assert SECRET not in lines.getvalue()


async def test_requests_that_overlap_keep_their_ids_apart(
    client: ClientSession, server: TestServer, lines: io.StringIO
) -> None:
    await asyncio.gather(*(get(client, server, "/slow", X_Request_Id=f"n{n}") for n in range(20)))

    for name in ("began", "ended", "request"):
        assert sorted(line["correlation_id"] for line in events(lines, name)) == sorted(f"n{n}" for n in range(20))


async def test_a_line_break_in_an_address_does_not_begin_a_line_of_the_log(
    client: ClientSession, server: TestServer, lines: io.StringIO
) -> None:
    await get(client, server, "/nothing%0A%7B%22event%22:%22forged%22%7D")

    assert events(lines, "forged") == []
    assert len(lines.getvalue().splitlines()) == 1
