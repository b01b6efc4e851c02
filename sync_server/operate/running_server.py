"""The doctor's look at what runs beside the database: the server itself, Redis, the disk of the spools, the age of keys.

Owns: who is asked, and how much is too much.
Must not know: how a server or Redis works.
Invariant: a service that hangs is found out in `ANSWER_SECONDS`, and no password is ever part of a finding
(tests/integration/test_doctor.py).
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from sync_server.config import Settings
from sync_server.identity.keyring import key_files
from sync_server.operate.findings import Finding, judged

ANSWER_SECONDS: Final = 3.0
KEY_DAYS: Final = 365
"""After which the signing key should have been followed by another."""


def examine_port(settings: Settings) -> Iterator[Finding]:
    """Say whether the port is free, or a server of ours has it and works."""
    address = f"{settings.host} port {settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _ask(settings.host, settings.port, "/healthz")[0] == 200:
                yield from _running(settings, address)
                return
            taken = error.errno == errno.EADDRINUSE
            other_port = "Another program has it: stop it, or choose another: PORT=."
            mend = other_port if taken else "Set COTTON_HOST to an address of this machine."
            yield Finding(f"{address} is not free: {error.strerror}", mend)
        else:
            yield Finding(f"{address} is free")


def _running(settings: Settings, address: str) -> Iterator[Finding]:
    status, told = _ask(settings.host, settings.port, "/readyz")
    why = "" if status == 200 else f": {told.get('detail') or told.get('title') or 'no answer'}"
    yield judged(
        f"Cotton Sync serves {address} and is {'ready' if status == 200 else f'not ready{why}'}",
        wrong=status != 200,
        mend="Mend what is said below of the database and its schema; the end of the log says more.",
    )
    for number in range(settings.workers if settings.metrics_port else 0):
        port = (settings.metrics_port or 0) + number
        status, _ = _ask(settings.metrics_host, port, "/metrics")
        yield judged(
            f"GET /metrics of process {number + 1} at {settings.metrics_host} port {port} answers {status or 'nothing'}",
            wrong=status != 200,
            mend="The process hangs or died (worker_died in the log), or was started with other COTTON_METRICS_… settings.",
        )


def _ask(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Ask a server; 0: it does not answer, or not in HTTP."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(65_536)
        return answer.status, json.loads(body) if "json" in (answer.getheader("Content-Type") or "") else {}
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - names it, does not bind


def examine_redis(settings: Settings) -> Iterator[Finding]:
    """Say whether the Redis of the limits and the bus answer."""
    lost = {
        "redis_url": "Logins and codes are refused while it is away",
        "bus_url": "Processes hear of each other's changes up to 0.25 s later, and presence stops at each",
    }
    for name, so in lost.items():
        url = getattr(settings, name)
        if url is not None:
            fault = asyncio.run(_fault_of(url))
            where = f"COTTON_{name.upper()} at {urlsplit(url).hostname} port {urlsplit(url).port or 6379}"
            what = f"{where} {'answers' if fault is None else f'does not answer: {fault}'}"
            yield judged(what, wrong=fault is not None, mend=f"{so}: start it, or correct the variable.")


async def _fault_of(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    plain = f"{scheme.removesuffix('+cluster')}://{rest}"
    made: Any = RedisCluster if scheme.endswith("+cluster") else Redis
    patience = {"socket_connect_timeout": ANSWER_SECONDS}
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS), made.from_url(plain, **patience) as client:
            await client.ping()
    except (RedisError, OSError, TimeoutError) as fault:
        return type(fault).__name__
    return None


def examine_spools(settings: Settings) -> Iterator[Finding]:
    """Say whether the disk has room for what spools and slices may still take."""
    folder = settings.data / "spools"
    if not folder.is_dir():
        return
    used = sum(_size(path) for path in folder.rglob("*"))
    allowed = settings.spool_bytes_max + settings.slice_bytes_max
    free = shutil.disk_usage(folder).free
    yield judged(
        f"spools in {folder} take {used / 2**30:.1f} of {allowed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
        wrong=allowed - used > free,
        mend="They may grow until the disk is full: lower COTTON_SPOOL_BYTES_MAX and COTTON_SLICE_BYTES_MAX, or free some.",
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # a spool was let go of meanwhile
        return 0


def examine_key_age(ring: Path) -> Iterator[Finding]:
    """Say how old the newest signing key is."""
    files = key_files(ring)
    if files:
        days = (time.time() - max(path.stat().st_mtime for path in files)) / 86_400
        yield judged(
            f"the newest signing key in {ring} is {days:.0f} days old",
            wrong=days > KEY_DAYS,
            mend="`cotton-sync keys rotate`; nobody notices.",
        )
