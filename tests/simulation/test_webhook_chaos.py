"""Webhooks under whatever can happen: several processes that die, endpoints that fail, days that pass, in random order.

At the end everything that concerned a webhook has been delivered, under one id each, in the order of each record, and nothing
else has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sync_server.operate.webhooks import LEASE
from sync_server.store import webhook_deliveries
from tests.harness.endpoints import Endpoint, Works, endpoint_here, works_of
from tests.harness.world import House

STEPS = 120
RECORDS = ("p1", "p2", "n1", "n2")


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


async def write(house: House, random: Random, number: int) -> None:
    """Change a record, sometimes several at once, sometimes to nothing."""
    some = random.sample(RECORDS, random.randint(1, 2))
    async with house.database.acquire_everywhere() as connection:
        transaction = connection.transaction()
        await transaction.start()
        statement = "UPDATE business_partners SET remarks = $2 WHERE org_id = 'org_a' AND id = ANY($1)"
        await connection.execute(statement, some, f"n{number}")
        await (transaction.rollback() if random.random() < 0.1 else transaction.commit())


async def killed(works: Works, random: Random) -> None:
    """Let a process begin to deliver, and die at some moment of it."""
    await works.webhooks.follow()
    dying = asyncio.create_task(works.webhooks.deliver())
    await asyncio.sleep(random.uniform(0, 0.02))
    dying.cancel()
    await asyncio.wait([dying])


async def one_step(processes: list[Works], endpoint: Endpoint, random: Random, number: int) -> None:
    works = random.choice(processes)
    match random.choices(["write", "round", "killed", "both", "fail", "time"], [6, 4, 2, 2, 1, 2])[0]:
        case "write":
            await write(works.house, random, number)
        case "round":
            await works.round()
        case "killed":
            await killed(works, random)
        case "both":
            await asyncio.gather(*(each.webhooks.follow() for each in processes))
            await asyncio.gather(*(each.webhooks.deliver() for each in processes))
        case "fail":
            endpoint.answers += [random.choice([500, 503, 404, 302])] * random.randint(1, 8)
        case "time":
            passed = random.choice([1, 60, 3_600])
            for each in processes:
                each.clock.go_on(seconds=passed)


@pytest.mark.parametrize("run", range(4))
async def test_everything_arrives_once_or_more_in_order_whatever_happens(
    house: House, endpoint: Endpoint, tmp_path: Path, seed: int, run: int
) -> None:
    random = Random(f"{seed}/{run}")
    await house.add_partners("n1", "n2")
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(works_of(house, tmp_path)) for _ in range(3)]
        start = await house.clock()
        webhook, _ = await processes[0].subscribe(endpoint.url, "business_partners.updated")
        for number in range(STEPS):
            await one_step(processes, endpoint, random, number)
        await come_to_rest(processes, endpoint)

    events = [event for event in await house.events(start) if event["entity"] == "business_partners"]
    await check(house, endpoint, webhook.id, [(e["record_id"], e["position"]) for e in events])


async def come_to_rest(processes: list[Works], endpoint: Endpoint) -> None:
    """Let the endpoint work, and time pass, until nothing waits."""
    endpoint.answers.clear()
    for _ in range(60):
        for each in processes:
            each.clock.go_on(seconds=max(LEASE.total_seconds(), 1_800))
        await processes[0].round()
        if "pending" not in await processes[0].states():
            return
    raise AssertionError("something waits for ever")


async def check(house: House, endpoint: Endpoint, webhook_id: str, events: list[tuple[str, int]]) -> None:
    states = [row["state"] for row in await house.fetch("SELECT state FROM webhook_delivery")]
    assert states == ["delivered"] * len(events)
    taken = [(one.data["id"], one.data["position"], one.id) for one in endpoint.taken]
    assert {(record, position) for record, position, _ in taken} == set(events)
    assert all(id == f"msg_{webhook_id}_{position}" for _, position, id in taken)
    for record in RECORDS:
        order = [position for other, position, _ in taken if other == record]
        assert order == sorted(order), f"a later event of {record} overtook an older one"


class Hasty:
    """A connection on which a claim does not see that an older event of the record waits."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: object) -> Any:
        assert "ON (d.entity, d.record_id)" in statement
        return await self._connection.fetch(
            statement.replace("ON (d.entity, d.record_id)", "ON (d.entity, d.record_id, d.position)"), *values
        )


async def test_planted_claim_that_overtakes_is_found(
    house: House, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = webhook_deliveries.claim

    async def hasty(connection: Any, *given: Any, **named: Any) -> Any:
        return await claim(Hasty(connection), *given, **named)

    monkeypatch.setattr(webhook_deliveries, "claim", hasty)
    with pytest.raises(AssertionError, match="overtook"):
        await test_everything_arrives_once_or_more_in_order_whatever_happens(house, endpoint, tmp_path, 7, 0)
