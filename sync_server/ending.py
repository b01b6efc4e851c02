"""Ending tasks that run for ever.

Owns: the one way in which they are ended.
Must not know: what they do.
Invariant: it returns only when they have ended, and it does, also if one was told at a moment at which it could not hear:
a cancellation that arrives while a driver is tidying up is answered by the driver (tests/unit/test_ending.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

AGAIN_SECONDS: Final = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end, telling those that go on again every half second; what they raised stays theirs."""
    going = set(tasks)
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=AGAIN_SECONDS)
