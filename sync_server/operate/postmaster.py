"""Which postmaster, if any, runs on a data folder.

Owns: reading `postmaster.pid` and telling our postmaster from a process that only inherited its number.
Must not know: how to start or stop one.
Invariant: a pid is reported, and so may be signalled, only if that process is a postmaster of exactly this folder
(tests/integration/test_embedded_postgres.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running postmaster: its pid, the folder of its socket, and whether it accepts connections."""

    pid: int
    socket: Path
    ready: bool


def find_postmaster(data: Path) -> Postmaster | None:
    """Find the postmaster of the cluster `data`, or None."""
    # pid, data folder, start time, port, socket folder, address, shared memory, status: miscadmin.h, LOCK_FILE_LINE_*
    lines = _lock_file(data)
    if not lines or not _is_postmaster_of(int(lines[0]), data):
        return None
    return Postmaster(
        pid=int(lines[0]),
        socket=Path(lines[4]) if len(lines) > 4 else data,
        ready=len(lines) > 7 and lines[7].strip() == "ready",
    )


def forget_stranger(data: Path) -> None:
    """Remove a lock file whose pid is not a postmaster's: PostgreSQL asks only whether there is such a process.

    That is so when pids repeat, as after a reboot of a container, and when a killed postmaster stays a zombie because its
    parent does not wait for it. Call it only while nobody else can start a postmaster.
    """
    lines = _lock_file(data)
    if lines and _exists(int(lines[0])) and not _is_postmaster_of(int(lines[0]), data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def end_orphans(data: Path) -> None:
    """Kill the children of a postmaster of `data` that was killed; one that hangs would keep its successor from starting.

    Call it only when there is no postmaster. They can do no more harm by dying: nobody hears what they might still say,
    and what they had not made durable is rolled back. Where there is no /proc they are left to notice by themselves.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            theirs = (entry / "cwd").readlink() == data and _command(int(entry.name)).startswith("postgres:")
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if theirs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)


def _lock_file(data: Path) -> list[str]:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    return lines if lines and lines[0].isdigit() else []


def _is_postmaster_of(pid: int, data: Path) -> bool:
    command = _command(pid)
    return "postgres" in command and str(data) in command


def _command(pid: int) -> str:
    """Read the command line of `pid`; empty if there is no such process or it is a zombie."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    if not _exists(pid):
        return ""
    listing = subprocess.run(  # noqa: S603
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
