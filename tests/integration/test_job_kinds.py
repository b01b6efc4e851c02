"""The kinds that there are: each can be done twice; what comes by itself reaches every organisation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from erp_core.india import day_of
from sync_server.config import load_settings
from sync_server.operate.job_kinds import kinds_of
from sync_server.operate.jobs import Jobs
from sync_server.store import jobs as store
from sync_server.store.unit_of_work import enter
from tests.harness.world import House

SETTINGS = load_settings(database_url="postgresql://nobody@127.0.0.1/none", data=Path("data"))


@pytest.fixture
def jobs(house: House) -> Jobs:
    return Jobs(house.database, kinds_of(house.database, SETTINGS))


async def ask(house: House, kind: str, org_id: str) -> None:
    async with house.database.acquire_everywhere() as connection, connection.transaction():
        await enter(connection, org_id)
        await store.ask(connection, kind)


async def test_every_kind_can_be_done_twice(house: House, jobs: Jobs) -> None:
    kinds = kinds_of(house.database, SETTINGS)
    for _ in range(2):
        for kind in kinds:
            await ask(house, kind.name, "" if kind.cron else house.org_id)
        assert await jobs.work_off() >= len(kinds)

    assert await house.one("SELECT count(*) FROM dead_job") == 0
    assert await house.one("SELECT count(*) FROM pgqueuer WHERE attempts > 0") == 0


async def test_what_is_scheduled_ends_the_lots_of_every_organisation(house: House, jobs: Jobs) -> None:
    yesterday = day_of(datetime.now(UTC)) - timedelta(days=1)
    await house.run(f"UPDATE availabilities SET valid_until = DATE '{yesterday}' WHERE org_id = 'org_a' AND id = 'l1'")
    await jobs.ask_for_what_is_due()
    await house.run("UPDATE pgqueuer_schedules SET next_run = now() - interval '1 second'")
    assert "expiry" in await jobs.ask_for_what_is_due()

    await jobs.work_off()

    assert await house.one("SELECT state FROM availabilities WHERE id = 'l1'") == "expired"
