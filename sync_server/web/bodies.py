"""Request bodies: bytes on their way in, decompressed, bounded.

Owns: which types and codings are read, how much of them, and what a body that is none of it is answered.
Must not know: what the bytes mean.
Invariant: whatever is sent, memory holds at most the limits of the settings and a few MB, and each byte is looked at a
bounded number of times (tests/unit/test_bodies.py).

The application runs with aiohttp's own decompression off: `web.AppRunner(app, auto_decompress=False)`, and in tests
`TestServer(app).start_server(auto_decompress=False)`. aiohttp would decompress before any limit of ours, knows no limit
of members, and counts only what comes out. Were it left on, compressed bodies would be refused as unreadable.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Final, Protocol

import aiohttp
import brotli  # type: ignore[import-untyped]
import zstandard
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from sync_server.config import Settings
from sync_server.wire.problems import Problem

STEP_BYTES: Final = 128 * 1024
"""What a decompressor may give at once."""

ZSTD_SLICE: Final = 64
"""zstandard cannot be asked for less than all it has; four bytes can stand for 128 KiB, so it is fed 2 MiB's worth at most.
Slicing costs 30 ms for 8 MiB."""

ZSTD_WINDOW_MAX: Final = 8 * 1024 * 1024
"""RFC 8878, 3.1.1.1.2: what a decoder should be ready for."""

MEMBERS_MAX: Final = 64
"""gzip members in one body; each costs a start, and thousands fit into a kilobyte."""

RATIO_MAX: Final = 20
"""Change sets shrink to a fifth or a tenth; above it a body was made to expand."""

RATIO_FREE: Final = 4 * 1024 * 1024
"""Bytes out up to which the ratio is not looked at: a small push of equal rows may well shrink to a thirtieth."""

IDLE_SECONDS: Final = 30.0
"""How long a body may pause; a phone in a lift resumes sooner or sends again."""

JSON_TYPES: Final = frozenset({"application/json", "text/plain"})
"""text/plain is what fetch() says of a string: WatermelonDB's documented client names no type. There is nothing to gain
for a forger by it: requests carry a bearer token, which no form can."""

UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", '"utf-8"'})


class Decoder(Protocol):
    """One coding being undone, in steps."""

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        """Give what `data` expands to, at most a few MiB at a time. Raises one of UNREADABLE."""

    def is_whole(self) -> bool:
        """Say whether the coding ended where the body did."""


class Garbage(Exception):
    """There is something after the end of a compressed body, or too many members in it."""


UNREADABLE: Final = (zlib.error, brotli.error, zstandard.ZstdError, Garbage)


class _Zlib:
    def __init__(self, wbits: int, members_max: int) -> None:
        self._wbits = wbits
        self._members_left = members_max
        self._stream = zlib.decompressobj(wbits)

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        piece = b""
        while data or len(piece) == STEP_BYTES:  # a full piece: zlib may hold more although it has read everything
            if self._stream.eof:
                self._next_member()
            piece = self._stream.decompress(data, STEP_BYTES)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            yield piece
            if self._stream.eof and not data:
                return

    def _next_member(self) -> None:
        self._members_left -= 1
        if self._members_left <= 0:
            raise Garbage
        self._stream = zlib.decompressobj(self._wbits)

    def is_whole(self) -> bool:
        return self._stream.eof


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        piece = self._stream.process(data, output_buffer_limit=STEP_BYTES)
        while piece:  # until it has no more: what is held back is not told by can_accept_more_data()
            yield piece
            piece = self._stream.process(b"", output_buffer_limit=STEP_BYTES)

    def is_whole(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX).decompressobj()

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        for start in range(0, len(data), ZSTD_SLICE):
            if self._stream.eof:
                raise Garbage
            yield self._stream.decompress(data[start : start + ZSTD_SLICE])
        if self._stream.unused_data:
            raise Garbage

    def is_whole(self) -> bool:
        return bool(self._stream.eof)


class _Identity:
    def feed(self, data: bytes, /) -> Iterator[bytes]:
        yield data

    def is_whole(self) -> bool:
        return True


DECODERS: Final[Mapping[str, Callable[[], Decoder]]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": lambda: _Zlib(31, MEMBERS_MAX),
    "x-gzip": lambda: _Zlib(31, MEMBERS_MAX),
    "deflate": lambda: _Zlib(15, 1),
    "br": _Brotli,
    "zstd": _Zstd,
}
"""Content-Encoding -> its decoder; "deflate" is the zlib format (RFC 9110, 8.4.1.2)."""


async def read_body(request: web.Request, settings: Settings, types: Collection[str] = JSON_TYPES) -> bytes:
    """Read the body of `request`, of one of the media types `types`, decompressed.

    Raises `Problem`: unsupported_media_type, unsupported_coding, body_too_large (as sent over `settings.body_max`, or
    decompressed over `settings.inflated_max`), body_too_expansive, body_unreadable, body_incomplete.
    """
    inflated = bytearray()
    async for piece in stream_body(request, settings.body_max, settings.inflated_max, types):
        inflated += piece
    return bytes(inflated)


async def stream_body(
    request: web.Request, sent_max: int, inflated_max: int, types: Collection[str]
) -> AsyncIterator[bytes]:
    """Give the body piece by piece, decompressed; for what is larger than memory should hold. Raises as `read_body`."""
    _check_type(request, types)
    decoder = _decoder(request)
    if request.content_length is not None and request.content_length > sent_max:
        raise _too_large(sent_max)
    sent = inflated = 0
    async for chunk in _chunks(request):
        sent += len(chunk)
        if sent > sent_max:
            raise _too_large(sent_max)
        try:
            for piece in decoder.feed(chunk):
                inflated += len(piece)
                _check_growth(sent, inflated, inflated_max)
                yield piece
        except UNREADABLE:
            raise Problem("body_unreadable") from None
    if sent and not decoder.is_whole():
        raise Problem("body_unreadable", "The compressed body ends before its end; send all of it.")


def _check_type(request: web.Request, types: Collection[str]) -> None:
    if request.headers.get("Content-Type") is None:
        return
    if request.content_type not in types or (request.charset or "utf-8").lower() not in UTF_8:
        raise Problem("unsupported_media_type")


def _decoder(request: web.Request) -> Decoder:
    coding = ",".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    if coding not in DECODERS:
        raise Problem("unsupported_coding")
    return DECODERS[coding]()


def _check_growth(sent: int, inflated: int, inflated_max: int) -> None:
    if inflated > inflated_max:
        detail = f"Decompressed, the body has more than {inflated_max} bytes; send it in several requests."
        raise Problem("body_too_large", detail, limit=inflated_max)
    if inflated > RATIO_FREE and inflated > RATIO_MAX * sent:
        raise Problem("body_too_expansive")


def _too_large(sent_max: int) -> Problem:
    return Problem(
        "body_too_large", f"The body has more than {sent_max} bytes; send it in several requests.", limit=sent_max
    )


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    """Give the body as it arrives, in pieces of at most aiohttp's read buffer (128 KiB)."""
    try:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await request.content.readany()
            if not chunk:
                return
            yield chunk
    except TimeoutError:
        raise Problem(
            "body_incomplete", f"Nothing of the body came for {IDLE_SECONDS:.0f} s; send the request again."
        ) from None
    except (aiohttp.ClientPayloadError, web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise Problem("body_incomplete") from None
