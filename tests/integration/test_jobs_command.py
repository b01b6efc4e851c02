"""`cotton-sync jobs`: what waits, what failed for good, asking again, asking by hand, working once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncpg


async def command(url: str, data: Path, *words: str) -> tuple[int, str]:
    environment = {**os.environ, "COTTON_DATABASE_URL": url, "COTTON_DATA": str(data)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sync_server", "jobs", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_jobs_are_asked_for_listed_and_done_by_hand(database_url: str, tmp_path: Path) -> None:
    assert (await command(database_url, tmp_path, "run", "nonsense"))[0] == 1
    code, said = await command(database_url, tmp_path, "run", "upkeep")
    assert (code, said[:14]) == (0, "Asked for job ")
    assert "1 waiting, 0 running, 0 dead." in (await command(database_url, tmp_path, "list"))[1]

    code, said = await command(database_url, tmp_path, "work", "--once")

    assert (code, said) == (0, "Tried 1 jobs.\n")
    assert "0 waiting, 0 running, 0 dead." in (await command(database_url, tmp_path, "list"))[1]


async def test_dead_jobs_are_listed_and_asked_for_again(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO dead_job (org_id, id, kind, body, attempts, error, asked_at)"
        " VALUES ('', 7, 'upkeep', '{}', 3, 'OSError: no disk', now()), ('o', 8, 'expire', '{}', 5, 'Busy: ', now())"
    )
    assert "7: upkeep, failed 3 times" in (await command(database_url, tmp_path, "dead"))[1]
    assert "8: expire of o" in (await command(database_url, tmp_path, "dead", "--org", "o"))[1]

    assert (await command(database_url, tmp_path, "retry", "9"))[0] == 1
    assert (await command(database_url, tmp_path, "retry", "7")) == (0, "Asked for 1 jobs again.\n")
    assert (await command(database_url, tmp_path, "retry", "--all")) == (0, "Asked for 1 jobs again.\n")
    payloads = await connection.fetch(
        "SELECT convert_from(payload, 'UTF8')::json ->> 'org_id' AS org FROM pgqueuer ORDER BY id"
    )
    await connection.close()
    assert [row["org"] for row in payloads] == ["", "o"]
