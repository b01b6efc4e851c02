"""`cotton-sync desk`: building anew, and saying what differs."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.harness.world import House


async def command(url: str, data: Path, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sync_server", "desk", *words),
        env={**os.environ, "COTTON_DATABASE_URL": url, "COTTON_DATA": str(data)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_check_says_what_differs_and_rebuild_mends_it(house: House, database_url: str, tmp_path: Path) -> None:
    assert await command(database_url, tmp_path, "check") == (0, "org_a: no lines differ.\n")
    await house.run("UPDATE desk_position SET bales_open = 7; DELETE FROM desk_delivery")

    code, said = await command(database_url, tmp_path, "check", "--org", "org_a")

    assert code == 1
    assert "org_a: positions b1/lint/: kept branch_id b1, commodity_id lint, bales_open 7" in said
    assert "org_a: deliveries t1: kept nothing, should be trade_id t1" in said
    assert "org_a: 2 lines differ." in said
    assert (await command(database_url, tmp_path, "rebuild"))[0] == 0
    assert await command(database_url, tmp_path, "check") == (0, "org_a: no lines differ.\n")


async def test_an_organisation_that_is_not_there_is_named(house: House, database_url: str, tmp_path: Path) -> None:
    code, said = await command(database_url, tmp_path, "rebuild", "--org", "nobody")

    assert (code, said) == (1, "cotton-sync: There is no organisation nobody. There are: org_a.\n")
