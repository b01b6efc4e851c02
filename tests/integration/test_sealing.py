"""Sealing: every event of the log gets one seal, in order, after its commit, whoever writes and seals meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from sync_server.config import load_settings
from sync_server.engine.sealing import TURN_MAX, digest_of, first_digest, seal
from sync_server.operate.job_kinds import kinds_of
from sync_server.operate.jobs import Jobs
from tests.harness.world import House

UNSEALED = (
    "SELECT count(*) FROM event e FULL JOIN event_seal s USING (org_id, position) WHERE e.op IS NULL OR s.leaf IS NULL"
)


async def chained(house: House) -> int:
    """Follow the chain as its decision record tells it; give how many seals it has."""
    digest = first_digest(house.org_id)
    seals = await house.fetch("SELECT * FROM event_seal WHERE org_id = $1 ORDER BY position", house.org_id)
    for one in seals:
        digest = digest_of(digest, one["position"], one["leaf"])
        assert digest == one["digest"], f"the chain is broken at {one['position']}"
    head = await house.fetch("SELECT sealed, digest FROM seal_head WHERE org_id = $1", house.org_id)
    assert [tuple(row) for row in head] == [(seals[-1]["position"], digest)]
    return len(seals)


async def test_what_was_committed_is_sealed_once_and_in_order(house: House) -> None:
    events = len(await house.events())

    assert await seal(house.database, house.org_id) == events
    assert await seal(house.database, house.org_id) == 0
    await house.add_partners("new1", "new2")
    assert await seal(house.database, house.org_id) == 2

    assert await chained(house) == events + 2
    assert await house.one(UNSEALED) == 0


async def test_more_events_than_one_turn_takes_are_sealed(house: House) -> None:
    await house.add_partners(*(f"many{n}" for n in range(2 * TURN_MAX)))
    events = len(await house.events())

    assert await seal(house.database, house.org_id, TURN_MAX) == TURN_MAX, "a job leaves the rest to the next"
    assert await seal(house.database, house.org_id) == events - TURN_MAX

    assert await chained(house) == events


async def test_an_open_transaction_is_neither_sealed_nor_passed(house: House, database_url: str) -> None:
    late = await asyncpg.connect(database_url)
    try:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("UPDATE units SET name = 'Late' WHERE id = 'kg'")
        before = len(await house.events())
        assert await seal(house.database, house.org_id) == before
        await transaction.commit()
        assert await seal(house.database, house.org_id) == 1
    finally:
        await late.close()
    assert await chained(house) == before + 1


async def test_writers_and_several_who_seal_do_not_disturb_each_other(house: House) -> None:
    writing = True

    async def write(writer: int) -> None:
        for n in range(30):
            await house.add_partners(*(f"w{writer}.{n}.{k}" for k in range(3)))

    async def keep_sealing() -> int:
        sealed = 0
        while writing:
            sealed += await seal(house.database, house.org_id)
        return sealed

    sealing = [asyncio.create_task(keep_sealing()) for _ in range(2)]
    await asyncio.gather(*(write(n) for n in range(3)))
    writing = False
    sealed = sum(await asyncio.gather(*sealing)) + await seal(house.database, house.org_id)

    assert sealed == len(await house.events()) == await chained(house)
    assert await house.one(UNSEALED) == 0


async def test_a_job_seals_what_is_new(house: House, tmp_path: Path) -> None:
    settings = load_settings(database_url="postgresql://nobody@127.0.0.1/none", data=tmp_path)
    jobs = Jobs(house.database, kinds_of(house.database, settings))
    await jobs.ask_for_what_is_due()
    for _ in range(2):  # what other jobs write in the first round is sealed in the second
        await house.run("UPDATE pgqueuer_schedules SET next_run = now() - interval '1 second'")
        assert "seals" in await jobs.ask_for_what_is_due()
        await jobs.work_off()

    assert await house.one(UNSEALED) == 0
    assert await chained(house) == len(await house.events())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event_seal",
        "TRUNCATE event_seal",
        "UPDATE event_seal SET leaf = digest",
        "UPDATE event_seal SET digest = leaf",
        "UPDATE event_seal SET position = position + 1",
        "UPDATE event_seal SET salt = substr(leaf, 1, 16)",
    ],
)
async def test_seals_are_not_rewritten_by_mistake(house: House, statement: str) -> None:
    await seal(house.database, house.org_id)
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="append-only"):
        await house.run(statement)


async def test_a_salt_can_be_destroyed(house: House) -> None:
    await seal(house.database, house.org_id)

    await house.run("UPDATE event_seal SET salt = NULL")

    assert await chained(house) == len(await house.events())
