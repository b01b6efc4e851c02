"""Blobs: bytes under names, in a folder or in S3.

Owns: the object store, and when bytes count as stored.
Must not know: attachments, uploads, who asks.
Invariant: what `put` returned for is there after a power cut; a name holds all of its bytes or nothing
(tests/integration/test_blobs.py).

obstore writes a local file under a passing name and renames it, but leaves it to the kernel when it reaches the disk; so a
local put ends with fsync of the file and of the folders that name it. S3 answers when it has the bytes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

STEP_BYTES: Final = 256 * 1024
"""What a stream gives at once."""

_Store: TypeAlias = Any
"""obstore's union of stores, which mypy cannot hand on from one call to the next."""


class StoreFailed(Exception):
    """The store did not take or give the bytes: it is full, away, or they are gone. Nothing half-done is left under a name."""


class Blobs:
    """One object store; `root`: where it is if it is a folder."""

    def __init__(self, store: _Store, root: Path | None = None) -> None:
        self._store = store
        self._root = root

    @classmethod
    def open(cls, place: str) -> Blobs:
        """Open a folder, making it if it is missing, or `s3://bucket/prefix`. Raises OSError. Blocks for 1 ms."""
        if "://" in place:
            return cls(from_url(place))
        root = Path(place)
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(LocalStore(root), root)

    async def put(self, name: str, data: bytes) -> None:
        """Store `data` durably. Raises `StoreFailed`."""
        with _told():
            await obstore.put_async(self._store, name, data)
            if self._root is not None:
                await asyncio.to_thread(_to_disk, self._root, self._root / name)

    async def read(self, name: str) -> bytes:
        """Give all bytes of a name. Raises `StoreFailed`."""
        with _told():
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())

    async def size(self, name: str) -> int:
        """Count the bytes of a name. Raises `StoreFailed`."""
        with _told():
            return int((await obstore.head_async(self._store, name))["size"])

    async def stream(self, name: str, begin: int, end: int) -> AsyncIterator[bytes]:
        """Give the bytes from `begin` to before `end`, `STEP_BYTES` at a time. Raises `StoreFailed`, also within."""
        for start in range(begin, end, STEP_BYTES):
            with _told():
                piece = await obstore.get_range_async(self._store, name, start=start, end=min(end, start + STEP_BYTES))
            yield bytes(piece)

    async def remove(self, below: str) -> int:
        """Remove every name below `below`; give how many there were. Raises `StoreFailed`; then it may be done again.

        Of a folder nothing is left: no empty folder, and not what a killed process was writing, which obstore does not list.
        """
        removed = 0
        with _told():
            async for batch in obstore.list(self._store, prefix=below):
                names = [entry["path"] for entry in batch]
                await obstore.delete_async(self._store, names)
                removed += len(names)
            if self._root is not None:
                await asyncio.to_thread(_clear, self._root / below)
        return removed


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as failure:
        raise StoreFailed(type(failure).__name__) from failure


def _clear(folder: Path) -> None:
    with suppress(FileNotFoundError):  # there was nothing, or somebody else was quicker
        shutil.rmtree(folder)


def _to_disk(root: Path, path: Path) -> None:
    """Wait until a file and the folders on the way to it are on disk."""
    above = [folder for folder in path.parents if folder == root or root in folder.parents]
    for one in (path, *above):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
