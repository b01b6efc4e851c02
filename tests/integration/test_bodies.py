"""Request bodies on the whole server: every coding reaches the handler, nothing is read for a stranger."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from sync_server.identity.people import add_user
from sync_server.store.database import Database
from tests.harness.servers import Server

PASSWORD = "correct horse battery"
EMPTY = b'{"trades":{"created":[],"updated":[],"deleted":[]}}'

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.fixture
async def headers(database: Database, server: Server) -> dict[str, str]:
    async with database.acquire_everywhere() as connection:
        await add_user(
            connection,
            org_id="org",
            user_id="u1",
            username="asha",
            name="Asha",
            password=PASSWORD,
        )
    return await server.bearer("asha", PASSWORD)


async def push(server: Server, body: object, headers: dict[str, str]) -> tuple[int, str]:
    async with server.session.post("/api/v1/sync?last_pulled_at=null", data=body, headers=headers) as answer:
        document = await answer.json(content_type=None)
        return answer.status, document.get("code", "")


@pytest.mark.parametrize("coding", COMPRESS)
async def test_a_login_and_a_push_may_come_in_any_coding(server: Server, headers: dict[str, str], coding: str) -> None:
    coded = {"Content-Encoding": coding, "Content-Type": "application/json"}
    credentials = b'{"username":"asha","password":"%s"}' % PASSWORD.encode()

    async with server.session.post("/api/v1/auth/login", data=COMPRESS[coding](credentials), headers=coded) as answer:
        assert answer.status == 200
    assert await push(server, COMPRESS[coding](EMPTY), headers | coded) == (200, "")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_a_bomb_is_refused(server: Server, headers: dict[str, str], coding: str) -> None:
    bomb = COMPRESS[coding](b" " * (server.settings.inflated_max * 2))

    status, code = await push(server, bomb, headers | {"Content-Encoding": coding, "Content-Type": "application/json"})

    assert status == 413
    assert code in ("body_too_large", "body_too_expansive")


async def test_the_body_of_a_stranger_is_not_waited_for(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
    writer.write(b"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

    async with asyncio.timeout(10):
        status = await reader.readline()

    assert b" 401 " in status
    writer.write(b"}" * 999)  # aiohttp reads on for up to 10 s, so that the client can read the answer
    await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
