"""Answers: bytes of JSON on their way out, compressed as the client can read them.

Owns: the choice of coding, compression whole and while streaming, and what becomes of an answer that fails midway.
Must not know: what the JSON says.
Invariant: a client that read an answer to its end has all of it: when the source fails midway the connection is cut, so
that nothing is left that parses (tests/unit/test_answers.py).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]
import zstandard
from aiohttp import web

from sync_server.web import keys

WORTH_COMPRESSING: Final = 1024
"""Bytes; below it an answer fits one packet whatever is done to it."""

THREAD_BYTES: Final = 32 * 1024
"""Compressing more at once (over 0.1 ms) goes to a thread; less costs less than the switch (50 µs)."""

STALL_SECONDS: Final = 60.0
"""How long one piece may wait for a client that does not read; a phone on 2G reads 64 kB in 15 s."""

JSON_TYPE: Final = "application/json"


class Compressor(Protocol):
    """A stream in one coding."""

    def feed(self, data: bytes, /) -> bytes: ...

    def end(self) -> bytes: ...


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=1).compressobj()
        self.feed: Callable[[bytes], bytes] = self._stream.compress

    def end(self) -> bytes:
        return self._stream.flush()


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Compressor(quality=1)
        self.feed: Callable[[bytes], bytes] = self._stream.process

    def end(self) -> bytes:
        return bytes(self._stream.finish())


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(1, wbits=31)
        self.feed: Callable[[bytes], bytes] = self._stream.compress

    def end(self) -> bytes:
        return self._stream.flush()


COMPRESSORS: Final[Mapping[str, Callable[[], Compressor]]] = {"zstd": _Zstd, "br": _Brotli, "gzip": _Gzip}
"""Coding -> how a stream of it is begun, in our order of preference: measured here at level 1, 53 MB of rows become 7.7 MB
of zstd in 0.11 s, 9.0 MB of brotli in 0.14 s, 10.0 MB of gzip in 0.25 s."""


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: str) -> str | None:
    """Choose the coding for an Accept-Encoding header (RFC 9110, 12.5.3); None: as it is.

    The highest q wins, our order breaks ties; what is not named is not used, as an old proxy may not know it.

    >>> choose_coding("gzip, deflate, br"), choose_coding("br;q=0.5, gzip"), choose_coding("zstd;q=0"), choose_coding("")
    ('br', 'gzip', None, None)
    """
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    offered = [(weights.get(coding, weights.get("*", 0.0)), coding) for coding in COMPRESSORS]
    best, coding = max(offered, key=lambda offer: offer[0])
    return coding if best > 0 and best >= weights.get("identity", 0.0) else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def compress(data: bytes, coding: str) -> bytes:
    """Compress all of `data` in `coding`."""
    stream = COMPRESSORS[coding]()
    return stream.feed(data) + stream.end()


def is_current(request: web.Request, tag: str) -> bool:
    """Say whether the client has the version `tag` already (`If-None-Match`, RFC 9110, 13.1.2): then 304 is the answer."""
    return any(known.value in ("*", tag) for known in request.if_none_match or ())


async def send_json(
    request: web.Request,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with `body`, JSON in UTF-8, compressed if that pays and the client can read it."""
    sent = {"Vary": "Accept-Encoding", **(headers or {})}
    coding = choose_coding(request.headers.get("Accept-Encoding", ""))
    if coding is not None and len(body) > WORTH_COMPRESSING:
        sent["Content-Encoding"] = coding
        body = await _in_turn(len(body), compress, body, coding)
    return web.Response(body=body, status=status, content_type=content_type, headers=sent)


async def stream_json(
    request: web.Request,
    chunks: AsyncIterator[bytes],
    *,
    content_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with what `chunks` gives, compressed while it streams, at the pace at which the client reads.

    Memory: one chunk and aiohttp's write buffer (64 KiB). An exception of `chunks` passes through after the head is sent;
    the middleware logs it and cuts the connection. Raises TimeoutError if the client stops reading for STALL_SECONDS.
    """
    coding = choose_coding(request.headers.get("Accept-Encoding", ""))
    response = web.StreamResponse(headers={"Vary": "Accept-Encoding", **(headers or {})})
    response.content_type = content_type
    if coding is not None:
        response.headers["Content-Encoding"] = coding
    try:
        await response.prepare(request)
        request[keys.STREAM] = response
        if request.method != "HEAD":
            await _pump(response, chunks, None if coding is None else COMPRESSORS[coding]())
    finally:
        if close := getattr(chunks, "aclose", None):
            await close()  # an abandoned generator would hold its snapshot until it is collected
    return response


async def _pump(response: web.StreamResponse, chunks: AsyncIterator[bytes], compressor: Compressor | None) -> None:
    async for chunk in chunks:
        piece = chunk if compressor is None else await _in_turn(len(chunk), compressor.feed, chunk)
        if piece:
            await _write(response, piece)
    if compressor is not None:
        await _write(response, compressor.end())
    await response.write_eof()


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(STALL_SECONDS):
        await response.write(piece)


async def _in_turn(size: int, work: Callable[..., bytes], *arguments: object) -> bytes:
    return work(*arguments) if size < THREAD_BYTES else await asyncio.to_thread(work, *arguments)


def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection of an answer whose head is sent; the client sees an incomplete answer, never a short one."""
    if request.transport is not None:
        request.transport.abort()
    return request[keys.STREAM]
