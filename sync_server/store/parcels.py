"""Parcels: answers that phones fetch in pieces, kept on disk until they have them.

Owns: the files, whose they are, how long they stay and how much disk they take.
Must not know: what is in them, HTTP.
Invariant: a piece that is given is whole, and the same however often it is asked for, also after the process or the machine
was killed; only who knows the name of a parcel, and is its owner, gets a piece of it (tests/integration/test_slices.py).

A parcel is one file: the pieces one after the other, then a line of a ledger for each, then the trailer. It grows under another
name and is renamed once all of it is on disk, so that what can be found is whole. All processes of a machine share the folder.
The file's name says neither the owner nor the name that the owner knows, only hashes of them.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync_server.store.spool import ABANDONED_SECONDS, BLOCK_BYTES

KEPT_OF_OWNER: Final = 2
"""Parcels of one owner that are kept, the newest: a request that was doubled on its way has made two at once."""

_LINE: Final = struct.Struct(">QQQQ")
"""Of the ledger: where the piece begins, its length, rows and bytes that are still to come after it."""

_TRAILER: Final = struct.Struct(">4sQQQQ")
"""`_MAGIC`, when it was made in seconds since 1970, the seal, where the ledger begins, how many pieces there are."""

LONGEST_SECONDS: Final = 12 * 3600
"""How long a parcel stays however often it is asked for: 80 MB at 2 kB a second. Less than the shortest memory of the log."""

_MAGIC: Final = b"PRC1"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoRoom(Exception):
    """There is no room on disk for another parcel; nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a parcel, and what is still to come after it."""

    content: bytes
    last: bool
    rows_after: int
    bytes_after: int
    seal: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a ledger says of a piece: how long it is, and what is still to come after it."""

    length: int
    rows_after: int
    bytes_after: int


class Parcel:
    """A parcel that is being filled; it can be found once it is finished."""

    def __init__(self, growing: Path, path: Path, file: int, name: str, room: int) -> None:
        self.name = name
        self._growing, self._path, self._file, self._room = growing, path, file, room
        self._pending = bytearray()
        self._size = 0

    async def write(self, content: bytes) -> None:
        """Append a piece. Raises `NoRoom`."""
        self._pending += content
        self._size += len(content)
        if self._size > self._room:  # what others write meanwhile is not counted
            raise NoRoom
        if len(self._pending) >= BLOCK_BYTES:
            block, self._pending = self._pending, bytearray()
            await asyncio.to_thread(self._append, block)

    async def finish(self, ledger: Sequence[Line], seal: int) -> None:
        """Write the ledger, a line for each piece, and let the parcel be found. Raises `NoRoom`."""
        start, lines = 0, bytearray()
        for line in ledger:
            lines += _LINE.pack(start, line.length, line.rows_after, line.bytes_after)
            start += line.length
        assert start == self._size, "the ledger does not tell of what was written"
        block = self._pending + lines + _TRAILER.pack(_MAGIC, int(time.time()), seal, start, len(ledger))
        await asyncio.to_thread(self._publish, block)

    def discard(self) -> None:
        """Let go of what was written, unless it is finished."""
        self._growing.unlink(missing_ok=True)

    def _publish(self, block: bytearray) -> None:
        self._append(block)
        os.fsync(self._file)  # first what is in it, then its name: after a power cut there is all of it or nothing
        os.replace(self._growing, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _append(self, block: bytearray) -> None:
        left = memoryview(block)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as failure:
            if failure.errno in _FULL:
                raise NoRoom from failure
            raise

    def __del__(self) -> None:
        os.close(self._file)  # not before: a thread may still write when its request is cancelled


class ParcelRoom:
    """Where parcels are. `seconds`: how long one stays that nobody asks for; `bytes_max`: for all of them together."""

    def __init__(self, folder: Path, *, bytes_max: int, seconds: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._seconds = seconds
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep()

    async def begin(self, owner: str) -> Parcel:
        """Begin a parcel of `owner`, under a new name that nobody can guess. Raises `NoRoom`."""
        return await asyncio.to_thread(self._begin, owner)

    async def finish(self, owner: str, parcel: Parcel, ledger: Sequence[Line], seal: int) -> None:
        """Let the parcel be found, and the owner's older ones no longer. Raises `NoRoom`."""
        await parcel.finish(ledger, seal)
        await asyncio.to_thread(self._forget_older, owner)

    async def read(self, owner: str, name: str, place: int) -> Piece | None:
        """Give the piece at `place`, from 0, of a parcel; None: `owner` has no such parcel (any more), or it no such piece."""
        return await asyncio.to_thread(self._read, _path(self._folder, owner, name), place)

    def sweep(self) -> None:
        """Remove what is too old."""
        now = time.time()
        for path, stat in self._files():
            oldest = ABANDONED_SECONDS if path.suffix == ".growing" else self._seconds
            if now - stat.st_mtime > oldest:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every parcel: who asks for a piece of one begins again, and loses nothing."""
        for path, _ in self._files():
            path.unlink(missing_ok=True)

    def _begin(self, owner: str) -> Parcel:
        self.sweep()
        room = self._bytes_max - sum(stat.st_size for _, stat in self._files())
        if room <= 0:
            raise NoRoom
        name = secrets.token_urlsafe(32)
        path = _path(self._folder, owner, name)
        try:
            file, growing = tempfile.mkstemp(dir=self._folder, prefix=f"{path.stem}.", suffix=".growing")
        except OSError as failure:
            if failure.errno in _FULL:
                raise NoRoom from failure
            raise
        return Parcel(Path(growing), path, file, name, room)

    def _read(self, path: Path, place: int) -> Piece | None:
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            stat = os.fstat(file)
            if time.time() - stat.st_mtime > self._seconds:
                return None
            os.utime(file)  # a phone that is still at it, however slowly, is not too late
            return _piece(file, stat.st_size, place)
        finally:
            os.close(file)

    def _forget_older(self, owner: str) -> None:
        own = [(stat.st_mtime_ns, path) for path, stat in self._files(f"{_digest(owner)}-*.parcel")]
        for _, path in sorted(own, reverse=True)[KEPT_OF_OWNER:]:
            path.unlink(missing_ok=True)

    def _files(self, pattern: str = "*") -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.glob(pattern):
            try:
                yield path, path.stat()
            except FileNotFoundError:  # a neighbouring worker was faster
                continue


def _path(folder: Path, owner: str, name: str) -> Path:
    return folder / f"{_digest(owner)}-{_digest(name)}.parcel"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _piece(file: int, size: int, place: int) -> Piece | None:
    trailer = os.pread(file, _TRAILER.size, max(size - _TRAILER.size, 0))
    if not trailer.startswith(_MAGIC) or len(trailer) < _TRAILER.size:
        return None  # of a disk that did not keep what it had said it kept
    _, made, seal, ledger, count = _TRAILER.unpack(trailer)
    if not 0 <= place < count or time.time() - made > LONGEST_SECONDS:
        return None
    line = os.pread(file, _LINE.size, ledger + place * _LINE.size)
    start, length, rows_after, bytes_after = _LINE.unpack(line)
    return Piece(os.pread(file, length, start), place == count - 1, rows_after, bytes_after, seal)
