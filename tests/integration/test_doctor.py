"""The doctor on a running system: each fault is made real, and found with what, where and what to do."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from sync_server.config import Settings
from sync_server.operate import running_database, running_server
from sync_server.operate.doctor import examine
from sync_server.operate.findings import Finding
from sync_server.operate.metrics_listener import metrics_of
from sync_server.operate.postgres import Cluster
from sync_server.operate.running_database import LAG_BYTES
from sync_server.store import jobs, vitals
from sync_server.store.database import Connection
from sync_server.store.vitals import Vitals, read_vitals
from tests.harness.scraping import free_pair
from tests.harness.servers import free_port, serve_here
from tests.harness.valkeys import Valkey
from tests.harness.world import ORG, House

HEALTHY = Vitals(time.time(), None, None, None, "feed", 0.1, 0.1, "slot backup", 0, False, 2**20)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    opened = await asyncpg.connect(database_url, server_settings={"application_name": "somebody in psql"})
    yield opened
    await opened.close()


async def examined(url: str, data: Path, **settings: Any) -> list[Finding]:
    """Examine what there is; the tests' own cluster, whose fsync is off, is no news."""
    chosen = Settings(**{"database_url": url, "data": data, "port": 0, **settings})
    return [one for one in await asyncio.to_thread(examine, chosen) if "fsync is off" not in one.what]


async def wrong(url: str, data: Path, **settings: Any) -> list[Finding]:
    return [finding for finding in await examined(url, data, **settings) if finding.mend]


async def test_nothing_is_wrong_where_nothing_is(database_url: str, house: House, tmp_path: Path) -> None:
    findings = await examined(database_url, tmp_path)

    assert [one for one in findings if one.mend] == []
    for what in (
        "clocks of the database",
        "oldest transaction",
        "dead rows",
        "codes wait",
        "webhooks wait",
        "no replica",
    ):
        assert any(what in one.what for one in findings), what


# --- The server -------------------------------------------------------------------------------------------------------


async def test_a_server_that_runs_is_no_fault(database_url: str, tmp_path: Path) -> None:
    async with serve_here(database_url, tmp_path, metrics_port=free_port()) as server:
        assert server.app is not None
        port = int(server.url.rsplit(":", 1)[1])
        async with metrics_of(server.app, server.settings):
            findings = await examined(database_url, tmp_path, port=port, metrics_port=server.settings.metrics_port)

    assert [one for one in findings if one.mend] == []
    assert any(f"serves 127.0.0.1 port {port} and is ready" in one.what for one in findings)
    assert any("GET /metrics of process 1" in one.what and "answers 200" in one.what for one in findings)


