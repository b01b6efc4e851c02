"""The embedded PostgreSQL: one cluster below one folder, on a private socket.

Owns: making the cluster, starting and stopping its postmaster, and attaching to one that already runs.
Must not know: what is in the databases.
Invariant: however we or PostgreSQL die, the next start finds the cluster, recovers it or attaches to it, and never
runs two postmasters on it (tests/integration/test_embedded_postgres.py).

Files below the folder: `cluster` (PGDATA), `socket` (mode 0700, no TCP), `password` (of both roles), `postgres.log`, and
two lock files. `start.lock` is held while the postmaster is started or stopped. `users.lock` is held shared by every
process that uses the cluster; whoever lets go last stops the postmaster. The kernel drops the lock of a process that is
killed, so a crash leaves a running postmaster and no false count; the next user attaches to it and stops it in the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote, urlencode

from sync_server.operate import sockets
from sync_server.operate.launch import Launch, PostgresFailed, choose_launch
from sync_server.operate.postgres_settings import FORGETFUL, PORT, SETTINGS
from sync_server.operate.postmaster import Postmaster, end_orphans, find_postmaster, forget_stranger

START_SECONDS_MAX: Final = 300
"""Seconds; recovery after a crash replays at most max_wal_size."""

STOP_SECONDS_MAX: Final = 30
"""Seconds for a fast shutdown, then an immediate one; both are safe, the second recovers at the next start."""

PAUSE_SECONDS: Final = 0.02
LOG_BYTES_MAX: Final = 16 * 2**20

SHARED_MEMORY_LEFT: Final = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
"""What PostgreSQL says while the children of a killed postmaster are still ending."""


class Cluster:
    """An embedded cluster below `folder`; `durable=False` trades safety against power cuts for speed, for tests.

    Blocking: call it before the event loop runs, or in a thread.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self._settings = SETTINGS if durable else SETTINGS | FORGETFUL
        self._share: IO[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._launch: Launch | None = None

    @property
    def data(self) -> Path:
        return self.folder / "cluster"

    def start(self, *, make: bool = True) -> None:
        """Start the postmaster if it does not run; make the cluster first if there is none. Raises PostgresFailed.

        `make=False`: a cluster that is gone is a disaster to be told, not a reason to begin anew with an empty one.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            share = self._share or _locked(self.folder / "users.lock", fcntl.LOCK_SH)
            try:
                self._start(make=make)
                self._share = share
            finally:
                if self._share is None:
                    share.close()

    def _start(self, *, make: bool) -> None:
        if self._is_up_soon():
            return
        self._launch = self._launch or choose_launch(self.folder)
        if not self.data.exists():
            if not make:
                raise PostgresFailed(f"the cluster {self.data} is gone")
            self._make_cluster(self._launch)
        self._start_postmaster(self._launch)

    def release(self) -> bool:
        """Let go of the cluster; stop its postmaster if nobody else uses it. Says whether it was stopped."""
        if self._share is None:
            return False
        with self._alone():
            try:
                fcntl.flock(self._share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            else:
                self._stop_postmaster()
                return True
            finally:
                self._share.close()
                self._share = None

    def url(self, database: str = "cotton", *, admin: bool = False) -> str:
        """Say how to connect to `database`: as the role that owns ours, or as the superuser. It must be running."""
        postmaster = self.postmaster()
        if postmaster is None:
            raise PostgresFailed(f"the embedded PostgreSQL in {self.folder} is not running")
        password = (self.folder / "password").read_text().strip()
        where = urlencode({"host": str(postmaster.socket), "port": PORT})
        return f"postgresql://{'postgres' if admin else 'cotton'}:{quote(password)}@/{quote(database)}?{where}"

    def postmaster(self) -> Postmaster | None:
        """Find the running postmaster of this cluster, whoever started it. Cost: reads two small files."""
        if self._child is not None:
            self._child.poll()  # reaps it: a zombie would look alive
        return find_postmaster(self.data)

    def is_up(self) -> bool:
        postmaster = self.postmaster()
        return postmaster is not None and postmaster.ready

    # --- Making -------------------------------------------------------------------------------------------------------

    def _make_cluster(self, launch: Launch) -> None:
        """Run initdb beside and rename: a cluster that is half made is never mistaken for a whole one."""
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(32) + "\n")
        for path in (fresh, password):
            launch.give(path)
        launch.run(
            "initdb",
            *("--pgdata", str(fresh), "--username=postgres", "--pwfile", str(password), "--auth=scram-sha-256"),
            # The built-in locale sorts the same on every machine; the C library's changes with its version.
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            # Iterations slow down guessing; 256 random bits are not guessed, and each connection pays for them.
            *("--set", "scram_iterations=1", "--data-checksums"),
            *(() if self._settings["fsync"] == "on" else ("--no-sync",)),
        )
        make = f"CREATE ROLE cotton LOGIN PASSWORD '{password.read_text().strip()}';\nCREATE DATABASE cotton OWNER cotton;\n"
        make += "CREATE ROLE cotton_app NOLOGIN;\nGRANT cotton_app TO cotton;\n"  # as store/walls.py:found_role does
        launch.run("postgres", "--single", "-D", str(fresh), "postgres", text=make)
        fresh.rename(self.data)

    # --- Starting -----------------------------------------------------------------------------------------------------

    def _is_up_soon(self) -> bool:
        """Wait for a postmaster that is starting or stopping; say whether one is up then."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while (postmaster := self.postmaster()) is not None:
            if postmaster.ready:
                return True
            if time.monotonic() > deadline:
                raise PostgresFailed(f"the PostgreSQL in {self.folder} (pid {postmaster.pid}) does not become ready")
            time.sleep(PAUSE_SECONDS)
        return False

    def _start_postmaster(self, launch: Launch) -> None:
        settings = self._settings | {"unix_socket_directories": str(self._socket_folder(launch))}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        path = self.folder / "postgres.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self._clear_away()
            with path.open("ab") as log:
                begun_at = log.tell()
                self._child = launch.start("postgres", "-D", str(self.data), *arguments, log=log)
            if self._is_up_before_its_end(self._child, deadline):
                return
            words = path.read_bytes()[begun_at:].decode(errors="replace").strip()
            if time.monotonic() > deadline or not any(sign in words for sign in SHARED_MEMORY_LEFT):
                raise PostgresFailed(f"PostgreSQL does not start in {self.folder}: {words[-1000:]} (all of it: {path})")
            end_orphans(self.data)
            time.sleep(PAUSE_SECONDS)

    def _clear_away(self) -> None:
        """Clear away what a killed postmaster left: its zombie, and lock files that a stranger's pid would keep alive."""
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_SECONDS_MAX)
        forget_stranger(self.data)
        for folder in sockets.folders(self.folder):
            (folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _is_up_before_its_end(self, child: subprocess.Popen[bytes], deadline: float) -> bool:
        while child.poll() is None:
            if self.is_up():
                return True
            if time.monotonic() > deadline:
                child.kill()
                child.wait()
                return False
            time.sleep(PAUSE_SECONDS)
        return False

    def _socket_folder(self, launch: Launch) -> Path:
        folder = sockets.make_folder(self.folder, f".s.PGSQL.{PORT}.lock")
        launch.give(folder)
        return folder

    # --- Stopping -----------------------------------------------------------------------------------------------------

    def _stop_postmaster(self) -> None:
        """Stop fast: end the sessions, write a checkpoint; an interrupted stop is recovered from at the next start."""
        for end in (signal.SIGINT, signal.SIGQUIT):
            postmaster = self.postmaster()
            if postmaster is None:
                return
            os.kill(postmaster.pid, end)
            deadline = time.monotonic() + STOP_SECONDS_MAX
            while self.postmaster() is not None and time.monotonic() < deadline:
                time.sleep(PAUSE_SECONDS)
            if postmaster.socket.parent != self.folder:
                shutil.rmtree(postmaster.socket, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with _locked(self.folder / "start.lock", fcntl.LOCK_EX):
            yield


def _locked(path: Path, how: int) -> IO[str]:
    """Open `path` and lock it; closing it, or dying, unlocks it."""
    file = path.open("a")
    fcntl.flock(file, how)
    return file
