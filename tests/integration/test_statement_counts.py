"""A constant number of statements, whatever the number of rows (DESIGN.md §2; engine/apply.py, engine/pull.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.counting import CountingDatabase
from tests.harness.world import House, contact, lot, partner, trade

FEW, MANY = 1, 500


@pytest.fixture
async def counting(database_url: str) -> AsyncIterator[CountingDatabase]:
    opened = await CountingDatabase.open(database_url, pool_max=3)
    yield opened
    await opened.close()


@pytest.fixture
async def house(counting: CountingDatabase, tmp_path: Path) -> House:
    settled = await House.settle(counting, tmp_path)
    await settled.add_partners("buyer", "seller")
    await settled.settle_holds(settled.actor())  # what a user may do is read once, then remembered
    return settled


def created(prefix: str, number: int) -> dict[str, Any]:
    ids = [f"{prefix}{n}" for n in range(number)]
    return {
        "business_partners": {"created": [partner(id) for id in ids]},
        "partner_contacts": {"created": [contact(id, id) for id in ids]},
        "availabilities": {"created": [lot(id, "seller") for id in ids]},
        "trades": {"created": [trade(id, "buyer", "seller") for id in ids]},
    }


async def _counted(counting: CountingDatabase, work: Any) -> Counter[str]:
    counting.statements.clear()
    await work
    return Counter(counting.statements)


async def test_push_of_many_records_takes_the_statements_of_a_push_of_one(
    house: House, counting: CountingDatabase
) -> None:
    cursor = await house.clock()
    one = await _counted(counting, house.push(house.actor(), cursor, created("a", FEW)))
    many = await _counted(counting, house.push(house.actor(), cursor, created("b", MANY)))

    assert many.total() == one.total()
    assert len(await house.ids("trades")) == FEW + MANY


async def test_changing_deleting_and_refusing_many_takes_the_statements_of_one(
    house: House, counting: CountingDatabase
) -> None:
    await house.push(house.actor(), await house.clock(), created("a", 3))
    await house.push(house.actor(), await house.clock(), created("b", 3 * MANY))
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET address = 'elsewhere'")  # so that histories are read

    def mixed(prefix: str, number: int) -> dict[str, Any]:
        ids = [f"{prefix}{n}" for n in range(3 * number)]
        edits = [{"id": id, "trade_name": "X"} for id in ids[:number]]
        bad = [{"id": id, "branch_id": "nowhere"} for id in ids[number : 2 * number]]
        return {
            "business_partners": {"updated": edits + bad},
            "trades": {"deleted": ids},
            "partner_contacts": {"deleted": ids},
        }

    one = await _counted(counting, house.push(house.actor(), cursor, mixed("a", 1)))
    many = await _counted(counting, house.push(house.actor(), cursor, mixed("b", MANY)))

    assert many.total() == one.total()
    assert len(await house.issues()) == 2 * (1 + MANY), "a refused partner keeps its contact, whose deletion came along"


async def test_smallest_push_stays_small(house: House, counting: CountingDatabase) -> None:
    changes = {"business_partners": {"created": [partner("p")]}}

    counted = await _counted(counting, house.push(house.actor(), await house.clock(), changes))

    assert counted.total() <= 14, "\n".join(counted)


async def test_pull_of_many_changes_takes_the_statements_of_a_pull_of_one(
    house: House, counting: CountingDatabase
) -> None:
    cursor = await house.clock()
    await house.add_partners("p")
    one = await _counted(counting, house.pull(house.actor(), cursor))
    await house.add_partners(*(f"q{n}" for n in range(MANY)))
    many = await _counted(counting, house.pull(house.actor(), cursor))

    assert many.total() == one.total() == 2


async def test_pull_without_changes_takes_one_look_at_the_clock(house: House, counting: CountingDatabase) -> None:
    cursor = await house.clock()

    assert (await _counted(counting, house.pull(house.actor(), cursor))).total() == 1


async def test_first_sync_takes_the_same_statements_whatever_its_size(house: House, counting: CountingDatabase) -> None:
    one = await _counted(counting, house.pull(house.actor()))
    await house.add_partners(*(f"q{n}" for n in range(MANY)))
    many = await _counted(counting, house.pull(house.actor()))

    assert many.total() <= one.total()