async def test_a_server_that_is_not_ready_and_tells_no_metrics_is_one(
    database_url: str, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute("CREATE INDEX extra ON feed (author)")
    async with serve_here(database_url, tmp_path) as server:
        port = int(server.url.rsplit(":", 1)[1])
        found = await wrong(database_url, tmp_path, port=port, metrics_port=free_pair(), workers=2, pool_max=2)

    told = [one.what for one in found]
    assert any(f"port {port} and is not ready: " in what for what in told)
    assert sum("answers nothing" in what for what in told) == 2
    assert any("schema altered" in what for what in told)


async def test_another_program_on_the_port_is_one_even_if_it_never_answers(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_server, "ANSWER_SECONDS", 0.2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (found,) = await wrong(database_url, tmp_path, port=port)

    assert f"port {port} is not free" in found.what
    assert "Another program" in (found.mend or "")


async def test_redis_that_answers_and_redis_that_does_not(database_url: str, tmp_path: Path) -> None:
    valkey = await Valkey.run(tmp_path / "valkey")
    there = await examined(database_url, tmp_path, redis_url=valkey.url, bus_url=valkey.url)
    await valkey.stop()
    gone = await wrong(database_url, tmp_path, redis_url=valkey.url, bus_url=valkey.url)

    assert [one for one in there if one.mend] == []
    assert sum(f"port {valkey.port} answers" in one.what for one in there) == 2
    assert [one.what.split()[0] for one in gone] == ["COTTON_REDIS_URL", "COTTON_BUS_URL"]
    assert "Logins and codes are refused" in (gone[0].mend or "")
    assert valkey.password not in repr(there + gone)


async def test_an_old_key_and_spools_that_the_disk_has_no_room_for(database_url: str, tmp_path: Path) -> None:
    async with serve_here(database_url, tmp_path):
        pass
    for key in (tmp_path / "keys").glob("*.pem"):
        os.utime(key, (time.time() - 400 * 86_400,) * 2)
    found = await wrong(database_url, tmp_path, spool_bytes_max=2**42)

    assert ["400 days old" in found[0].what, "rotate" in (found[0].mend or "")] == [True, True]
    assert "spools in" in found[1].what
    assert "COTTON_SPOOL_BYTES_MAX" in (found[1].mend or "")
    assert len(found) == 2


# --- What people do to the database -----------------------------------------------------------------------------------


async def test_a_session_that_holds_the_clock_is_named(
    database_url: str, house: House, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_database, "CLOCK_SECONDS", 0.1)
    await connection.execute(f"BEGIN; UPDATE business_partners SET remarks = 'x' WHERE org_id = '{ORG}' AND id = 'p1'")
    await asyncio.sleep(0.2)
    (found,) = await wrong(database_url, tmp_path)

    pid = connection.get_server_pid()
    assert f"session {pid} (somebody in psql, idle in transaction) has held an organisation's clock" in found.what
    assert f"pg_terminate_backend({pid})" in (found.mend or "")


async def test_a_reader_holds_no_clock_and_is_an_old_transaction(
    database_url: str, house: House, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_database, "CLOCK_SECONDS", 0.1)
    monkeypatch.setattr(running_database, "TRANSACTION_SECONDS", 0.1)
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM org_clock")
    await asyncio.sleep(0.2)
    (found,) = await wrong(database_url, tmp_path)

    assert f"the oldest transaction: session {connection.get_server_pid()}" in found.what


async def test_who_waits_for_a_lock_is_named(
    database_url: str, house: House, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_database, "LOCK_SECONDS", 0.1)
    await connection.execute(f"BEGIN; SELECT FROM org_clock WHERE org_id = '{ORG}' FOR UPDATE")
    waiter = await asyncpg.connect(database_url)
    waiting = asyncio.create_task(waiter.execute("UPDATE org_clock SET floor = floor"))
    await asyncio.sleep(0.3)
    (found,) = await wrong(database_url, tmp_path)
    await connection.execute("ROLLBACK")
    await waiting
    pid = waiter.get_server_pid()
    await waiter.close()

    assert f"the longest wait for a lock: session {pid}" in found.what
    assert "pg_blocking_pids" in (found.mend or "")


# --- What wears it out ------------------------------------------------------------------------------------------------


async def test_a_table_of_dead_rows_is_named(
    database_url: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "LARGE_ROWS", 100)
    await connection.execute(
        "ALTER TABLE code_budget SET (autovacuum_enabled = off);"
        "INSERT INTO code_budget SELECT n::text, now() FROM generate_series(1, 400) n"
    )
    await connection.execute("DELETE FROM code_budget WHERE name::int > 10")
    await connection.execute("SELECT pg_stat_force_next_flush()")
    async with asyncio.timeout(10):
        while (await read_vitals(connection)).dead_table != "code_budget":
            await asyncio.sleep(0.1)
    found = await wrong(database_url, tmp_path)

    assert any("dead rows in the worst large table (of code_budget)" in one.what for one in found)
    assert any("VACUUM code_budget" in (one.mend or "") for one in found)


@asynccontextmanager
async def slot(cluster: Cluster, name: str) -> AsyncIterator[None]:
    admin = await asyncpg.connect(cluster.url("postgres", admin=True))
    try:
        await admin.execute(f"SELECT pg_create_physical_replication_slot('{name}', true)")
        yield
    finally:
        await admin.execute(f"SELECT pg_drop_replication_slot('{name}')")
        await admin.close()


async def test_a_slot_that_nobody_reads_is_named(cluster: Cluster, connection: Connection) -> None:
    async with slot(cluster, f"forgotten_{os.getpid()}"):
        await connection.execute("INSERT INTO code_budget SELECT n::text, now() FROM generate_series(1, 2000) n")
        seen = await read_vitals(connection)

    assert seen.follower.startswith("slot ")
    assert seen.lag_bytes > 0
    behind, _ = running_database._followers(replace(seen, lag_bytes=LAG_BYTES + 1))
    assert behind.what.startswith(seen.follower)
    assert "drop the slot" in (behind.mend or "")


@pytest.mark.parametrize(
    ("worn", "says"),
    [
        ({"freeze_ratio": 0.6}, "60% of the way"),
        ({"dead_ratio": 0.6}, "60% dead rows"),
        ({"archiving_fails": True}, "cannot be archived"),
        ({"lag_bytes": 2**31}, "slot backup is 2048 MiB behind"),
    ],
)
def test_wear_is_judged_by_the_limits_of_the_alerts(worn: dict[str, Any], says: str) -> None:
    def faults(vitals: Vitals) -> list[str]:
        return [one.what for one in (*running_database._wear(vitals), *running_database._followers(vitals)) if one.mend]

    (found,) = faults(replace(HEALTHY, **worn))
    assert says in found
    assert faults(HEALTHY) == []


async def test_clocks_that_differ_are_told(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_database, "time", SimpleNamespace(time=lambda: time.time() + 60))
    (found,) = await wrong(database_url, tmp_path)

    assert "differ by 60.0 s" in found.what
    assert "NTP" in (found.mend or "")


# --- What waits in it -------------------------------------------------------------------------------------------------


async def test_deletions_that_upkeep_has_not_purged_are_told(
    database_url: str, house: House, cluster: Cluster, tmp_path: Path
) -> None:
    await house.run(f"DELETE FROM units WHERE org_id = '{ORG}' AND id = (SELECT min(id) FROM varieties)")
    name = database_url.rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(cluster.url(name, admin=True))
    await admin.execute(
        "SET session_replication_role = replica;"
        f"UPDATE event SET op = 'd', at = now() - interval '183 days' WHERE org_id = '{ORG}'"
    )
    await admin.close()
    (found,) = await wrong(database_url, tmp_path)

    assert "1 organisations have deletions older than COTTON_TOMBSTONE_DAYS" in found.what
    assert f"does not get through for {ORG}" in (found.mend or "")


async def test_codes_that_were_not_sent_are_told(database_url: str, connection: Connection, tmp_path: Path) -> None:
    for id, delivery, ago in (
        ("a", "waiting", "5 minutes"),
        ("b", "waiting", "1 second"),
        ("c", "failed", "9 minutes"),
    ):
        await connection.execute(
            "INSERT INTO code_request (id, phone, asker, digest, asked_at, expires_at, delivery) VALUES"
            f" ('{id * 32}', '+916100000001', 'somebody', '', now() - interval '{ago}', now() + interval '5 min', '{delivery}')"
        )
    (found,) = await wrong(database_url, tmp_path)

    assert "1 codes wait for more than 2 minutes, 1 of the last hour could not be sent" in found.what


async def test_jobs_that_failed_for_good_and_jobs_that_nobody_does_are_told(
    database_url: str, house: House, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute(
        "INSERT INTO dead_job (org_id, id, kind, body, once_key, attempts, error, asked_at)"
        f" VALUES ('{ORG}', 1, 'kind', '{{}}', NULL, 5, 'why', now())"
    )
    (dead,) = await wrong(database_url, tmp_path)
    await connection.execute("DELETE FROM dead_job")
    async with house.database.acquire(ORG) as worker, worker.transaction():
        await jobs.ask(worker, "kind", run_after=timedelta(hours=-1))
    (late,) = await wrong(database_url, tmp_path)

    assert "1 failed for good" in dead.what
    assert "1 jobs wait, the oldest that is due for 36" in late.what
    assert "cotton-sync jobs list" in (late.mend or "")


async def test_webhooks_that_were_given_up_are_told(
    database_url: str, house: House, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute(
        f"""
        INSERT INTO webhook (org_id, id, owner_id, name, url, events, scopes, position, secret, made_at, changed_at)
        VALUES ('{ORG}', 'w', 'agent1', 'w', 'https://example.com', '{{}}', '{{}}', 0, '', now(), now());
        INSERT INTO webhook_delivery (org_id, id, webhook_id, type, state, made_at, next_at, expires_at)
        VALUES ('{ORG}', 'd', 'w', 't', 'dead', now(), now(), now()),
          ('{ORG}', 'e', 'w', 't', 'pending', now() - interval '2 hours', now(), now())
        """
    )
    (found,) = await wrong(database_url, tmp_path)

    assert "1 deliveries of webhooks wait, the oldest for 72" in found.what
    assert "1 were given up" in found.what
