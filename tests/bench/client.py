"""A lean HTTP client: as little of its own time as possible in a figure about servers.

Owns: requests over one kept connection, on a blocking socket or a stream.
Must not know: what is asked.
"""

from __future__ import annotations

import asyncio
import socket


def request(path: str, *, token: str = "", body: bytes = b"") -> bytes:
    """Write a request: GET without a body, POST with one."""
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: identity\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Line:
    """One connection to a server; answers are read to their end and counted."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def ask(self, asked: bytes) -> bytes:
        """Send a request whose answer has a Content-Length; give its body."""
        self._socket.sendall(asked)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._socket.recv(1 << 16)
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), got[:500]
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._socket.recv(1 << 16)
        return body

    def drain(self, asked: bytes) -> int:
        """Send a request and count the bytes of the answer, chunked or not, until it ends; nothing is kept."""
        self._socket.sendall(asked)
        total, tail = 0, b""
        length = -1
        while True:
            n = self._socket.recv_into(self._buffer)
            assert n, "the server cut the answer"
            if not total:
                first = bytes(self._buffer[:n])
                assert first.startswith(b"HTTP/1.1 200"), first[:500]
                head = first.split(b"\r\n\r\n")[0].lower()
                if b"content-length: " in head:
                    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0]) + len(head) + 4
            total += n
            tail = (tail + bytes(self._buffer[max(0, n - 8) : n]))[-8:]
            if total == length or (length < 0 and tail.endswith(b"0\r\n\r\n")):
                return total

    def close(self) -> None:
        self._socket.close()


async def ask_many(port: int, lines: list[list[bytes]]) -> None:
    """Send each list of requests over a connection of its own, all at once; every answer must be 200."""

    async def one(requests: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for asked in requests:
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one(requests) for requests in lines))
