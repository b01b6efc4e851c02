"""Answers over real HTTP: every coding, flat memory, and no answer that is short and still parses."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]
import orjson
import psutil
import pytest
import zstandard
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from sync_server.web import answers
from sync_server.web.answers import WORTH_COMPRESSING, choose_coding, send_json, stream_json
from sync_server.web.headers import set_headers
from sync_server.web.middleware import explained, observed

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
CODINGS = list(DECOMPRESS)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[TestServer]]]:
    servers = []

    async def start(handler: Handler) -> TestServer:
        app = web.Application(middlewares=[observed, explained])
        app.on_response_prepare.append(set_headers)
        app.router.add_get("/", handler)
        server = TestServer(app)
        servers.append(server)
        await server.start_server(auto_decompress=False)
        return server

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(auto_decompress=False, read_bufsize=2**16) as session:
        yield session


async def get(client: ClientSession, server: TestServer, coding: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with client.get(server.make_url("/"), headers={"Accept-Encoding": coding}) as answer:
        return answer, await answer.read()


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("zstd, br, gzip", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("gzip ; q=0.4, br ; q=0.5", "br"),
        ("zstd;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, gzip;q=0.2", "gzip"),
        ("zstd;q=0, *", "br"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("gzip;q=nonsense", None),
        ("gzip;level=9", "gzip"),
        ("deflate", None),
        ("identity", None),
        ("", None),
        (",,;;q=,", None),
    ],
)
def test_the_coding_that_the_client_weighs_highest_is_chosen(accepted: str, chosen: str | None) -> None:
    assert choose_coding(accepted) == chosen


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_large_answer_is_compressed_as_the_client_can_read_it(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], coding: str
) -> None:
    body = orjson.dumps([{"id": n} for n in range(20_000)])

    async def handler(request: web.Request) -> web.StreamResponse:
        return await send_json(request, body)

    answer, data = await get(client, await serve(handler), coding)

    assert answer.headers.get("Content-Encoding", "") == coding
    assert DECOMPRESS[coding](data) == body
    assert int(answer.headers["Content-Length"]) == len(data)
    assert not coding or len(data) < len(body) / 3


async def test_a_small_answer_is_sent_as_it_is(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]]
) -> None:
    body = b" " * WORTH_COMPRESSING

    async def handler(request: web.Request) -> web.StreamResponse:
        return await send_json(request, body)

    answer, data = await get(client, await serve(handler), "gzip")

    assert data == body
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("streamed", [True, False])
async def test_every_answer_says_what_caches_and_browsers_must_know(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], streamed: bool
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if streamed:
            return await stream_json(request, given(b"{}"), headers={"X-More": "yes"})
        return await send_json(request, b"{}", headers={"X-More": "yes"})

    answer, _ = await get(client, await serve(handler), "gzip")

    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-More"] == "yes"
    assert answer.headers["X-Request-Id"]


async def given(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_stream_arrives_whole(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], coding: str
) -> None:
    chunks = [b"[", b"", b"1," * 100_000, b"2" * 7, b"]"]

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_json(request, given(*chunks))

    answer, data = await get(client, await serve(handler), coding)

    assert answer.headers.get("Content-Encoding", "") == coding
    assert DECOMPRESS[coding](data) == b"".join(chunks)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("head", [b"{}", b"[" + b"1," * 500_000])
async def test_a_stream_that_fails_midway_never_looks_whole(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], coding: str, head: bytes
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield head
        raise LookupError("the source broke")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_json(request, failing())

    server = await serve(handler)

    with pytest.raises(aiohttp.ClientError):
        await get(client, server, coding)


async def test_the_source_of_an_abandoned_stream_is_closed_and_it_is_no_error(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], caplog: pytest.LogCaptureFixture
) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b" " * 65536
        finally:
            closed.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_json(request, endless())

    server = await serve(handler)
    async with client.get(server.make_url("/")) as answer:
        await answer.content.readexactly(10)
        answer.close()

    await asyncio.wait_for(closed.wait(), 10)
    await asyncio.sleep(0.05)
    assert "Traceback" not in caplog.text


async def stalled_client(server: TestServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask and then read nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**16)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    await reader.readexactly(100)
    return reader, writer


async def test_a_client_that_does_not_read_holds_its_source_back_and_is_cut_off(
    serve: Callable[[Handler], Awaitable[TestServer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "STALL_SECONDS", 0.5)
    given_out = 0
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given_out
        try:
            while True:
                given_out += 65536
                yield b" " * 65536
        finally:
            ended.set()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_json(request, endless())

    before = psutil.Process().memory_info().rss
    _, writer = await stalled_client(await serve(handler))

    await asyncio.wait_for(ended.wait(), 10)

    assert given_out < 2**26  # what the sockets' buffers hold
    assert psutil.Process().memory_info().rss - before < 50 * 2**20
    writer.close()


@pytest.mark.parametrize("coding", CODINGS)
async def test_the_size_of_a_stream_does_not_show_in_memory(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]], coding: str
) -> None:
    chunk: bytes = orjson.dumps([{"id": f"record{n:08d}", "n": n * n} for n in range(12_000)])

    async def long() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield chunk

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream_json(request, long())

    server = await serve(handler)
    process = psutil.Process()
    before = process.memory_info().rss

    async with client.get(server.make_url("/"), headers={"Accept-Encoding": coding}) as answer:
        most = 0
        async for _ in answer.content.iter_any():
            most = max(most, process.memory_info().rss)

    assert most - before < 50 * 2**20


async def test_a_head_request_costs_no_stream(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        async def untouched() -> AsyncIterator[bytes]:
            raise AssertionError("a HEAD request read the source")
            yield b""

        return await stream_json(request, untouched())

    server = await serve(handler)
    async with client.head(server.make_url("/")) as answer:
        assert answer.status == 200


async def test_a_failure_before_the_head_is_a_problem(
    client: ClientSession, serve: Callable[[Handler], Awaitable[TestServer]]
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise LookupError("before anything was sent")

    answer, data = await get(client, await serve(handler), "gzip")

    problem: dict[str, Any] = orjson.loads(data)
    assert answer.status == 500
    assert problem["code"] == "internal_error"
