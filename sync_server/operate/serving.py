"""Serve until told to stop: one process, its signals, and the embedded PostgreSQL beside it.

Owns: the event loop, listening, draining, and bringing the embedded PostgreSQL back when it dies.
Must not know: what is served.
Invariant: after SIGTERM no request is begun, every one under way is answered or has had `drain_seconds`, and only then are
connections closed and PostgreSQL stopped (tests/integration/test_serving.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog
import uvloop
from aiohttp import web

from sync_server.app import create_app, make_runner
from sync_server.config import Settings
from sync_server.operate.launch import PostgresFailed
from sync_server.operate.metrics_listener import metrics_of
from sync_server.operate.postgres import Cluster
from sync_server.operate.traces import tracing
from sync_server.web.draining import FLIGHTS

_Result = TypeVar("_Result")

STOPS: Final = (signal.SIGTERM, signal.SIGINT)
WATCH_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 5.0
"""Between two tries to start a PostgreSQL that does not start: a full disk is not emptied faster by asking."""

BACKLOG: Final = 1024
"""Connections the kernel may keep for us; a morning's phones all come back at once."""

log = structlog.get_logger(__name__)


class CannotListen(Exception):
    """The address cannot be listened on; the message says why."""


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run `work` on uvloop to its end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def collect_rarely() -> None:
    """Let the garbage collector look at what requests leave behind only now and then, and never at what stays.

    Almost nothing here is in cycles, so reference counts free it. Looked through at the usual pace, a push of 1 000 records
    stood still for up to 60 ms in a process of tests; now it is every 50 000 objects, and old ones rarely.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def serve(
    settings: Settings,
    url: str,
    *,
    announce: Callable[[str], None],
    reuse_port: bool = False,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve the database at `url` until SIGTERM, SIGINT or `stop`; call `announce(address)` once it listens.

    Raises CannotListen, `traces.NoTraces`, and what opening the database raises.
    """
    stop = stop or asyncio.Event()
    stop_on_signals(stop)
    with tracing(settings):
        await _serve(settings, url, announce, stop, reuse_port=reuse_port)


async def _serve(
    settings: Settings, url: str, announce: Callable[[str], None], stop: asyncio.Event, *, reuse_port: bool
) -> None:
    app = create_app(settings, url)
    runner = make_runner(app)
    try:
        await (
            runner.setup()
        )  # in here: what has begun when a later part cannot is ended in its order, the database last
        collect_rarely()
        async with _telling(app, settings):
            site = web.TCPSite(runner, settings.host, settings.port, reuse_port=reuse_port, backlog=BACKLOG)
            try:
                await site.start()
            except OSError as error:
                raise cannot_listen(settings, error) from error
            announce(address_of(settings.host, runner.addresses[0][1]))
            await stop.wait()
            log.info("draining", seconds_max=settings.drain_seconds)
            await site.stop()
            cut = await app[FLIGHTS].drain(settings.drain_seconds)
            log.log(logging.WARNING if cut else logging.INFO, "drained", requests_cut_off=cut)
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _telling(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    """Tell metrics to whoever asks, until the block ends. Raises CannotListen."""
    async with contextlib.AsyncExitStack() as telling:
        try:
            await telling.enter_async_context(metrics_of(app, settings))
        except OSError as error:
            raise cannot_tell(settings, error) from error
        yield


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` at the first SIGTERM or SIGINT; a second one ends the process without waiting."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        for each in STOPS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        stop.set()

    for each in STOPS:
        loop.add_signal_handler(each, told)


def stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when our standard input ends: our parent, who holds its other end, is gone."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), readable)


def address_of(host: str, port: int) -> str:
    """Write the address a person can open.

    >>> address_of("0.0.0.0", 8080), address_of("::1", 80)
    ('http://127.0.0.1:8080', 'http://[::1]:80')
    """
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - names it, does not bind
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def cannot_listen(settings: Settings, error: OSError) -> CannotListen:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return CannotListen(
        f"{settings.host} port {settings.port} cannot be listened on: {reason}. Stop what uses it, or choose another with "
        "PORT= (make) or COTTON_PORT."
    )


def cannot_tell(settings: Settings, error: OSError) -> CannotListen:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return CannotListen(
        f"{settings.metrics_host} port {settings.metrics_port} cannot be listened on for metrics: {reason}. Stop what uses it, "
        "or choose another with COTTON_METRICS_PORT."
    )


@contextlib.asynccontextmanager
async def kept_running(cluster: Cluster | None) -> AsyncIterator[None]:
    """Bring the embedded PostgreSQL back whenever it dies, until the block ends."""
    if cluster is None:
        yield
        return
    keeper = asyncio.create_task(_keep_running(cluster))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_running(cluster: Cluster) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if cluster.is_up():
            continue
        log.warning("postgresql_died")
        try:
            await asyncio.to_thread(cluster.start, make=False)
            log.warning("postgresql_restarted")
        except (PostgresFailed, OSError, subprocess.SubprocessError) as error:
            log.error("postgresql_does_not_start", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)
