"""Spools: lists of JSON on their way from the database to any number of phones, through a file.

Owns: files that one writer fills at the database's pace while readers follow at their phones' pace, and the cache of the
full ones. So no transaction waits for a slow network, memory stays flat whatever the size, and a second phone's first sync
costs no query.
Must not know: what is in them.
Invariant: a reader gets exactly the bytes that were written, or an error; a spool in the cache is whole
(tests/integration/test_spool.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 512 * 1024
"""What is written to or read from a file at once: large enough that a thread switch (about 50 µs) does not count."""

ABANDONED_SECONDS: Final = 3600
"""A file that grew last so long ago belongs to a process that died: filling one takes seconds."""


COPYING_MAX: Final = 3
"""Answers that are copied from the database at once: each holds a connection, and pushes need some too."""


class Broken(Exception):
    """The spool's writer failed; what was read of it so far is not whole."""


class Spool:
    """A file with one writer and any number of followers."""

    def __init__(
        self, file: int, *, whole: bool = False, growing: Path | None = None, path: Path | None = None
    ) -> None:
        """`file`: its descriptor. A spool that is to be kept grows as `growing` and becomes `path` once it is whole."""
        self._file = file
        self._growing = growing
        self._path = path
        self._pending = bytearray()
        self._size = os.fstat(file).st_size
        self._state = "whole" if whole else "filling"
        self._grown = asyncio.Event()
        self._newest = (-1, b"")

    @property
    def whole(self) -> bool:
        return self._state == "whole"

    @property
    def broken(self) -> bool:
        return self._state == "broken"

    async def write(self, data: bytes) -> None:
        """Append `data`."""
        self._pending += data
        if len(self._pending) >= BLOCK_BYTES:
            await self._flush()

    async def finish(self) -> None:
        """Say that everything is written; give the file its name, so that it is found after a restart."""
        await self._flush()
        if self._growing is not None and self._path is not None:
            await asyncio.to_thread(os.replace, self._growing, self._path)
        self._end("whole")

    def fail(self) -> None:
        """Say that the writer failed: every reader gets `Broken`."""
        if self._state == "filling":
            if self._growing is not None:
                self._growing.unlink(missing_ok=True)
            self._end("broken")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes from the first, following the writer. Raises `Broken`."""
        offset = 0
        while True:
            if offset < self._size:
                start, data = self._newest
                if offset != start:  # a phone that keeps up gets the newest block from memory
                    data = await asyncio.to_thread(os.pread, self._file, BLOCK_BYTES, offset)
                offset += len(data)
                yield data
            elif self._state == "filling":
                await self._grown.wait()
            elif self._state == "broken":
                raise Broken
            else:
                return

    async def _flush(self) -> None:
        if self._pending:
            block, self._pending = self._pending, bytearray()
            await asyncio.to_thread(_write_all, self._file, block)
            self._newest = (self._size, bytes(block))
            self._size += len(block)
            self._wake()

    def _end(self, state: str) -> None:
        self._state = state
        self._newest = (-1, b"")  # an answer that is kept must not keep memory
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def __del__(self) -> None:
        os.close(self._file)


def _write_all(file: int, block: bytearray) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(file, left) :]


def _whole(path: Path) -> Spool | None:
    """Open a whole spool; None if there is none, or a neighbouring worker has just removed it."""
    try:
        spool = Spool(os.open(path, os.O_RDONLY), whole=True)
        os.utime(path)
    except FileNotFoundError:
        return None
    return spool


class SpoolRoom:
    """Where spools live: nameless ones for one answer, named ones shared by all phones and kept."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._known: dict[Path, Spool] = {}
        self.copying = asyncio.Semaphore(COPYING_MAX)
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob("*.growing"):
            if time.time() - left_over.stat().st_mtime > ABANDONED_SECONDS:  # not a neighbouring worker's
                left_over.unlink(missing_ok=True)

    def nameless(self) -> Spool:
        """Open a spool for one answer; its disk space is free again when the last reader lets go."""
        file, name = tempfile.mkstemp(dir=self._folder, suffix=".nameless")
        os.unlink(name)
        return Spool(file)

    def named(self, org_id: str, table: str, version: str) -> tuple[Spool, bool]:
        """Give the spool of this version of a table, and whether the caller must fill it."""
        family = hashlib.sha256(f"{org_id}\0{table}".encode()).hexdigest()[:24]
        path = self._folder / f"{family}-{version}.spool"
        known = self._known.get(path)
        if known is not None and not known.broken:
            return known, False
        self._forget_others(family, path)
        spool = _whole(path)
        if spool is None:
            # A name of its own: one that was forgotten while it grew, for a newer version, may still grow.
            file, growing = tempfile.mkstemp(dir=self._folder, prefix=f"{path.stem}.", suffix=".growing")
            spool = Spool(file, growing=Path(growing), path=path)
        self._known[path] = spool
        return spool, not spool.whole

    def clear(self) -> None:
        """Forget every file that is kept; who reads one reads it to its end. A pull fills it anew."""
        self._known.clear()
        for path in [*self._folder.glob("*.spool"), *self._folder.glob("*.growing")]:
            path.unlink(missing_ok=True)

    def _forget_others(self, family: str, wanted: Path) -> None:
        for path in [p for p in self._known if p.name.startswith(family)]:
            del self._known[path]
        for path in self._folder.glob(f"{family}-*.spool"):
            if path != wanted:
                path.unlink(missing_ok=True)
        self._make_room()

    def _make_room(self) -> None:
        found = []
        for path in self._folder.glob("*.spool"):
            with contextlib.suppress(FileNotFoundError):  # a neighbouring worker was faster
                found.append((path.stat(), path))
        kept = sorted(found, key=lambda one: -one[0].st_mtime)
        total = 0
        for stat, path in kept:
            total += stat.st_size
            if total > self._bytes_max:
                path.unlink(missing_ok=True)
                self._known.pop(path, None)
