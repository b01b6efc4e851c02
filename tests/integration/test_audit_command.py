"""`cotton-sync audit`: what it says, with which exit code, and what the nightly round counts."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sync_server.config import load_settings
from sync_server.operate.audits import audit_by_night
from sync_server.operate.meters import LOG_FAULTS
from tests.harness.tampering import cut, tamper
from tests.harness.world import House


class Operator:
    """Somebody at the command line."""

    def __init__(self, house: House, url: str, data: Path) -> None:
        self.house = house
        self.data = data
        self._url = url

    async def audit(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sync_server", "audit", *words),
            env={**os.environ, "COTTON_DATABASE_URL": self._url, "COTTON_DATA": str(self.data)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


@pytest.fixture
async def operator(house: House, database_url: str, tmp_path: Path) -> Operator:
    operator = Operator(house, database_url, tmp_path / "data")
    code, said = await operator.audit("publish")
    assert (code, said) == (0, f"Published 1 heads in {tmp_path}/data/audit/heads.jsonl.\n")
    return operator


async def test_an_untouched_log_is_as_it_was_sealed(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_text((await operator.audit("key"))[1])
    events, position = len(await operator.house.events()), await operator.house.clock()

    code, said = await operator.audit("verify", "--org", "org_a", "--public-key", str(tmp_path / "public.pem"))

    assert said == (
        f"org_a: {events} events up to position {position} are as they were sealed, 1 published heads agree,"
        " 0 newer events wait for their seal.\n"
    )
    assert code == 0


async def test_what_was_done_is_told_with_its_row(operator: Operator) -> None:
    row = await operator.house.one("SELECT max(position) FROM event WHERE record_id = 'p1'")
    await tamper(operator.house, f"DELETE FROM event WHERE position = {row}")

    code, said = await operator.audit("verify")

    assert code == 1
    assert said.splitlines()[0] == f"org_a: The event at position {row} was deleted; the seal is still there."


async def test_a_tail_cut_off_and_a_head_that_somebody_wrote_are_told(operator: Operator) -> None:
    there = [row["position"] for row in await operator.house.events()]
    await cut(operator.house, there[-3])
    with (operator.data / "audit" / "heads.jsonl").open("a") as file:
        file.write('{"org": "org_a", "position": 1, "digest": "00", "at": "", "signature": "00"}\n')

    code, said = await operator.audit("verify")

    assert code == 1
    assert f"What came after position {there[-3]} was cut off: a head was published at position {there[-1]}." in said
    assert "heads.jsonl, line 2: not signed with the key." in said


async def test_a_restore_is_told_as_one_and_can_be_accepted(operator: Operator) -> None:
    there = [row["position"] for row in await operator.house.events()]
    await cut(operator.house, there[-3])
    await operator.house.run(
        f"INSERT INTO epoch_fork (org_id, epoch, forked_at) VALUES ('org_a', 3, {there[-3]});"
        " UPDATE org_clock SET epoch = 3, seq = 0"
    )

    code, said = await operator.audit("verify")
    assert code == 1
    assert "org_a: Epoch 3 began where history was moved back, as after a restore. 1 published heads up to" in said
    assert "say so with --restored 3" in said

    code, said = await operator.audit("verify", "--restored", "3")
    assert code == 0
    assert "are as they were sealed" in said


async def test_what_is_not_there_is_named(operator: Operator) -> None:
    assert await operator.audit("verify", "--org", "nobody") == (1, "cotton-sync: There is no organisation nobody.\n")
    assert await operator.audit("verify", "--heads", "/nowhere") == (1, "cotton-sync: There is no file /nowhere.\n")


async def test_the_nightly_round_counts_what_is_wrong(operator: Operator) -> None:
    settings = load_settings(database_url="postgresql://nobody@127.0.0.1/none", data=operator.data)
    before = LOG_FAULTS.values[()]
    assert await audit_by_night(operator.house.database, settings) == 0

    await tamper(operator.house, "UPDATE event SET actor = 'x' WHERE record_id = 'p1'")

    assert await audit_by_night(operator.house.database, settings) > 0
    assert LOG_FAULTS.values[()] > before
