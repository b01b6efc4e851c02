"""Several server processes on one port.

Owns: starting them, starting a dead one again, and stopping all.
Must not know: what they serve.
Invariant: while the supervisor lives there are as many workers as asked for, or one is about to be started; when it dies,
however it dies, they drain and end, because the pipe that is their standard input ends (tests/integration/test_serving.py).

The kernel spreads connections over the workers (SO_REUSEPORT); a worker that stops closes its socket and gets no more.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

import structlog

from sync_server.config import Settings, as_environment
from sync_server.operate.serving import address_of, cannot_listen, cannot_tell, serve, stop_on_signals, stop_with_parent

BACKOFF_SECONDS: Final = 0.25
BACKOFF_SECONDS_MAX: Final = 15.0
"""A worker that dies at once is started again after a quarter of a second, then half…, so that a fault of everybody does
not become a busy loop."""

HEALTHY_SECONDS: Final = 10.0
"""A worker that lived this long died of something new: the next one is started quickly again."""

LISTEN_SECONDS: Final = 0.05
KILL_AFTER_SECONDS: Final = 5
"""Beyond the drain: whoever still runs then hangs."""

log = structlog.get_logger(__name__)


async def supervise(settings: Settings, url: str, *, announce: Callable[[str], None]) -> None:
    """Keep `settings.workers` processes serving the database at `url` until SIGTERM or SIGINT.

    Calls `announce(address)` when the first of them listens. Raises `serving.CannotListen` if the port is somebody else's.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    settings, reserved = reserve_port(settings)
    check_metrics_ports(settings)
    environment = {**os.environ, **as_environment(settings), "COTTON_DATABASE_URL": url}
    with reserved:
        async with asyncio.TaskGroup() as slots:
            for number in range(settings.workers):
                own = environment | metrics_of_worker(settings, number)
                slots.create_task(_slot(number, own, settings.drain_seconds, stop))
            if await _first_listens(settings, stop):
                announce(address_of(settings.host, settings.port))


async def work(settings: Settings, url: str) -> None:
    """Be one of the processes that `supervise` started."""
    stop = asyncio.Event()
    stop_with_parent(stop)
    await serve(settings, url, announce=_in_silence, reuse_port=True, stop=stop)


def _in_silence(_address: str) -> None:
    """The supervisor speaks for all."""


def reserve_port(settings: Settings) -> tuple[Settings, socket.socket]:
    """Make sure that the port is free and keep it: bound and not listening, this socket gets no connection itself."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # Without SO_REUSEPORT this fails if another server has the port, even one that would share it.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
        reserved = socket.socket(family)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((settings.host, settings.port))
    except OSError as error:
        raise cannot_listen(settings, error) from error
    return settings.model_copy(update={"port": reserved.getsockname()[1]}), reserved


def metrics_of_worker(settings: Settings, number: int) -> dict[str, str]:
    """Give a worker the port of its own metrics: each tells its own, one port after the other."""
    if not settings.metrics_port:
        return {}
    return {"COTTON_METRICS_PORT": str(settings.metrics_port + number)}


def check_metrics_ports(settings: Settings) -> None:
    """Raise `serving.CannotListen` if a worker will not find its port; better now than by its dying again and again."""
    family = socket.AF_INET6 if ":" in settings.metrics_host else socket.AF_INET
    for number in range(settings.workers if settings.metrics_port else 0):
        one = settings.model_copy(update={"metrics_port": (settings.metrics_port or 0) + number})
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.metrics_host, one.metrics_port))
            except (OSError, OverflowError) as error:
                raise cannot_tell(one, error if isinstance(error, OSError) else OSError(str(error))) from error


async def _first_listens(settings: Settings, stop: asyncio.Event) -> bool:
    """Wait until a worker takes connections; say whether one does, or `stop` came first."""
    while not stop.is_set():
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await _wait(stop, LISTEN_SECONDS)
        else:
            writer.close()
            return True
    return False


async def _slot(number: int, environment: dict[str, str], drain_seconds: int, stop: asyncio.Event) -> None:
    """Keep one worker alive until `stop`."""
    backoff = BACKOFF_SECONDS
    while not stop.is_set():
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sync_server", "worker"),
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the supervisor only, which then stops them in order
        )
        if await _ended_before(stop, process):
            backoff = (
                BACKOFF_SECONDS if time.monotonic() - began > HEALTHY_SECONDS else min(backoff * 2, BACKOFF_SECONDS_MAX)
            )
            log.warning(
                "worker_died", worker=number, pid=process.pid, code=process.returncode, again_in_seconds=backoff
            )
            await _wait(stop, backoff)
        else:
            await _end(process, drain_seconds)


async def _ended_before(stop: asyncio.Event, process: asyncio.subprocess.Process) -> bool:
    ending, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    await asyncio.wait([ending, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (ending, stopping):
        task.cancel()
    return process.returncode is not None


async def _end(process: asyncio.subprocess.Process, drain_seconds: int) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), drain_seconds + KILL_AFTER_SECONDS)
    except TimeoutError:
        log.error("worker_killed", pid=process.pid)
        process.kill()
        await process.wait()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
