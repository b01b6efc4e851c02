"""HTTP clients that cost next to nothing, so that what is measured is the server.

Owns: writing requests, and finding the end of answers without looking at what is in them.
Must not know: what is asked.
Invariant: an answer that is not 200 fails the bench; an answer is read to its end (tests/bench/test_bench_smoke.py).

`LeanClient` blocks on one connection: for one request after the other. `LeanCrowd` keeps many connections busy at once on
the event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

BUFFER: Final = 1 << 20
Piece: TypeAlias = bytes | memoryview
LAST_CHUNK: Final = b"0\r\n\r\n"
"""Ends a chunked body. JSON has no raw line breaks, so nothing before the end looks like it."""


def request(method: str, path: str, token: str = "", body: bytes = b"", *, coding: str = "identity") -> bytes:
    """Write a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Accept-Encoding: {coding}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def split(head: bytes) -> int | None:
    """Check an answer's head; give its Content-Length, None if it is chunked."""
    first, *fields = head.split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 200"), head.decode(errors="replace")
    for field in fields:
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None


class LeanClient:
    """One kept-alive connection to `url`."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._buffer = memoryview(bytearray(BUFFER))

    def ask(self, sent: bytes) -> int:
        """Send a request, read its answer to the end and give the length of its body as it came."""
        self._socket.sendall(sent)
        return sum(len(piece) for piece in self._pieces())

    def read(self, sent: bytes) -> bytes:
        """Send a request and give the body of its answer. Not for timing: it copies."""
        self._socket.sendall(sent)
        return b"".join(bytes(piece) for piece in self._pieces())

    def _pieces(self) -> Iterator[Piece]:
        head, rest = self._head()
        length = split(head)
        if length is None:
            yield from self._chunked(rest)
            return
        length -= len(rest)
        yield rest
        while length > 0:
            count = self._socket.recv_into(self._buffer)
            assert count, "the server closed the connection"
            length -= count
            yield self._buffer[:count]

    def _head(self) -> tuple[bytes, bytes]:
        got = b""
        while b"\r\n\r\n" not in got:
            more = self._socket.recv(BUFFER)
            assert more, "the server closed the connection"
            got += more
        head, _, rest = got.partition(b"\r\n\r\n")
        return head, rest

    def _chunked(self, rest: bytes) -> Iterator[Piece]:
        tail = rest[-len(LAST_CHUNK) :]
        yield rest
        while tail != LAST_CHUNK:
            count = self._socket.recv_into(self._buffer)
            assert count, "the server closed the connection"
            tail = (tail + bytes(self._buffer[max(0, count - 5) : count]))[-len(LAST_CHUNK) :]
            yield self._buffer[:count]

    def close(self) -> None:
        self._socket.close()


class _Connection(asyncio.Protocol):
    """Sends the requests of its list one after the other; each answer has a Content-Length."""

    def __init__(self, done: asyncio.Future[None]) -> None:
        self._done = done
        self._requests: Sequence[bytes] = ()
        self._next = 0
        self._got = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance

    def begin(self, requests: Sequence[bytes], done: asyncio.Future[None]) -> None:
        self._requests, self._next, self._done = requests, 0, done
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        try:
            length = split(head)
            assert length is not None
        except AssertionError as wrong:
            self._done.set_exception(wrong)
            return
        if len(rest) >= length:
            self._got = b""
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        assert self._transport is not None
        if self._next == len(self._requests):
            self._done.set_result(None)
            return
        self._next += 1
        self._transport.write(self._requests[self._next - 1])


class LeanCrowd:
    """Many kept-alive connections to `url` that ask at the same time."""

    def __init__(self, connections: Sequence[_Connection]) -> None:
        self._connections = connections

    @classmethod
    async def connect(cls, url: str, number: int) -> LeanCrowd:
        loop = asyncio.get_running_loop()
        host, port = url.removeprefix("http://").split(":")
        made = []
        for _ in range(number):
            idle: asyncio.Future[None] = loop.create_future()
            idle.set_result(None)
            _, connection = await loop.create_connection(lambda idle=idle: _Connection(idle), host, int(port))  # type: ignore[misc]
            made.append(connection)
        return cls(made)

    async def ask(self, requests: Sequence[Sequence[bytes]]) -> None:
        """Send a list of requests on each connection, all connections at once, each request after the answer before."""
        loop = asyncio.get_running_loop()
        ends = [loop.create_future() for _ in self._connections]
        for connection, listed, end in zip(self._connections, requests, ends, strict=True):
            connection.begin(listed, end)
        await asyncio.gather(*ends)

    def close(self) -> None:
        for connection in self._connections:
            assert connection._transport is not None
            connection._transport.close()
