"""Jobs: asked for with the transaction, done once by one of several, tried again, given up, revived, scheduled once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sync_server.config import Settings
from sync_server.engine.jobs import Kind
from sync_server.operate.jobs import Jobs
from sync_server.store import job_queue
from sync_server.store import jobs as store
from sync_server.store.database import Connection, Database
from sync_server.store.job_queue import Job
from sync_server.store.unit_of_work import unit_of_work
from tests.harness.servers import serve_here

NOW = timedelta(0)


@dataclass
class Shop:
    """Kinds of jobs that note what they did; `fails`: kinds that raise."""

    database: Database
    done: list[tuple[str, str, Any]] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)

    async def handle(self, job: Job) -> None:
        if job.kind in self.fails:
            raise ValueError(f"{job.kind} does not work\nsecret of a row")
        self.done.append((job.kind, job.org_id, job.body))

    def kinds(self) -> list[Kind]:
        return [
            Kind("paint", self.handle, tries=3, first=NOW),
            Kind("sweep", self.handle, cron="*/5 * * * *"),
        ]

    def worker(self) -> Jobs:
        return Jobs(self.database, self.kinds())

    async def ask(self, org_id: str = "org_a", **asked: Any) -> int | None:
        async def work(connection: Connection) -> int | None:
            return await store.ask(connection, "paint", **asked)

        return await unit_of_work(self.database, org_id, work)

    async def fetch(self, sql: str) -> Any:
        async with self.database.acquire_everywhere() as connection:
            return await connection.fetchval(sql)


@pytest.fixture
async def shop(database: Database) -> Shop:
    return Shop(database)


# --- Asking -------------------------------------------------------------------------------------------------------------


async def test_a_job_is_asked_for_with_the_transaction_or_not_at_all(shop: Shop) -> None:
    async def changes_its_mind(connection: Connection) -> None:
        await store.ask(connection, "paint", {"colour": "red"})
        raise KeyError("no")

    with pytest.raises(KeyError):
        await unit_of_work(shop.database, "org_a", changes_its_mind)
    await shop.ask(body={"colour": "blue"})

    assert await shop.worker().work_off() == 1
    assert shop.done == [("paint", "org_a", {"colour": "blue"})]
    assert await shop.fetch("SELECT count(*) FROM pgqueuer") == 0


async def test_of_one_key_one_job_waits_and_another_organisation_has_its_own(shop: Shop) -> None:
    first, again = await shop.ask(once_key="k"), await shop.ask(once_key="k")
    other = await shop.ask("org_b", once_key="k")

    assert again is None
    assert first is not None
    assert other is not None
    assert await shop.worker().work_off() == 2
    assert await shop.ask(once_key="k") is not None


async def test_a_job_waits_until_its_time(shop: Shop) -> None:
    await shop.ask(run_after=timedelta(hours=1))

    assert await shop.worker().work_off() == 0
    assert await shop.fetch("SELECT status::text FROM pgqueuer") == "queued"


async def test_the_server_can_do_nothing_with_the_queue_but_ask_and_list_its_own(shop: Shop) -> None:
    await shop.ask("org_b")
    async with shop.database.acquire("org_a") as connection:
        assert await store.list_jobs(connection) == []
        for table in ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
    async with shop.database.acquire("org_b") as connection:
        assert [(one.kind, one.state) for one in await store.list_jobs(connection)] == [("paint", "waiting")]


# --- Working ------------------------------------------------------------------------------------------------------------


async def test_several_workers_do_each_job_once(shop: Shop) -> None:
    for number in range(40):
        await shop.ask(body={"number": number})

    done = await asyncio.gather(*(shop.worker().work_off() for _ in range(4)))

    assert sum(done) == 40
    assert sorted(body["number"] for _, _, body in shop.done) == list(range(40))


async def test_what_fails_is_tried_again_and_then_kept_among_the_dead(shop: Shop) -> None:
    shop.fails.add("paint")
    id = await shop.ask(body={"colour": "red"})

    assert await shop.worker().work_off() == 3

    async with shop.database.acquire("org_a") as connection:
        (dead,) = await store.list_dead(connection, "org_a")
    assert (dead.id, dead.kind, dead.attempts, dead.body) == (id, "paint", 3, {"colour": "red"})
    assert dead.error == "ValueError: paint does not work"
    assert await shop.fetch("SELECT count(*) FROM pgqueuer") == 0


async def test_a_dead_job_that_is_revived_is_done(shop: Shop) -> None:
    shop.fails.add("paint")
    id = await shop.ask(body={"colour": "red"}) or 0
    await shop.worker().work_off()
    shop.fails.clear()

    async def revive(connection: Connection) -> bool:
        return await store.revive(connection, "org_a", id)

    assert not await unit_of_work(shop.database, "org_b", revive)  # the wall
    assert await unit_of_work(shop.database, "org_a", revive)
    assert not await unit_of_work(shop.database, "org_a", revive)
    await shop.worker().work_off()
    assert shop.done == [("paint", "org_a", {"colour": "red"})]


async def test_a_job_that_fails_holds_up_no_other_and_waits_longer_each_time(shop: Shop) -> None:
    kinds = [Kind("paint", shop.handle, first=timedelta(minutes=1)), Kind("sweep", shop.handle)]
    shop.fails.add("paint")
    await shop.ask()
    async with shop.database.acquire_everywhere() as connection:
        await store.ask(connection, "sweep")

    await Jobs(shop.database, kinds).work_off()

    assert shop.done == [("sweep", "", {})]
    assert 29 < await shop.fetch("SELECT extract(epoch FROM execute_after - now())::float FROM pgqueuer") <= 60


async def test_a_job_that_takes_too_long_has_failed(shop: Shop) -> None:
    async def dawdle(_: Job) -> None:
        await asyncio.sleep(30)

    await shop.ask()
    await Jobs(shop.database, [Kind("paint", dawdle, tries=1, seconds=0.05)]).work_off()

    assert await shop.fetch("SELECT error FROM dead_job") == "TimeoutError: "


async def test_a_worker_that_stops_puts_back_what_it_had(shop: Shop) -> None:
    begun = asyncio.Event()

    async def dawdle(_: Job) -> None:
        begun.set()
        await asyncio.sleep(30)

    await shop.ask()
    running = asyncio.create_task(Jobs(shop.database, [Kind("paint", dawdle)]).run())
    await asyncio.wait_for(begun.wait(), 10)
    running.cancel()
    await asyncio.wait([running])

    assert await shop.worker().work_off() == 1
    assert len(shop.done) == 1


async def test_what_a_worker_had_whose_heart_stopped_is_done_by_another(shop: Shop) -> None:
    await shop.ask()
    async with shop.database.acquire_everywhere() as connection:
        lost = Jobs(shop.database, shop.kinds())
        (job,) = await job_queue.take(connection, lost._worker, ["paint"], 1, timedelta(minutes=1))
    assert await shop.worker().work_off() == 0

    await shop.fetch("UPDATE pgqueuer SET heartbeat = now() - interval '2 minutes'")
    assert await shop.worker().work_off() == 1

    await lost._bury(shop.kinds()[0], job, "too late")  # it comes back to life: the job is no longer its own
    assert await shop.fetch("SELECT count(*) FROM pgqueuer") + await shop.fetch("SELECT count(*) FROM dead_job") == 0
    assert len(shop.done) == 1


async def test_a_job_of_which_its_processes_die_is_given_up(shop: Shop) -> None:
    await shop.ask()
    for _ in range(4):
        async with shop.database.acquire_everywhere() as connection:
            taken = await job_queue.take(connection, Jobs(shop.database, [])._worker, ["paint"], 1, NOW)
            assert len(taken) == 1
            await asyncio.sleep(0.002)

    await Jobs(shop.database, shop.kinds(), stale=NOW).work_off()

    assert shop.done == []
    assert "died each time" in await shop.fetch("SELECT error FROM dead_job")


async def test_planted_trust_in_who_came_back_to_life_is_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def trusting(*_: Any) -> bool:
        return True

    monkeypatch.setattr(job_queue, "hold", trusting)

    with pytest.raises(AssertionError):
        await test_what_a_worker_had_whose_heart_stopped_is_done_by_another(shop)


async def test_planted_blindness_to_deaths_is_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def blind(*_: Any) -> dict[int, int]:
        return {}

    monkeypatch.setattr(job_queue, "count_taken", blind)

    with pytest.raises(AssertionError):
        await test_a_job_of_which_its_processes_die_is_given_up(shop)


async def test_jobs_of_kinds_that_a_process_does_not_know_are_left_to_others(shop: Shop) -> None:
    await shop.ask()

    assert await Jobs(shop.database, [Kind("other", shop.handle)]).work_off() == 0
    assert await shop.worker().work_off() == 1


# --- Schedules ----------------------------------------------------------------------------------------------------------


async def test_what_is_scheduled_is_asked_for_once_by_however_many_processes(shop: Shop) -> None:
    workers = [shop.worker() for _ in range(4)]
    assert await asyncio.gather(*(one.ask_for_what_is_due() for one in workers)) == [[], [], [], []]

    await shop.fetch("UPDATE pgqueuer_schedules SET next_run = now() - interval '1 second'")
    asked = await asyncio.gather(*(one.ask_for_what_is_due() for one in workers))

    assert [kind for kinds in asked for kind in kinds] == ["sweep"]
    await shop.worker().work_off()
    assert shop.done == [("sweep", "", {})]
    assert await shop.fetch("SELECT next_run > now() FROM pgqueuer_schedules")


# --- Seeing -------------------------------------------------------------------------------------------------------------


async def test_jobs_are_counted(shop: Shop) -> None:
    await shop.ask()
    await shop.ask(run_after=timedelta(hours=1))
    await shop.fetch("UPDATE pgqueuer SET execute_after = now() - interval '90 seconds' WHERE execute_after < now()")
    async with shop.database.acquire_everywhere() as connection:
        counts = await store.count(connection)
        await job_queue.take(connection, shop.worker()._worker, ["paint"], 1, timedelta(minutes=1))
        later = await store.count(connection)

    assert (counts.pending, counts.running, counts.dead) == (2, 0, 0)
    assert 90 <= counts.oldest_seconds < 120
    assert (later.pending, later.running, later.oldest_seconds) == (1, 1, 0)


async def test_a_server_works_on_jobs_where_it_is_told_to_as_it_is_by_default(
    database_url: str, tmp_path: Path, shop: Shop
) -> None:
    async def planned() -> int:
        return int(await shop.fetch("SELECT count(*) FROM pgqueuer_schedules"))

    assert Settings.model_fields["jobs"].default is True
    async with serve_here(database_url, tmp_path / "one", jobs=False):
        await asyncio.sleep(0.1)
        assert await planned() == 0
    async with serve_here(database_url, tmp_path / "two", jobs=True), asyncio.timeout(20):
        while not await planned():
            await asyncio.sleep(0.02)
