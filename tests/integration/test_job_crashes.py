"""Real processes that are killed over a job: none is lost, and what was half done is done."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg

from erp_core.demo.reference import ORG_ID


async def _worker(url: str, data: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "COTTON_DATABASE_URL": url, "COTTON_DATA": str(data)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sync_server", "jobs", "work"), env=environment, stdout=asyncio.subprocess.PIPE
    )


async def test_a_worker_that_is_killed_over_its_jobs_loses_none(demo_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(demo_url)
    blocker = await asyncpg.connect(demo_url)
    try:
        await connection.execute(f"SELECT set_config('cotton.org', '{ORG_ID}', false)")
        await connection.execute(
            "UPDATE availabilities SET valid_until = now()::date - 5, state = 'active' WHERE org_id = $1", ORG_ID
        )
        due = await connection.fetchval("SELECT count(*) FROM availabilities WHERE org_id = $1", ORG_ID)
        assert due > 0
        block = blocker.transaction()
        await block.start()
        await blocker.execute("LOCK TABLE availabilities IN ACCESS EXCLUSIVE MODE")  # over this the job stands still
        await connection.execute("SELECT ask_job('expire', '{}', '0', NULL)")

        first = await _worker(demo_url, tmp_path)
        async with asyncio.timeout(60):
            while not await connection.fetchval("SELECT count(*) FROM pgqueuer WHERE status = 'picked'"):
                await asyncio.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        await block.rollback()
        assert await connection.fetchval("SELECT count(*) FROM availabilities WHERE state = 'expired'") == 0

        await connection.execute("UPDATE pgqueuer SET heartbeat = now() - interval '1 hour' WHERE status = 'picked'")
        second = await _worker(demo_url, tmp_path)
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'expire'"):
                await asyncio.sleep(0.05)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 30) == 0

        assert await connection.fetchval("SELECT count(*) FROM availabilities WHERE state = 'active'") == 0
        assert await connection.fetchval("SELECT count(*) FROM dead_job") == 0
    finally:
        await blocker.close()
        await connection.close()
