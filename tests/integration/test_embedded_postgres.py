"""The embedded PostgreSQL: made, shared, killed, found again (sync_server/operate/{postgres,postmaster,launch}.py)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sync_server.operate import launch
from sync_server.operate.launch import PostgresFailed
from sync_server.operate.postgres import Cluster
from tests.harness.clusters import stop_orphan

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL refuses root only")


def ask(url: str, sql: str) -> Any:
    """Run one statement on a connection of its own; give its value."""

    async def asked() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(asked())


def pid_of(cluster: Cluster) -> int:
    postmaster = cluster.postmaster()
    assert postmaster is not None
    return postmaster.pid


def kill(cluster: Cluster) -> None:
    """Kill the postmaster and wait until it is dead."""
    os.kill(pid_of(cluster), signal.SIGKILL)
    while cluster.is_up():
        time.sleep(0.001)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a cluster, whose postmaster is gone after the test whatever happens."""
    yield tmp_path / "postgres"
    stop_orphan(tmp_path / "postgres")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster that was made and stopped, to be copied: initdb that waits for the disk takes seconds."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    cluster = Cluster(folder, durable=False)
    cluster.start()
    cluster.release()
    return folder


@pytest.fixture
def cluster(folder: Path, made: Path) -> Iterator[Cluster]:
    """A running cluster of the test's own, durable as in production."""
    shutil.copytree(made, folder)
    running = Cluster(folder)
    running.start()
    yield running
    running.release()


def test_cluster_is_postgresql_18_and_keeps_what_it_acknowledged(cluster: Cluster) -> None:
    assert ask(cluster.url(), "SHOW server_version_num") >= "180000"
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert ask(cluster.url(), f"SHOW {name}") == "on"


def test_cluster_is_out_of_reach_for_the_network_and_for_other_users(cluster: Cluster) -> None:
    postmaster = cluster.postmaster()
    assert postmaster is not None

    assert ask(cluster.url(), "SHOW listen_addresses") == ""
    for private in (postmaster.socket, cluster.data, cluster.folder):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((cluster.folder / "password").stat().st_mode) == 0o600


def test_connection_without_the_password_is_refused(cluster: Cluster) -> None:
    password = (cluster.folder / "password").read_text().strip()
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(cluster.url().replace(password, "guess"), "SELECT 1")


def test_program_is_no_superuser(cluster: Cluster) -> None:
    assert ask(cluster.url(), "SHOW is_superuser") == "off"
    assert ask(cluster.url("postgres", admin=True), "SHOW is_superuser") == "on"


def test_second_user_of_the_folder_attaches_and_the_last_one_stops_it(cluster: Cluster, folder: Path) -> None:
    second = Cluster(folder)
    second.start()

    assert pid_of(second) == pid_of(cluster)
    assert cluster.release() is False
    assert ask(second.url(), "SELECT 1") == 1
    assert second.release() is True
    assert second.postmaster() is None


def test_starts_at_the_same_moment_make_one_cluster(folder: Path) -> None:
    several = [Cluster(folder) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: each.start(), several))

    assert len({pid_of(each) for each in several}) == 1
    assert [each.release() for each in several] == [False, False, False, True]


