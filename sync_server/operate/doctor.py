"""The doctor: what is wrong with the set-up and with what runs, and how to mend it.

Owns: the examinations, in the order in which a person would mend what they find; here, those of the set-up.
Must not know: how the server works when all is well.
Invariant: it changes nothing, makes nothing, and every finding that is wrong says what to do
(tests/integration/test_command_line.py, tests/integration/test_doctor.py).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg

from sync_server.config import Settings, misspelt
from sync_server.identity.keyfile import UnusableKey, open_key
from sync_server.identity.keyring import key_files
from sync_server.operate import setup
from sync_server.operate.findings import Finding
from sync_server.operate.launch import PostgresFailed, package
from sync_server.operate.running_database import examine_database
from sync_server.operate.running_server import examine_key_age, examine_port, examine_redis, examine_spools
from sync_server.operate.standing import report
from sync_server.store.database import APP_ROLE

PYTHON_MIN: Final = (3, 11)

FREE_BYTES_MIN: Final = 2 * 2**30
"""max_wal_size, and some data; PostgreSQL stops when the disk is full."""


def examine(settings: Settings) -> list[Finding]:
    """Examine the set-up that `settings` describe, and what runs. Cost: a second if the embedded PostgreSQL must be started."""
    return [
        *_python(),
        *_settings(),
        *_data_folder(settings.data),
        *_disk(settings.data),
        *_keys(settings.key_ring),
        *examine_key_age(settings.key_ring),
        *examine_spools(settings),
        *examine_port(settings),
        *examine_redis(settings),
        *_database(settings),
    ]


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < PYTHON_MIN
    yield Finding(
        f"Python {version}", "Python 3.11 or newer is needed: install it and run `make setup`." if old else None
    )


def _settings() -> Iterator[Finding]:
    for warning in misspelt():
        yield Finding(warning, "Correct the name of the variable, or unset it.")


def _data_folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        parent = next(path for path in folder.parents if path.exists())
        mend = (
            None
            if os.access(parent, os.W_OK)
            else f"Make {parent} writable for this user, or choose another folder: DATA=."
        )
        yield Finding(f"data folder {folder} will be made at the first start", mend)
        return
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            f"data folder {folder} cannot be written", f"`chown` it to uid {os.geteuid()}, or choose another: DATA=."
        )
        return
    open_to_all = folder.stat().st_mode & stat.S_IWOTH
    yield Finding(f"data folder {folder}", f"Everybody can write it: `chmod o-w {folder}`." if open_to_all else None)


def _disk(folder: Path) -> Iterator[Finding]:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    mend = None if free >= FREE_BYTES_MIN else "Free some disk space (2 GiB at least), or choose another disk: DATA=."
    yield Finding(f"{free / 2**30:.1f} GiB of disk space are free", mend)


def _keys(ring: Path) -> Iterator[Finding]:
    paths = key_files(ring)
    if not paths:
        yield Finding(f"signing key in {ring} will be made at the first start")
    for path in paths:
        yield from _key(path)


def _key(path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            f"signing key {path} can be read by others", f"`chmod 600 {path}`; if others may have read it, delete it."
        )
        return
    try:
        open_key(path)
    except (UnusableKey, OSError) as error:
        yield Finding(
            f"signing key {path}: {error}", "Restore it from a backup, or delete it: everybody then logs in again."
        )
    else:
        yield Finding(f"signing key {path}")


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None and not (settings.data / "postgres" / "cluster").exists():
        yield from _embedded_to_be_made()
        return
    try:
        with setup.opened(settings) as (url, _):
            yield from asyncio.run(_examine_database(settings, url))
    except setup.NotServable as error:
        yield Finding("the database cannot be used", str(error))
    except PostgresFailed as error:
        log = settings.data / "postgres" / "postgres.log"
        yield Finding(f"the embedded PostgreSQL does not run: {error}", f"Read {log}.")


def _embedded_to_be_made() -> Iterator[Finding]:
    try:
        package()
    except PostgresFailed as error:
        yield Finding(str(error), "Run `make setup`, or set COTTON_DATABASE_URL.")
    else:
        yield Finding("the embedded PostgreSQL will be made at the first start")


async def _examine_database(settings: Settings, url: str) -> list[Finding]:
    facts = await setup.server_facts(url)
    setup.check(settings, facts)
    unsafe = ", ".join(f"{name} is off" for name in facts.unsafe)
    standing = await report(url)
    role = await setup.role_fault(url)
    running = await _examine_running(settings, url) if standing.ready else []
    return [
        Finding(f"PostgreSQL {facts.major} answers"),
        Finding(
            unsafe or "fsync, full_page_writes and synchronous_commit are on",
            "A power cut would lose what phones were told is safe: turn it on in postgresql.conf." if unsafe else None,
        ),
        Finding(f"requests are served as {APP_ROLE}", role),
        Finding(f"schema {standing.state.value} at {standing.revision}", None if standing.ready else standing.sentence),
        *running,
    ]


async def _examine_running(settings: Settings, url: str) -> list[Finding]:
    connection = await asyncpg.connect(url, server_settings={"application_name": "cotton-sync doctor"})
    try:
        return [finding async for finding in examine_database(connection, settings)]
    finally:
        await connection.close()
