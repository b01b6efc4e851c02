"""Request bodies over real HTTP: what is read, what is refused, and that no body costs more than its limits."""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import brotli  # type: ignore[import-untyped]
import psutil
import pytest
import zstandard
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from sync_server.config import Settings
from sync_server.web import bodies
from sync_server.web.bodies import MEMBERS_MAX, RATIO_FREE, read_body
from sync_server.web.middleware import explained, observed

SETTINGS: Final = Settings.model_validate({"body_max": 2**20, "inflated_max": 16 * 2**20})
TEXT: Final = b'{"trades":{"created":[],"updated":[],"deleted":[]}}' * 40
GIGABYTE: Final = 2**30

COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """A server that answers with the size of the body that it read."""

    async def measure(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, SETTINGS))

    app = web.Application(middlewares=[observed, explained], client_max_size=0)
    app.router.add_post("/", measure)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    yield server
    await server.close()


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def post(client: ClientSession, server: TestServer, body: Any, **headers: str) -> tuple[int, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    data = io.BytesIO(body) if isinstance(body, bytes) else body  # aiohttp warns of large bytes
    async with client.post(
        server.make_url("/"), data=data, headers={"Content-Type": "application/json"} | sent
    ) as answer:
        return answer.status, await answer.read()


async def refusal(client: ClientSession, server: TestServer, body: Any, **headers: str) -> tuple[int, str]:
    status, answer = await post(client, server, body, **headers)
    return status, answer.decode().partition('"code":"')[2].partition('"')[0]


async def test_a_plain_body_is_read_as_it_is(client: ClientSession, server: TestServer) -> None:
    assert await post(client, server, TEXT) == (200, TEXT)
    assert await post(client, server, TEXT, Content_Encoding="identity") == (200, TEXT)
    assert await post(client, server, b"") == (200, b"")


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
async def test_a_compressed_body_is_read(client: ClientSession, server: TestServer, coding: str, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)

    assert await post(client, server, COMPRESS[coding](body), Content_Encoding=coding) == (200, body)


@pytest.mark.parametrize("coding", COMPRESS)
async def test_a_body_that_comes_byte_by_byte_is_read(client: ClientSession, server: TestServer, coding: str) -> None:
    async def dribble() -> AsyncIterator[bytes]:
        for byte in COMPRESS[coding](TEXT):
            yield bytes([byte])

    assert await post(client, server, dribble(), Content_Encoding=coding) == (200, TEXT)


@pytest.mark.parametrize(
    "size", [bodies.STEP_BYTES - 1, bodies.STEP_BYTES, 2 * bodies.STEP_BYTES, 2 * bodies.STEP_BYTES + 1]
)
@pytest.mark.parametrize("coding", COMPRESS)
async def test_a_body_that_ends_with_a_step_is_whole(
    client: ClientSession, server: TestServer, coding: str, size: int
) -> None:
    assert await post(client, server, COMPRESS[coding](b" " * size), Content_Encoding=coding) == (200, b" " * size)


async def test_gzip_members_are_read_as_one(client: ClientSession, server: TestServer) -> None:
    body = gzip.compress(TEXT) * 3

    assert await post(client, server, body, Content_Encoding="gzip") == (200, TEXT * 3)


@pytest.mark.parametrize("type_", ["application/json; charset=utf-8", "text/plain;charset=UTF-8", "application/json"])
async def test_the_types_that_clients_send_json_as_are_read(
    client: ClientSession, server: TestServer, type_: str
) -> None:
    assert await post(client, server, TEXT, Content_Type=type_) == (200, TEXT)


@pytest.mark.parametrize(
    "type_",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/xml",
        "application/json; charset=utf-16",
    ],
)
async def test_other_types_are_refused(client: ClientSession, server: TestServer, type_: str) -> None:
    assert await refusal(client, server, TEXT, Content_Type=type_) == (415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip", "lzma", "gzip,br", "GZIP2", "*"])
async def test_an_unknown_coding_is_refused(client: ClientSession, server: TestServer, coding: str) -> None:
    assert await refusal(client, server, TEXT, Content_Encoding=coding) == (415, "unsupported_coding")


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("spoil", ["cut", "flipped", "followed", "plain"])
async def test_a_spoilt_body_is_refused(client: ClientSession, server: TestServer, coding: str, spoil: str) -> None:
    whole = COMPRESS[coding](TEXT)
    spoilt = {"cut": whole[:-1], "flipped": b"\x00" + whole[1:], "followed": whole + b"junk", "plain": TEXT}[spoil]

    status, code = await refusal(client, server, spoilt, Content_Encoding=coding)

    assert (status, code) in [(400, "body_unreadable"), (413, "body_too_expansive")]


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(client: ClientSession, server: TestServer) -> None:
    assert await refusal(client, server, b" " * (SETTINGS.body_max + 1)) == (413, "body_too_large")
    assert await post(client, server, b" " * SETTINGS.body_max) == (200, b" " * SETTINGS.body_max)


async def test_a_body_without_a_length_is_refused_when_it_passes_the_limit(
    client: ClientSession, server: TestServer
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65536

    assert await refusal(client, server, endless()) == (413, "body_too_large")


def bomb(coding: str) -> bytes:
    """Compress a gigabyte of spaces, as tightly as the coding can."""
    piece = b" " * 2**20
    if coding == "br":
        stream = brotli.Compressor(quality=5)
        return b"".join(stream.process(piece) for _ in range(GIGABYTE // len(piece))) + bytes(stream.finish())
    if coding == "zstd":
        compressor = zstandard.ZstdCompressor(level=3).compressobj()
        return b"".join(compressor.compress(piece) for _ in range(GIGABYTE // len(piece))) + compressor.flush()
    deflate = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    return b"".join(deflate.compress(piece) for _ in range(GIGABYTE // len(piece))) + deflate.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_a_decompression_bomb_is_refused_and_costs_no_memory(
    client: ClientSession, server: TestServer, coding: str
) -> None:
    body = await asyncio.to_thread(bomb, coding)
    assert len(body) < SETTINGS.body_max or coding in ("gzip", "deflate")
    body = body[: SETTINGS.body_max]
    process = psutil.Process()
    await refusal(client, server, body[:100], Content_Encoding=coding)
    before = process.memory_info().rss

    for _ in range(3):
        assert (await refusal(client, server, body, Content_Encoding=coding))[0] == 413
        assert process.memory_info().rss - before < 50 * 2**20


async def test_what_expands_within_the_ratio_is_stopped_by_the_limit(
    client: ClientSession, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "RATIO_FREE", 2 * SETTINGS.inflated_max)
    body = gzip.compress(b" " * (SETTINGS.inflated_max + 1))

    assert await refusal(client, server, body, Content_Encoding="gzip") == (413, "body_too_large")


@pytest.mark.parametrize(("ratio", "status"), [(15, 200), (25, 413)])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_a_large_body_may_shrink_to_a_twentieth_and_no_further(
    client: ClientSession, server: TestServer, coding: str, ratio: int, status: int
) -> None:
    size = RATIO_FREE * 3 // 2
    noise = random.Random(1).randbytes(size // ratio)  # does not shrink; the blanks behind it shrink to nothing
    body = await asyncio.to_thread(COMPRESS[coding], noise + b" " * (size - len(noise)))

    assert (await post(client, server, body, Content_Encoding=coding))[0] == status


async def test_a_small_body_may_shrink_to_very_little(client: ClientSession, server: TestServer) -> None:
    assert (await post(client, server, gzip.compress(b" " * RATIO_FREE), Content_Encoding="gzip"))[0] == 200


@pytest.mark.parametrize("member", [gzip.compress(b""), gzip.compress(b" ")], ids=["empty", "one byte"])
async def test_many_tiny_gzip_members_are_refused(client: ClientSession, server: TestServer, member: bytes) -> None:
    many = member * (SETTINGS.body_max // len(member))

    assert await refusal(client, server, many, Content_Encoding="gzip") == (400, "body_unreadable")
    assert (await post(client, server, member * MEMBERS_MAX, Content_Encoding="gzip"))[0] == 200


async def test_a_zstd_window_that_needs_much_memory_is_refused(client: ClientSession, server: TestServer) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(TEXT) + stream.flush()

    assert await refusal(client, server, body, Content_Encoding="zstd") == (400, "body_unreadable")


async def test_a_body_that_pauses_too_long_is_given_up(
    client: ClientSession, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.05)

    async def pausing() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(0.3)
        yield b"}"

    assert await refusal(client, server, pausing()) == (400, "body_incomplete")


async def raw(server: TestServer, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
    ],
)
async def test_a_client_that_hangs_up_within_its_body_harms_nobody(
    client: ClientSession, server: TestServer, request_: bytes
) -> None:
    answer = await raw(server, request_)

    assert b" 500 " not in answer
    assert await post(client, server, TEXT) == (200, TEXT)


def test_every_decoder_gives_a_bounded_step() -> None:
    body = zstandard.ZstdCompressor().compress(b" " * 2**28)

    steps: Iterator[bytes] = bodies.DECODERS["zstd"]().feed(body)

    assert max(map(len, steps)) <= 3 * 2**20
