"""Files that only grow, a line at a time, whoever else appends.

Owns: appending to the disk, wholly or not at all.
Must not know: what a line says.
Invariant: a line that a crash left half-written is no line, and the next one does not become a part of it
(tests/unit/test_heads.py, tests/integration/test_erasures.py).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def append(path: Path, lines: bytes) -> None:
    """Append lines, to the disk. Raises OSError, and leaves the file as it was. Blocks, also for others who append."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _cut_torn_line(file)
        size = os.fstat(file).st_size
        try:
            with os.fdopen(os.dup(file), "wb") as sink:
                sink.write(lines)
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)


def _cut_torn_line(file: int) -> None:
    """Take a line away that a crash left half-written: nobody was told that it is there."""
    size = end = os.fstat(file).st_size
    while end > 0 and os.pread(file, 1, end - 1) != b"\n":
        end -= 1
    if end < size:
        os.ftruncate(file, end)
