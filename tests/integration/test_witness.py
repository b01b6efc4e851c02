"""The witness: history that was moved back under the server is noticed, and no phone loses by it (correctness.md, 31 to 35)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sync_server.operate.postgres import Cluster
from sync_server.operate.witness import FILE, UnusableWitness, Witness
from sync_server.store.clock import SEQ_BITS
from sync_server.store.database import Database
from tests.harness import clusters
from tests.harness.counting import CountingDatabase
from tests.harness.world import House, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture
def witness(database: Database, tmp_path: Path) -> Witness:
    return Witness(database, tmp_path / FILE)


async def add(house: House, *ids: str) -> int:
    """Let a phone make partners; give the clock behind them."""
    await house.push(
        house.actor(), await house.clock(), {"business_partners": {"created": [partner(id) for id in ids]}}
    )
    return await house.clock()


async def put_back(house: House, position: int) -> None:
    """Take away everything above a position, as a disk put back to a snapshot does: the cluster does not know."""
    (name,) = [row[0] for row in await house.fetch("SELECT current_database()")]
    connection = await asyncpg.connect(Cluster(clusters.session_folder()).url(name, admin=True))
    try:
        await connection.execute(
            f"""
            SET session_replication_role = replica;
            BEGIN;
            DELETE FROM business_partners WHERE id IN (SELECT record_id FROM event WHERE position > {position});
            DELETE FROM feed WHERE position > {position};
            DELETE FROM label WHERE since > {position};
            DELETE FROM event WHERE position > {position};
            DELETE FROM push_receipt;
            DELETE FROM epoch_fork WHERE epoch > {position >> SEQ_BITS};
            UPDATE org_clock SET epoch = {position >> SEQ_BITS}, seq = {position & ((1 << SEQ_BITS) - 1)};
            COMMIT
            """
        )
    finally:
        await connection.close()


async def epoch(house: House) -> int:
    return await house.clock() >> SEQ_BITS


async def held(house: House, cursor: int | None) -> tuple[bool, list[str]]:
    """Pull; say whether it is a replacement, and what it brings."""
    answer: dict[str, Any] = await house.pull(house.actor("agent1", "phone2"), cursor)
    return answer.get("experimentalStrategy") == "replacement", sorted(records(answer, "business_partners"))


# --- Noticed ----------------------------------------------------------------------------------------------------------


async def test_while_nothing_is_moved_back_no_epoch_begins(house: House, witness: Witness) -> None:
    for n in range(5):
        await add(house, f"p{n}")
        assert await witness.look() == {}
    await house.run("UPDATE business_partners SET address = 'elsewhere'")
    assert await witness.look() == {}
    assert await epoch(house) == 2


async def test_a_database_that_was_put_back_begins_an_epoch_and_phones_from_above_are_replaced(
    house: House, witness: Witness
) -> None:
    below = await add(house, "p1")
    await witness.look()
    above = await add(house, "p2")
    await witness.look()

    await put_back(house, below)
    assert await witness.look() == {house.org_id: below}

    assert await held(house, above) == (True, ["p1"])
    assert await held(house, below) == (False, [])
    await add(house, "p3")
    assert await held(house, below) == (False, ["p3"]), "what was there before the cut goes on as if nothing had been"


async def test_positions_that_were_given_again_are_noticed(house: House, witness: Witness) -> None:
    """The server came back before anybody looked, and wrote further than it had been."""
    below = await add(house, "p1")
    await witness.look()
    above = await add(house, "p2")
    await witness.look()

    await put_back(house, below)
    assert await add(house, "q1", "q2", "q3") > above
    assert await witness.look() == {house.org_id: below}

    assert await held(house, above) == (True, ["p1", "q1", "q2", "q3"])
    assert await held(house, below) == (False, ["q1", "q2", "q3"])


async def test_a_database_restored_elsewhere_begins_an_epoch(
    house: House, witness: Witness, database_url: str, tmp_path: Path
) -> None:
    """Hole 33: a dump brings every row and position, and what came after it is gone."""
    seen = await add(house, "p1")
    await witness.look()
    async with copied(house, database_url) as elsewhere:
        assert await Witness(elsewhere, tmp_path / FILE).look() == {house.org_id: seen}
        assert await Witness(elsewhere, tmp_path / FILE).look() == {}, "it is known by now"


@asynccontextmanager
async def copied(house: House, url: str) -> AsyncIterator[Database]:
    """Give a copy of the database, which is another one to PostgreSQL."""
    name = url.partition("?")[0].rpartition("/")[2]
    await house.database.close()
    cluster = Cluster(clusters.session_folder())
    await clusters.create_database(cluster, f"{name}_copy", name)
    opened = await Database.open(cluster.url(f"{name}_copy"), pool_max=2)
    try:
        yield opened
    finally:
        await opened.close()
        await clusters.drop_database(cluster, f"{name}_copy")


async def test_a_look_takes_as_many_statements_for_many_organisations_as_for_one(
    house: House, database_url: str, tmp_path: Path
) -> None:
    """As a server starts it looks at all of them, before it answers anybody."""
    await add(house, "p1")
    await Witness(house.database, tmp_path / FILE).look()
    counting = await CountingDatabase.open(database_url, pool_max=1)
    counts = []
    try:
        for more in (0, 50):
            for n in range(more):
                await house.run(f"INSERT INTO org_clock (org_id, seq) VALUES ('org{n}', 1)")
            counting.statements.clear()
            await Witness(counting, tmp_path / FILE).look()
            counts.append(len(counting.statements))
    finally:
        await counting.close()

    assert counts[0] == counts[1]


# --- Once -------------------------------------------------------------------------------------------------------------


async def test_of_two_machines_that_notice_one_begins_the_epoch(
    house: House, database: Database, tmp_path: Path
) -> None:
    machines = [Witness(database, tmp_path / name / FILE) for name in ("one", "other")]
    below = await add(house, "p1")
    for each in machines:
        await each.look()
    await add(house, "p2")
    for each in machines:
        await each.look()

    await put_back(house, below)

    assert [await each.look() for each in machines] == [{house.org_id: below}, {}]
    assert await epoch(house) == 3
    await add(house, "p3")
    assert [await each.look() for each in machines] == [{}, {}]


async def test_an_epoch_that_is_gone_is_not_begun_again(house: House, witness: Witness) -> None:
    """Put back once more, to before the first time: phones hold positions of the epoch between."""
    first = await add(house, "p1")
    await witness.look()
    await add(house, "p2")
    await witness.look()
    await put_back(house, first)
    await witness.look()
    between = await add(house, "p3")
    await witness.look()

    await put_back(house, first)
    await witness.look()

    assert await epoch(house) == 4
    await add(house, "p4")
    assert await held(house, between) == (True, ["p1", "p4"])
    assert await held(house, first) == (False, ["p4"])


async def test_a_witness_that_cannot_be_read_stops_the_server_and_says_what_to_do(
    witness: Witness, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text("{")

    with pytest.raises(UnusableWitness, match="move it away"):
        await witness.look()


# --- Said by a person -------------------------------------------------------------------------------------------------


async def test_a_restore_that_took_the_witness_along_is_said_by_hand(
    house: House, witness: Witness, database_url: str, tmp_path: Path
) -> None:
    below = await add(house, "p1")
    await witness.look()
    above = await add(house, "p2")
    await put_back(house, below)
    assert await witness.look() == {}, "it agrees with what was restored with it"

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sync_server", "epoch", "begin"),
        env={**os.environ, "COTTON_DATABASE_URL": database_url, "COTTON_DATA": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()

    assert (process.returncode, said.decode()) == (0, "1 organisations begin a new epoch.\n")
    assert await held(house, above) == (True, ["p1"])
    assert await held(house, below) == (False, [])
    assert await witness.look() == {}
