"""Metrics over real HTTP: every hop is counted, under names that hold nothing of anybody, on a listener of its own."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from sync_server.config import load_settings
from sync_server.engine.meters import OUTCOMES
from sync_server.operate import meters as operated
from sync_server.operate import webhooks
from sync_server.operate.metrics_listener import metrics_of
from sync_server.operate.sampling import UNSEEN, sample, sampling
from sync_server.operate.serving import CannotListen
from sync_server.operate.workers import check_metrics_ports
from sync_server.store import jobs
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import Outdated, trial, unit_of_work
from sync_server.web import keys
from tests.conftest import MakeServerProcess
from tests.harness.endpoints import endpoint_here
from tests.harness.listeners import listening
from tests.harness.office import Answer, Clerk, at_desk
from tests.harness.scraping import Scrape, free_pair, scrape
from tests.harness.servers import Server, serve_here
from tests.harness.world import ORG, House, partner

SOON = 3.0


@pytest.fixture
async def server(database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with serve_here(database_url, tmp_path, metrics_port=0) as serving:
        yield serving


@pytest.fixture
async def address(server: Server) -> AsyncIterator[str]:
    assert server.app is not None
    async with metrics_of(server.app, server.settings) as address:
        assert address is not None
        yield address


def created(*partners: dict[str, Any]) -> dict[str, Any]:
    return {"business_partners": {"created": list(partners), "updated": [], "deleted": []}}


async def exchange(clerk: Clerk, push_id: str, cursor: int | None, changes: dict[str, Any]) -> Answer:
    body = {"push_id": push_id, "last_pulled_at": cursor, "schema_version": 2, "changes": changes}
    return await clerk.ask("POST", "/sync/exchange", body)


# --- What is counted --------------------------------------------------------------------------------------------------


async def test_every_hop_is_counted_with_its_rows_bytes_and_time(address: str, clerk: Clerk) -> None:
    before = await scrape(address)
    first = await clerk.ask("GET", "/sync?schema_version=2")
    cursor = first.json["timestamp"]
    await clerk.ask("GET", f"/sync?last_pulled_at={cursor}&schema_version=2")
    pushed = await clerk.ask("POST", f"/sync?last_pulled_at={cursor}", created(partner("m1")))
    other = await exchange(clerk, "x1", cursor, created(partner("m2")))
    told = (await scrape(address)).since(before)

    assert {pushed.status, other.status} == {200}
    for hop, count in {"pull": 2, "push": 1, "exchange": 1}.items():
        assert told.of("cotton_requests_total", hop=hop, status="200") == count
        assert told.of("cotton_request_seconds_count", hop=hop) == count
        assert told.of("cotton_answer_bytes_total", hop=hop) > 0
    assert told.of("cotton_request_bytes_total", hop="push") > len("m1")
    assert told.of("cotton_request_bytes_total", hop="pull") == 0
    assert told.of("cotton_pulls_total", answer="nothing") == 1
    assert told.of("cotton_pulls_total", answer="delta") == 1, "the exchange's: the partner m1, which it did not send"
    assert told.of("cotton_pulled_rows_total") + told.of("cotton_spooled_rows_total") > 1
    assert told.of("cotton_verdicts_total", channel="phone", verdict="accepted") == 2
    assert told.of("cotton_units_of_work_total", end="committed") >= 2
    for histogram in ("cotton_clock_wait_seconds", "cotton_pool_wait_seconds", "cotton_statement_seconds"):
        assert told.of(f"{histogram}_count") > 0, histogram


async def test_verdicts_and_outcomes_are_counted_by_reason_and_policy(address: str, clerk: Clerk, house: House) -> None:
    colleague = await at_desk(clerk.server, house, "agent2")
    cursor = (await clerk.ask("GET", "/sync?schema_version=2")).json["timestamp"]
    answer = await clerk.ask("PATCH", "/business_partners/p1", {"legal_name": "By office"}, If_Match="*")
    assert answer.status == 200
    before = await scrape(address)

    raw = {"id": "p1", "legal_name": "By phone", "_status": "updated", "_changed": "legal_name"}
    bad = partner("bad", branch_id="no-such-branch")
    changes = {"business_partners": {"created": [bad], "updated": [raw], "deleted": []}}
    answer = await exchange(colleague, "x2", cursor, changes)
    told = (await scrape(address)).since(before)

    verdicts = {one["id"]: one for one in answer.json["verdicts"]}
    assert verdicts["p1"]["verdict"] == "merged"
    code = verdicts["bad"]["code"]
    assert told.of("cotton_verdicts_total", verdict="merged", code="") == 1
    assert told.of("cotton_verdicts_total", verdict=verdicts["bad"]["verdict"], code=code) == 1
    assert told.of("cotton_merge_outcomes_total", policy="theirs", kept="theirs") == 1


async def test_a_repeated_push_is_a_request_and_no_second_verdict(address: str, clerk: Clerk) -> None:
    cursor = (await clerk.ask("GET", "/sync?schema_version=2")).json["timestamp"]
    before = await scrape(address)
    for _ in range(2):
        assert (await exchange(clerk, "x3", cursor, created(partner("m3")))).status == 200
    told = (await scrape(address)).since(before)

    assert told.of("cotton_requests_total", hop="exchange") == 2
    assert told.of("cotton_verdicts_total") == 1


async def test_a_unit_that_runs_again_is_counted_once_and_one_that_is_undone_not_at_all(
    address: str, database: Database
) -> None:
    before = await scrape(address)
    tries: list[int] = []

    async def work(connection: Connection) -> None:
        tries.append(1)
        async with trial(connection):
            OUTCOMES.add_if_committed("theirs", "ours", n=100)
        OUTCOMES.add_if_committed("theirs", "theirs")
        if len(tries) == 1:
            raise Outdated
        if len(tries) == 3:
            raise ArithmeticError

    await unit_of_work(database, ORG, work)
    with pytest.raises(ArithmeticError):
        await unit_of_work(database, ORG, work)
    told = (await scrape(address)).since(before)

    assert told.of("cotton_merge_outcomes_total", policy="theirs", kept="theirs") == 1
    assert told.of("cotton_merge_outcomes_total", kept="ours") == 0
    assert told.of("cotton_lost_races_total", fault="Outdated") == 1
    assert (
        told.of("cotton_units_of_work_total", end="committed"),
        told.of("cotton_units_of_work_total", end="failed"),
    ) == (1, 1)


async def test_problems_are_counted_by_their_code(address: str, clerk: Clerk) -> None:
    before = await scrape(address)
    await clerk.ask("GET", "/business_partners/nobody")
    await clerk.ask("POST", "/sync?last_pulled_at=0", {"no_such_table": {}})
    told = (await scrape(address)).since(before)

    assert told.of("cotton_problems_total", code="not_found") == 1
    assert told.of("cotton_problems_total") == 2


async def test_hints_are_counted_from_the_commit_on(address: str, server: Server, house: House) -> None:
    writer = await at_desk(server, house, "agent2")
    reader = await at_desk(server, house, "agent1")
    before = await scrape(address)
    async with listening(server, reader.headers) as ear:
        open_now = await scrape(address)
        answer = await writer.ask("PATCH", "/business_partners/p1", {"remarks": "new"}, If_Match="*")
        assert answer.status == 200
        await ear.hint_of("business_partners", SOON)
        await asyncio.sleep(0.1)  # the round of hints is over
        told = (await scrape(address)).since(before)

    assert (open_now.of("cotton_live_connections"), open_now.of("cotton_live_subscriptions")) == (1, 2)
    assert told.of("cotton_live_hints_total") == 1
    assert told.of("cotton_hint_latency_seconds_count") == 1
    assert 0 < told.of("cotton_hint_latency_seconds_sum") < SOON


async def test_a_commit_that_nobody_hears_of_is_no_latency(address: str, server: Server, house: House) -> None:
    before = await scrape(address)
    writer = await at_desk(server, house, "agent2")
    await writer.ask("PATCH", "/business_partners/p1", {"remarks": "alone"}, If_Match="*")
    await asyncio.sleep(0.4)
    reader = await at_desk(server, house, "agent1")
    async with listening(server, reader.headers):
        await asyncio.sleep(0.4)
        told = (await scrape(address)).since(before)

    assert told.of("cotton_hint_latency_seconds_count") == 0


async def test_the_pools_use_and_its_end_are_told(address: str, database_url: str) -> None:
    database = await Database.open(database_url, pool_max=2)
    before = await scrape(address)
    try:
        use = database.pool_use()
        assert (use["requests", "max"], use["requests", "busy"]) == (2, 0)
        async with database.acquire("a"), database.acquire("b"):
            assert database.pool_use()["requests", "busy"] == 2
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sync_server.store.database.ACQUIRE_SECONDS", 0.05)
                with pytest.raises(TimeoutError):
                    async with database.acquire("c"):
                        pass
    finally:
        await database.close()

    assert (await scrape(address)).since(before).of("cotton_pool_timeouts_total", pool="requests") == 1


# --- What is not told -------------------------------------------------------------------------------------------------


async def test_nothing_of_anybody_is_in_a_label(address: str, clerk: Clerk, house: House) -> None:
    cursor = (await clerk.ask("GET", "/sync?schema_version=2")).json["timestamp"]
    await exchange(clerk, "push-of-mine", cursor, created(partner("record-of-mine")))
    await clerk.ask("GET", "/business_partners/record-of-mine")
    await clerk.ask("GET", "/no/such/path-of-mine")
    text = (await scrape(address)).text

    for secret in (ORG, clerk.actor.user_id, clerk.actor.session_id, "of-mine", "business_partners", "p1"):
        assert not re.search(rf'"[^"]*{re.escape(secret)}[^"]*"', text), secret


async def test_metrics_are_never_on_the_port_of_clients(address: str, clerk: Clerk) -> None:
    async with clerk.server.session.get("/metrics") as answer:
        assert answer.status in {401, 404}
    async with clerk.server.session.get("/metrics", headers=clerk.headers) as answer:
        assert answer.status == 404
    async with aiohttp.ClientSession() as session, session.get(address.replace("/metrics", "/healthz")) as answer:
        assert answer.status == 404


async def test_nothing_listens_unless_it_is_asked_for(database_url: str, tmp_path: Path) -> None:
    async with serve_here(database_url, tmp_path) as server:
        assert server.app is not None
        async with metrics_of(server.app, server.settings) as address:
            assert address is None
    assert server.settings.metrics_host == "127.0.0.1"


# --- What the process and the database are like -----------------------------------------------------------------------


async def test_process_and_loop_are_told(address: str) -> None:
    await asyncio.sleep(0.6)
    told = await scrape(address)

    assert told.of("process_resident_memory_bytes") > 2**20
    assert told.of("cotton_event_loop_lag_seconds_count") > 0
    assert told.of("cotton_requests_under_way") == 0
    assert 0 < told.of("cotton_disk_free_ratio") < 1


async def test_a_transaction_that_holds_the_clock_is_seen(
    address: str, database: Database, database_url: str, house: House, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"BEGIN; SELECT FROM org_clock WHERE org_id = '{ORG}' FOR UPDATE")
        await asyncio.sleep(0.3)
        async with sampling(database, tmp_path, seconds=0.05):
            await asyncio.sleep(0.3)
        told = await scrape(address)
    finally:
        await connection.close()

    assert told.of("cotton_clock_held_seconds") >= 0.3
    assert told.of("cotton_transaction_age_seconds") >= told.of("cotton_clock_held_seconds")


async def test_webhooks_are_counted_as_they_are_tried_and_as_they_wait(
    database_url: str, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "POLL_SECONDS", 0.02)
    async with serve_here(database_url, tmp_path, metrics_port=0, webhook_loopback=True) as server:
        assert server.app is not None
        clerk = await at_desk(server, house, "agent1")
        async with endpoint_here() as endpoint, metrics_of(server.app, server.settings) as address:
            before = await scrape(str(address))
            answer = await clerk.ask("POST", "/webhooks", {"url": endpoint.url, "events": ["*"], "name": "n"})
            assert answer.status == 201, answer
            await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "two presses"})
            async with asyncio.timeout(20):
                while not (told := (await scrape(str(address))).since(before)).of("cotton_webhook_attempts_total"):
                    await asyncio.sleep(0.05)
            async with asyncio.timeout(20):
                while not await house.fetch("SELECT FROM webhook_delivery WHERE state = 'delivered'"):
                    await asyncio.sleep(0.02)
            await house.run(
                "UPDATE webhook_delivery SET state = 'pending', next_at = now() + interval '1 day',"
                " made_at = now() - interval '2 hours'"
            )
            await sample(server.app[keys.DATABASE])
            waiting = await scrape(str(address))

    assert told.of("cotton_webhook_attempts_total", end="delivered") == 1
    assert told.of("cotton_webhook_attempts_total", end="failed") == 0
    assert waiting.of("cotton_webhook_deliveries", state="pending") == 1
    assert waiting.of("cotton_webhook_deliveries", state="dead") == 0
    assert 7_190 < waiting.of("cotton_webhook_oldest_seconds") < 7_300


async def test_the_queue_of_jobs_is_told(address: str, database: Database, house: House) -> None:
    async with database.acquire(ORG) as asker, asker.transaction():
        await jobs.ask(asker, "a-kind", run_after=timedelta(hours=1))
        await jobs.ask(asker, "a-kind", run_after=timedelta(minutes=-5))
    await sample(database)
    told = await scrape(address)

    assert told.of("cotton_queued_jobs", state="pending") == 2
    assert told.of("cotton_queued_jobs", state="dead") == 0
    assert 300 <= told.of("cotton_jobs_oldest_seconds") < 400


async def test_what_cannot_be_seen_is_not_told_as_it_was(database_url: str, tmp_path: Path) -> None:
    database = await Database.open(database_url, pool_max=2)
    async with sampling(database, tmp_path, seconds=0.05):
        await asyncio.sleep(0.3)
        assert all(gauge.values for gauge in UNSEEN)
        failed = operated.SAMPLES.values.get(("failed",), 0)
        await database.close()
        await asyncio.sleep(0.3)

    assert operated.SAMPLES.values["failed",] > failed
    assert not any(gauge.values for gauge in UNSEEN)


# --- Real processes ---------------------------------------------------------------------------------------------------


async def test_each_worker_tells_its_own_on_its_own_port(demo_url: str, server_process: MakeServerProcess) -> None:
    ports = (port := free_pair(), port + 1)
    process = await server_process(demo_url, workers=2, metrics_port=port)
    async with aiohttp.ClientSession(process.url) as session:
        for _ in range(20):
            async with session.get("/healthz", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
    told = [await _when_it_listens(f"http://127.0.0.1:{each}/metrics") for each in ports]

    assert sum(one.of("cotton_requests_total", hop="health") for one in told) >= 20
    assert told[0].of("process_start_time_seconds") > 0
    assert [one.of("cotton_live_connections") for one in told] == [0, 0]


async def _when_it_listens(address: str) -> Scrape:
    for _ in range(100):
        try:
            return await scrape(address)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    return await scrape(address)


def test_a_port_that_is_taken_is_said_at_the_start(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path, metrics_port=free_pair(), workers=2)
    assert settings.metrics_port is not None
    check_metrics_ports(settings)
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.metrics_port + 1))
        other.listen()

        with pytest.raises(CannotListen, match=f"port {settings.metrics_port + 1} cannot be listened on for metrics"):
            check_metrics_ports(settings)


def test_ports_beyond_the_last_one_are_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="port 65536 cannot be listened on"):
        check_metrics_ports(load_settings(data=tmp_path, metrics_port=65_535, workers=2))
