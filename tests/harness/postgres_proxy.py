"""A TCP proxy in front of PostgreSQL that cuts connections, at a COMMIT if asked.

Owns: forwarding bytes, and knowing a COMMIT when it passes.
Must not know: who connects or what else is said.
Invariant: cut before the commit, PostgreSQL never sees it; cut after it, PostgreSQL has answered it and the client never
sees the answer (tests/integration/test_crashes.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

COMMIT: Final = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""A simple query, length 11, "COMMIT": PostgreSQL's protocol, "Query (F)"."""

PIECE: Final = 65_536


class CutAt(Enum):
    """Where the next commit is cut off."""

    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"


class PostgresProxy:
    """Stands in front of the cluster of `url` while it is entered; `url` is then the way through it."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._armed: CutAt | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for client in list(self._open):
            self._cut(client)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{self._parts.username}:{self._parts.password}@127.0.0.1:{port}{self._parts.path}"

    def arm(self, cut_at: CutAt) -> None:
        """Cut the connection on which the next COMMIT passes."""
        self._armed = cut_at

    def cut_all(self) -> None:
        """Cut every connection now."""
        for client in list(self._open):
            self._cut(client)
            self.cuts += 1

    def _cut(self, client: asyncio.StreamWriter) -> None:
        server = self._open.pop(client, None)
        if server is not None:
            client.transport.abort()
            server.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = parse_qs(self._parts.query)
        there, onward = await asyncio.open_unix_connection(f"{address['host'][0]}/.s.PGSQL.{address['port'][0]}")
        self._open[writer] = onward
        doomed = asyncio.Event()
        for work in (self._forth(reader, writer, onward, doomed), self._back(there, writer, doomed)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forth(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        onward: asyncio.StreamWriter,
        doomed: asyncio.Event,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE):
                if self._armed is not None and COMMIT in piece:
                    self.cuts += 1
                    armed, self._armed = self._armed, None
                    if armed is CutAt.BEFORE_COMMIT:
                        break
                    doomed.set()
                onward.write(piece)
                await onward.drain()
        self._cut(client)

    async def _back(self, there: asyncio.StreamReader, client: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await there.read(PIECE):
                if doomed.is_set():  # PostgreSQL has answered the commit; nobody will hear it
                    break
                client.write(piece)
                await client.drain()
        self._cut(client)
