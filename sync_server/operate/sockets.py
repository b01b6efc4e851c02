"""Where the embedded PostgreSQL puts its Unix socket.

Owns: the folder below the cluster's own, or a short one elsewhere where the path would be too long for a socket.
Must not know: what listens there.
Invariant: every start of a cluster uses the same folder, so that whoever is connected goes on dialling it after a crash,
and nobody else can write to it (tests/integration/test_serving.py, tests/integration/test_embedded_postgres.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PATH_MAX: Final = 100
"""Bytes; the kernel's limit is 108 on Linux and 104 on macOS."""

_NOTE: Final = "socket-folder"


def make_folder(home: Path, longest: str) -> Path:
    """Give the socket folder of the cluster in `home`, made if missing; `longest` is the longest name put into it."""
    folder = home / "socket"
    if len(os.fsencode(folder / longest)) > PATH_MAX:
        folder = _noted(home) or Path(tempfile.mkdtemp(prefix="cotton-socket-"))
        (home / _NOTE).write_text(str(folder))
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def folders(home: Path) -> Iterator[Path]:
    """Give the socket folders that earlier starts of the cluster in `home` may have used."""
    yield home / "socket"
    if (noted := _noted(home)) is not None:
        yield noted


def _noted(home: Path) -> Path | None:
    """Give the short folder of an earlier start, if it is still there and nobody else can write to it."""
    note = home / _NOTE
    folder = Path(note.read_text()) if note.exists() else None
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return None
    found = folder.stat()
    owners = {os.geteuid(), home.stat().st_uid, *(inside.stat().st_uid for inside in home.iterdir())}
    return folder if found.st_uid in owners and not found.st_mode & 0o077 else None
