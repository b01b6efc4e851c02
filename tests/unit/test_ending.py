"""A task that runs for ever is ended, whenever it is told (sync_server/ending.py)."""

from __future__ import annotations

import asyncio

from sync_server import ending


async def test_task_that_missed_being_told_is_told_again() -> None:
    missed = 0

    async def deaf() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if missed == 2:
                    raise
                missed += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await ending.end([task])

    assert (missed, task.cancelled()) == (2, True)


async def test_nothing_to_end_is_ended() -> None:
    await ending.end([])
