"""Jobs while the application runs: what works on them, opened and closed.

Owns: how it is put together.
Must not know: what a job does.
Invariant: nothing is worked on where the settings say that this process does not (tests/integration/test_jobs.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from sync_server.ending import end
from sync_server.operate.job_kinds import kinds_of
from sync_server.operate.jobs import Jobs
from sync_server.web import keys


async def run_jobs(app: web.Application) -> AsyncIterator[None]:
    """Work on jobs while the application runs, if it is to; for `app.cleanup_ctx`, after the database."""
    settings = app[keys.SETTINGS]
    if not settings.jobs:
        yield
        return
    task = asyncio.create_task(Jobs(app[keys.DATABASE], kinds_of(app[keys.DATABASE], settings)).run())
    yield
    await end([task])
