"""Enduring: work that goes on for as long as the process does, whether the database answers or not.

Owns: which faults mean that the database did not answer, and going on after them.
Must not know: what the work is.
Invariant: a database that is away ends no work and is said once in a while, not at each attempt
(tests/unit/test_enduring.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import asyncpg
import structlog

from sync_server.store.database import DISCONNECTED
from sync_server.store.unit_of_work import Busy

UNANSWERED: Final = (*DISCONNECTED, asyncpg.PostgresError, TimeoutError, Busy)
"""What it looks like when the database does not answer, or not now."""

SAID_SECONDS: Final = 60.0
"""An outage is said when it begins; a fault that comes within this after another belongs to the same one."""

log = structlog.get_logger(__name__)


async def for_ever(
    work: Callable[[], Awaitable[object]], called: str, *, pause_seconds: float = 0, again_seconds: float
) -> NoReturn:
    """Do `work` again and again until cancelled: `pause_seconds` after its end, `again_seconds` after no answer.

    Pauses are a fifth longer or shorter, so that processes do not march in step. `called`: what the log calls an outage. Raises
    what else the work raises.
    """
    loop = asyncio.get_running_loop()
    failed_at = float("-inf")
    while True:
        try:
            await work()
            await asyncio.sleep(pause_seconds * random.uniform(0.8, 1.2))  # noqa: S311 - nothing secret
        except UNANSWERED as fault:
            if loop.time() - failed_at > SAID_SECONDS:
                log.warning(called, fault=type(fault).__name__)
            failed_at = loop.time()
            await asyncio.sleep(again_seconds)
