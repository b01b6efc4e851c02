"""PostgreSQL for tests: one cluster for the whole session, a database of its own for each test.

Owns: the session's cluster, which all xdist workers share, and its templates.
Must not know: what a test does.
Invariant: no test sees another's rows; the last worker to leave stops the cluster and removes its files, and what a killed
session left is removed by the next.

The session's cluster runs with fsync off, in memory where there is a large tmpfs: it is thrown away and nobody cuts its
power, and a database then costs 15 ms in place of 200. Tests of crashes and of durability use `durable_cluster`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from sync_server.operate import sockets
from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from sync_server.operate.postmaster import find_postmaster

PREFIX = "cotton-tests-"
ABANDONED_SECONDS = 3_600
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 2**30
"""A database takes 10 MiB and more; containers often have 64 MiB of shared memory only."""


def _base() -> Path:
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN
    return MEMORY if in_memory else Path(tempfile.gettempdir())


def session_folder() -> Path:
    """Name the folder of this test session: the same in all its xdist workers."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}"
    return _base() / f"{PREFIX}{os.geteuid()}-{session[:12]}"


@contextmanager
def session_cluster() -> Iterator[Cluster]:
    """Share the session's cluster; whoever leaves last stops it and removes its files."""
    remove_abandoned()
    folder = session_folder()
    cluster = Cluster(folder, durable=False)
    cluster.start()
    try:
        yield cluster
    finally:
        if cluster.release():
            shutil.rmtree(folder)


@contextmanager
def durable_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster as production does, fsync on, for tests that kill it."""
    cluster = Cluster(folder)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.release()


def remove_abandoned() -> None:
    """Remove the clusters of sessions that were killed an hour ago or earlier."""
    for folder in _base().glob(f"{PREFIX}{os.geteuid()}-*"):
        lock = folder / "users.lock"
        if not lock.exists() or time.time() - lock.stat().st_mtime < ABANDONED_SECONDS:
            continue
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            stop_orphan(folder)
            shutil.rmtree(folder, ignore_errors=True)


def stop_orphan(folder: Path) -> None:
    """Stop the postmaster that a killed process left running below `folder`, and remove its short socket folder."""
    elsewhere = [each for each in sockets.folders(folder) if each.parent != folder]
    while (postmaster := find_postmaster(folder / "cluster")) is not None:
        os.kill(postmaster.pid, signal.SIGQUIT)
        time.sleep(0.05)
    for short in elsewhere:
        shutil.rmtree(short, ignore_errors=True)


async def ensure_template(cluster: Cluster, name: str, fill: Callable[[str], Awaitable[object]]) -> None:
    """Make the template database `name` once for the session, filled by `fill(url)`; other workers wait for it."""
    with (cluster.folder / f"{name}.lock").open("a+") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        made = cluster.folder / f"{name}.made"
        if made.exists():
            return
        await drop_database(cluster, name)
        await admin(cluster, f'CREATE DATABASE "{name}" OWNER cotton')
        await fill(cluster.url(name))
        made.touch()


async def migrated_template(cluster: Cluster) -> str:
    """Make the template of an empty, migrated database; give its name."""
    await ensure_template(cluster, "template_migrated", migrate_up)
    return "template_migrated"


async def create_database(cluster: Cluster, name: str, template: str) -> str:
    """Copy `template` to a new database; give its URL."""
    await admin(cluster, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy OWNER cotton')
    return cluster.url(name)


async def drop_database(cluster: Cluster, name: str) -> None:
    """Drop a database, cutting whoever is still connected."""
    await admin(cluster, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def connections_to(cluster: Cluster, name: str, *, patience_seconds: float = 2.0) -> int:
    """Count who is still connected to a database; PostgreSQL needs a moment to notice who left."""
    deadline = time.monotonic() + patience_seconds
    connection = await asyncpg.connect(cluster.url("postgres", admin=True))
    try:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'"
        while (left := await connection.fetchval(count, name)) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    return int(left)


async def admin(cluster: Cluster, statement: str) -> None:
    """Run one statement as the superuser."""
    connection = await asyncpg.connect(cluster.url("postgres", admin=True))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
