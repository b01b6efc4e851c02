"""The command line: what a person types, reads and gets as exit code (sync_server/__main__.py, operate/{setup,doctor}.py)."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from sync_server.config import load_settings
from sync_server.operate import setup
from sync_server.operate.postgres import Cluster
from sync_server.store.facts import ServerFacts
from tests.architecture.sources import ROOT
from tests.harness.clusters import stop_orphan


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def cotton_sync(*arguments: str, **settings: str) -> Ended:
    """Run `cotton-sync` with `settings` as its only COTTON_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COTTON_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sync_server", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited, **{f"COTTON_{name.upper()}": value for name, value in settings.items()}},
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose embedded PostgreSQL is gone after the test."""
    yield tmp_path / "data"
    stop_orphan(tmp_path / "data" / "postgres")


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["serve", "doctor", "seed"])
async def test_wrong_setting_is_one_line_and_exit_code_2(command: str) -> None:
    ended = await cotton_sync(command, port="99999")

    assert ended.code == 2
    assert ended.err.startswith("COTTON_PORT=99999: ")
    assert ended.err.count("\n") == 1
    assert not ended.out


async def test_misspelt_setting_is_told_and_does_no_harm(database_url: str) -> None:
    ended = await cotton_sync("migrate", "check", database_url=database_url, prot="1")

    assert ended.code == 0
    assert "did you mean COTTON_PORT?" in ended.err


async def test_every_command_explains_itself() -> None:
    ended = await cotton_sync("--help")

    assert ended.code == 0
    for command in ("serve", "migrate", "seed", "doctor", "generate", "org", "user", "role", "grant"):
        assert command in ended.out


# --- A database that cannot be used -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("serve",), ("migrate", "up"), ("migrate", "status"), ("seed",)])
async def test_database_out_of_reach_is_one_line_without_a_traceback(command: tuple[str, ...], data: Path) -> None:
    ended = await cotton_sync(*command, database_url="postgresql://u:hunter2@127.0.0.1:1/none", data=str(data))

    assert ended.code == 1
    assert ended.err.startswith("cotton-sync: PostgreSQL cannot be reached")
    assert ended.err.count("\n") == 1
    assert "hunter2" not in ended.err


def test_postgresql_that_is_too_old_is_refused() -> None:
    with pytest.raises(setup.NotServable, match="PostgreSQL 14 is too old: 15 or newer"):
        setup.check(load_settings(), ServerFacts(major=14, unsafe=(), connections_max=100))


def test_workers_that_need_more_connections_than_there_are_are_refused() -> None:
    with pytest.raises(setup.NotServable, match="COTTON_WORKERS"):
        setup.check(load_settings(workers=20, pool_max=10), ServerFacts(major=18, unsafe=(), connections_max=97))


async def test_port_that_is_taken_is_told(database_url: str, data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        for workers in ("1", "2"):
            ended = await cotton_sync("serve", database_url=database_url, data=str(data), port=port, workers=workers)

            assert ended.code == 1
            assert f"port {port} cannot be listened on: address already in use" in ended.err
            assert "Traceback" not in ended.err


# --- Migrations -------------------------------------------------------------------------------------------------------


async def test_migrations_go_up_and_down_and_say_how_it_stands(empty_url: str) -> None:
    assert (await cotton_sync("migrate", "check", database_url=empty_url)).code == 1
    assert "Migrated: 0001" in (await cotton_sync("migrate", "up", database_url=empty_url)).out
    assert "Nothing to migrate" in (await cotton_sync("migrate", "up", database_url=empty_url)).out
    checked = await cotton_sync("migrate", "check", database_url=empty_url)
    assert (checked.code, checked.out) == (0, "current: The schema is as it should be.\n")

    undone = await cotton_sync("migrate", "down", "0001", database_url=empty_url)
    assert "0002" in undone.out
    status = await cotton_sync("migrate", "status", database_url=empty_url)
    assert "done   0001 (pre)" in status.out
    assert "to do  0002 (pre)" in status.out
    assert (await cotton_sync("migrate", "down", "base", database_url=empty_url)).code == 0


async def test_a_start_that_fails_half_way_says_why_and_ends_what_had_begun(demo_url: str, data: Path) -> None:
    """What was left running held a connection, and the process waited for it for ever."""
    ended = await cotton_sync(
        "serve", database_url=demo_url, data=str(data), port="0", demo="true", fcm_key_file=str(data / "missing.json")
    )
    assert ended.code == 1
    assert "is no key of a service account" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert "asynchronous generator" not in ended.err


async def test_altered_schema_is_told_with_what_was_altered(database_url: str) -> None:
    await execute(database_url, "ALTER TABLE trades ADD COLUMN extra text")

    checked = await cotton_sync("migrate", "check", database_url=database_url)
    assert checked.code == 1
    assert "column trades.extra added" in checked.out
    assert (await cotton_sync("migrate", "up", database_url=database_url)).code == 1
    assert (await cotton_sync("migrate", "up", "--accept-altered", database_url=database_url)).code == 0
    assert (await cotton_sync("migrate", "check", database_url=database_url)).code == 0


async def test_revision_that_does_not_exist_is_told(database_url: str) -> None:
    ended = await cotton_sync("migrate", "up", "0815", database_url=database_url)

    assert ended.code == 1
    assert "0815" in ended.err
    assert "Traceback" not in ended.err


# --- Seeding, generating ----------------------------------------------------------------------------------------------


async def test_seeding_grows_the_demo_to_the_size_asked_for(database_url: str) -> None:
    ended = await cotton_sync("seed", "--records", "200", database_url=database_url)
    assert ended.code == 0, ended.err
    assert "0 new logins" in ended.out  # outside demo mode nobody gets a known password

    again = await cotton_sync("seed", "--records", "200", database_url=database_url, demo="true")
    assert " 0 of them new; " in again.out
    assert "0 new logins" not in again.out


@pytest.mark.parametrize("files", ["mobile", "docs"])
async def test_generated_files_are_those_of_the_catalogue(files: str) -> None:
    ended = await cotton_sync("generate", files, "--check")

    assert (ended.code, ended.out) == (0, "The generated files are up to date.\n")


# --- The doctor -------------------------------------------------------------------------------------------------------


async def test_doctor_finds_nothing_wrong_before_the_first_start_and_makes_nothing(data: Path) -> None:
    ended = await cotton_sync("doctor", data=str(data), port="0")

    assert ended.code == 0, ended.out
    assert "WRONG" not in ended.out
    assert not data.exists()


async def test_doctor_says_what_is_wrong_and_how_to_mend_it(empty_url: str, data: Path) -> None:
    key = data / "keys" / "token-es256.pem"
    key.parent.mkdir(parents=True)
    key.write_text("not a key")
    key.chmod(0o644)
    data.chmod(0o777)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = await cotton_sync("doctor", database_url=empty_url, data=str(data), port=port, prot="1")

    assert ended.code == 1
    lines = ended.out.splitlines()
    wrong = {line: lines[number + 1] for number, line in enumerate(lines) if line.startswith("WRONG")}
    mended = {
        "COTTON_PROT": "name of the variable",
        "data folder": "chmod o-w",
        "can be read by others": "chmod 600",
        "is not free": "PORT=",
        "fsync is off": "postgresql.conf",  # the tests' own cluster
        "schema behind": "migrate up",
    }
    for what, mend in mended.items():
        assert any(what in line and mend in following for line, following in wrong.items()), f"{what}:\n{ended.out}"
    assert len(wrong) == len(mended)


async def test_doctor_tells_a_broken_key_and_a_database_out_of_reach(data: Path) -> None:
    key = data / "keys" / "token-es256.pem"
    key.parent.mkdir(parents=True, mode=0o700)
    key.write_text("not a key")
    key.chmod(0o600)
    ended = await cotton_sync("doctor", database_url="postgresql://127.0.0.1:1/none", data=str(data), port="0")

    assert ended.code == 1
    assert "Restore it from a backup" in ended.out
    assert "PostgreSQL cannot be reached" in ended.out


async def test_doctor_examines_an_embedded_database_that_exists_and_leaves_it_stopped(data: Path) -> None:
    cluster = Cluster(data / "postgres", durable=False)
    await asyncio.to_thread(cluster.start)
    await asyncio.to_thread(cluster.release)

    ended = await cotton_sync("doctor", data=str(data), port="0")

    assert "PostgreSQL 18 answers" in ended.out
    assert "full_page_writes and synchronous_commit are on" in ended.out
    assert "WRONG schema behind" in ended.out
    assert cluster.postmaster() is None


# --- make -------------------------------------------------------------------------------------------------------------


async def test_make_lists_what_there_is_to_do() -> None:
    process = await asyncio.create_subprocess_exec("make", cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()

    for target in ("run", "test", "check", "bench", "setup", "seed", "doctor"):
        assert f"make {target} " in out.decode()