def test_killed_program_leaves_a_postmaster_that_the_next_one_takes_over(folder: Path, made: Path) -> None:
    shutil.copytree(made, folder)
    program = (
        "import sys, time, pathlib\n"
        "from sync_server.operate.postgres import Cluster\n"
        "cluster = Cluster(pathlib.Path(sys.argv[1])); cluster.start(); print('up', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.kill()

    following = Cluster(folder)
    left_running = pid_of(following)
    following.start()

    assert pid_of(following) == left_running
    assert ask(following.url(), "SELECT 1") == 1
    assert following.release() is True


def test_killed_postmaster_loses_nothing_that_was_committed(cluster: Cluster) -> None:
    ask(cluster.url(), "CREATE TABLE kept (n int)")
    for number in range(3):
        ask(cluster.url(), f"INSERT INTO kept VALUES ({number})")
        kill(cluster)
        cluster.start(make=False)

    assert ask(cluster.url(), "SELECT array_agg(n ORDER BY n) FROM kept") == [0, 1, 2]


async def test_hanging_child_of_a_killed_postmaster_is_no_hindrance(cluster: Cluster) -> None:
    connection = await asyncpg.connect(cluster.url())
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    kill(cluster)

    await asyncio.to_thread(cluster.start, make=False)

    connection.terminate()
    following = await asyncpg.connect(cluster.url())
    await following.close()


def test_data_survives_a_stop(cluster: Cluster, folder: Path) -> None:
    ask(cluster.url(), "CREATE TABLE kept AS SELECT 7 AS n")
    cluster.release()
    again = Cluster(folder)
    again.start()

    assert ask(again.url(), "SELECT n FROM kept") == 7
    again.release()


def test_interrupted_initdb_is_begun_anew(folder: Path) -> None:
    (folder / "cluster.new" / "base").mkdir(parents=True)
    cluster = Cluster(folder)
    cluster.start()

    assert ask(cluster.url(), "SELECT 1") == 1
    cluster.release()


def test_lock_file_that_names_somebody_else_s_process_is_no_hindrance(cluster: Cluster, folder: Path) -> None:
    """As after a reboot of a container, where pids repeat."""
    kill(cluster)
    lock = cluster.data / "postmaster.pid"
    lock.write_text("\n".join([str(os.getpid()), *lock.read_text().splitlines()[1:]]) + "\n")

    cluster.start()

    assert ask(cluster.url(), "SELECT 1") == 1


def test_cluster_that_is_gone_is_not_replaced_by_an_empty_one(folder: Path) -> None:
    with pytest.raises(PostgresFailed, match="is gone"):
        Cluster(folder).start(make=False)


def test_deep_folder_gets_its_socket_elsewhere(tmp_path: Path, made: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60) / "postgres"
    shutil.copytree(made, deep)
    cluster = Cluster(deep)
    cluster.start()
    try:
        postmaster = cluster.postmaster()
        assert postmaster is not None
        assert postmaster.socket.parent != deep
        assert ask(cluster.url(), "SELECT 1") == 1
    finally:
        cluster.release()
        stop_orphan(deep)
    assert not postmaster.socket.exists()


def test_reason_why_it_does_not_start_is_told(folder: Path, made: Path) -> None:
    shutil.copytree(made, folder)
    cluster = Cluster(folder)
    (folder / "cluster" / "postgresql.conf").write_text("nonsense = 1\n")

    with pytest.raises(PostgresFailed, match="unrecognized configuration parameter"):
        cluster.start()


@AS_ROOT
def test_where_namespaces_are_forbidden_an_unprivileged_user_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "namespaces_work", lambda _binaries: False)
    base = Path(tempfile.mkdtemp(prefix="cotton-drop-"))
    base.chmod(0o755)
    cluster = Cluster(base / "postgres", durable=False)
    try:
        cluster.start()
        assert ask(cluster.url(), "SELECT 1") == 1
        assert Path(f"/proc/{pid_of(cluster)}").stat().st_uid != 0
        cluster.release()

        monkeypatch.undo()
        cluster.start()  # data that belongs to that user is run as that user from then on
        assert Path(f"/proc/{pid_of(cluster)}").stat().st_uid != 0
    finally:
        cluster.release()
        stop_orphan(base / "postgres")
        shutil.rmtree(base)


@AS_ROOT
def test_folder_out_of_reach_of_that_user_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launch, "namespaces_work", lambda _binaries: False)
    (tmp_path / "private").mkdir(mode=0o700)

    with pytest.raises(PostgresFailed, match="choose a DATA folder"):
        Cluster(tmp_path / "private" / "postgres").start()
