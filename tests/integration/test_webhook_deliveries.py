"""Deliveries: tried for three days, in the order of each record, by one process at a time, under one id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from sync_server.operate import webhooks as serving
from sync_server.operate.webhooks import Webhooks
from sync_server.store import webhook_deliveries
from tests.harness.endpoints import Endpoint, Works, endpoint_here, works_of
from tests.harness.world import House


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


@pytest.fixture
async def works(house: House, tmp_path: Path) -> AsyncIterator[Works]:
    async with works_of(house, tmp_path) as running:
        yield running


async def go_on(works: Works, **times: float) -> None:
    works.clock.go_on(**times)
    await works.round()


# --- Retries ------------------------------------------------------------------------------------------------------------


async def test_an_endpoint_that_is_down_for_two_days_gets_everything_once_it_is_back(
    works: Works, endpoint: Endpoint
) -> None:
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.status = 503
    ids = [f"n{n:02d}" for n in range(20)]
    await works.house.add_partners(*ids)
    for _ in range(96):
        await go_on(works, minutes=30)
    assert (await works.webhook(webhook.id))["state"] == "broken"
    assert len(endpoint.taken) < 70  # probed, not flooded
    endpoint.status, before = 200, len(endpoint.taken)

    for _ in range(4):
        await go_on(works, minutes=31)

    assert await works.states() == ["delivered"] * 20
    assert sorted(taken.data["id"] for taken in endpoint.taken[before:]) == ids
    assert (await works.webhook(webhook.id))["state"] == "active"


async def test_what_fails_for_three_days_is_dead_and_is_sent_again_when_a_person_says_so(
    works: Works, endpoint: Endpoint
) -> None:
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.status = 500
    await works.house.add_partners("n1", "n2")
    for _ in range(80):
        await go_on(works, hours=1)
    assert await works.states() == ["dead", "dead"]
    endpoint.status, before = 200, len(endpoint.taken)
    await go_on(works, hours=1)
    assert len(endpoint.taken) == before

    async with works.house.database.acquire(works.house.org_id) as connection:
        now, org_id = works.clock(), works.house.org_id
        later = now + webhook_deliveries.WINDOW
        assert await webhook_deliveries.send_again(connection, org_id, webhook.id, None, now=now, expires_at=later) == 2
    await go_on(works, hours=1)

    assert await works.states() == ["delivered", "delivered"]
    first = {taken.data["id"]: taken.id for taken in endpoint.taken[:before]}
    assert {taken.data["id"]: taken.id for taken in endpoint.taken[before:]} == first


async def test_every_attempt_has_the_same_id_and_its_own_time_and_signature(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.answers = [500, 500]
    await works.house.add_partners("n1")
    for _ in range(3):
        await go_on(works, minutes=5)

    assert len(endpoint.taken) == 3
    assert len({taken.id for taken in endpoint.taken}) == 1
    assert len({taken.headers["webhook-timestamp"] for taken in endpoint.taken}) == 3
    assert len({taken.headers["webhook-signature"] for taken in endpoint.taken}) == 3


async def test_gone_pauses_the_webhook_and_keeps_what_waits(works: Works, endpoint: Endpoint) -> None:
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.answers = [410]
    await works.house.add_partners("n1")
    await works.round()
    await works.house.add_partners("n2")
    await go_on(works, hours=5)

    held = await works.webhook(webhook.id)
    assert (held["state"], held["reason"], len(endpoint.taken)) == ("paused", "gone", 1)
    await works.house.run("UPDATE webhook SET state = 'active'")
    await works.round()
    assert [taken.data["id"] for taken in endpoint.taken] == ["n1", "n2"]


async def test_a_secret_that_does_not_open_sends_nothing_and_says_so(
    works: Works, endpoint: Endpoint, tmp_path: Path
) -> None:
    """The secret key file was replaced: an unsigned message would be worse than none."""
    await works.subscribe(endpoint.url, "business_partners.*")
    await works.house.add_partners("n1")
    (tmp_path / "another").mkdir()
    async with works_of(works.house, tmp_path / "another") as stranger:
        await stranger.round()

    assert endpoint.taken == []
    assert [(row["state"], row["error"]) for row in await works.log()] == [("pending", "no_secret")]
    await go_on(works, minutes=1)
    assert await works.states() == ["delivered"]


# --- Order --------------------------------------------------------------------------------------------------------------


async def test_an_older_event_of_a_record_holds_up_the_later_ones_and_nothing_else(
    works: Works, endpoint: Endpoint
) -> None:
    await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.answers = [500]
    await works.house.run("UPDATE business_partners SET remarks = 'one' WHERE id = 'p1'")
    await works.round()
    await works.house.run("UPDATE business_partners SET remarks = 'two' WHERE id = 'p1'")
    await works.house.run("UPDATE business_partners SET remarks = 'other' WHERE id = 'p2'")
    await works.round()
    assert [taken.data["id"] for taken in endpoint.taken] == ["p1", "p2"]

    await go_on(works, minutes=1)

    assert [taken.data["changes"]["remarks"]["to"] for taken in endpoint.of("p1")] == ["one", "one", "two"]


async def test_planted_claim_that_overtakes_is_found(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = works.house.database.acquire

    class Hasty:
        """A connection whose claims do not look for older events."""

        def __init__(self, connection: object) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

        async def fetch(self, statement: str, *values: object) -> object:
            return await self._connection.fetch(  # type: ignore[attr-defined]
                statement.replace("ON (d.entity, d.record_id)", "ON (d.entity, d.record_id, d.position)"), *values
            )

    monkeypatch.setattr(
        webhook_deliveries,
        "claim",
        lambda connection, *given, claim=webhook_deliveries.claim, **named: claim(Hasty(connection), *given, **named),
    )
    assert works.house.database.acquire == real
    with pytest.raises(AssertionError):
        await test_an_older_event_of_a_record_holds_up_the_later_ones_and_nothing_else(works, endpoint)


# --- Several processes ----------------------------------------------------------------------------------------------------


async def test_many_processes_deliver_each_event_once(house: House, endpoint: Endpoint, tmp_path: Path) -> None:
    async with works_of(house, tmp_path) as one, works_of(house, tmp_path) as two, works_of(house, tmp_path) as three:
        await one.subscribe(endpoint.url, "business_partners.*")
        ids = [f"n{n:03d}" for n in range(40)]
        await house.add_partners(*ids)

        for _ in range(30):
            await asyncio.gather(*(works.webhooks.follow() for works in (one, two, three)))
            await asyncio.gather(*(works.webhooks.deliver() for works in (one, two, three)))
        await one.round()

    assert sorted(taken.data["id"] for taken in endpoint.taken) == ids


async def test_what_nobody_settled_is_due_again_when_its_lease_is_over(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.stalls = True
    await works.house.add_partners("n1")
    await works.webhooks.follow()
    dying = asyncio.create_task(works.webhooks.deliver())
    await asyncio.wait_for(endpoint.arrived.wait(), 10)
    dying.cancel()
    await asyncio.wait([dying])
    endpoint.stalls = False
    endpoint.released.set()

    await works.round()
    assert len(endpoint.taken) == 1  # leased
    await go_on(works, seconds=46)

    assert [taken.data["id"] for taken in endpoint.taken] == ["n1", "n1"]
    assert len({taken.id for taken in endpoint.taken}) == 1
    assert await works.states() == ["delivered"]


async def test_who_comes_back_after_the_lease_settles_nothing(works: Works, endpoint: Endpoint) -> None:
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    await works.house.add_partners("n1")
    await works.webhooks.follow()
    now, org_id = works.clock(), works.house.org_id
    async with works.house.database.acquire(org_id) as connection:
        times = {"now": now, "until": now + timedelta(seconds=1)}
        (first,) = await webhook_deliveries.claim(connection, org_id, webhook.id, 5, **times)
        later = {"now": now + timedelta(seconds=2), "until": now + timedelta(seconds=30)}
        (second,) = await webhook_deliveries.claim(connection, org_id, webhook.id, 5, **later)
        dead = webhook_deliveries.Settled("dead", now, None, "refused", 1)
        assert not await webhook_deliveries.settle(connection, org_id, first.id, first.attempts, dead)
        done = webhook_deliveries.Settled("delivered", now, 204, "", 1)
        assert await webhook_deliveries.settle(connection, org_id, second.id, second.attempts, done)

    assert await works.states() == ["delivered"]


async def test_a_slow_endpoint_holds_up_no_other(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(works.webhooks, "_now", serving.utc_now)
    async with endpoint_here() as slow:
        slow.stalls = True
        await works.subscribe(slow.url, "business_partners.*")
        await works.subscribe(endpoint.url, "business_partners.*")
        await works.house.add_partners("n1")
        running = asyncio.create_task(works.webhooks.run())
        await asyncio.wait_for(asyncio.gather(slow.arrived.wait(), endpoint.arrived.wait()), 10)
        for n in range(3):
            endpoint.arrived.clear()
            await works.house.add_partners(f"more{n}")
            await asyncio.wait_for(endpoint.arrived.wait(), 10)
        running.cancel()
        await asyncio.wait([running])

    assert len(slow.taken) <= serving.TOGETHER_MAX
    assert len(endpoint.taken) == 4


async def test_a_database_that_does_not_answer_is_asked_again(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(serving, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(works.webhooks, "_now", serving.utc_now)
    await works.subscribe(endpoint.url, "business_partners.*")
    look, failures = works.webhooks.look, [OSError("gone"), OSError("gone")]

    async def sometimes(_: Webhooks = works.webhooks) -> None:
        if failures:
            raise failures.pop()
        await look()

    monkeypatch.setattr(works.webhooks, "look", sometimes)
    running = asyncio.create_task(works.webhooks.run())
    await works.house.add_partners("n1")
    await asyncio.wait_for(endpoint.arrived.wait(), 10)
    running.cancel()
    await asyncio.wait([running])

    assert failures == []


# --- The log ------------------------------------------------------------------------------------------------------------


async def test_what_was_settled_is_forgotten_after_a_month_and_what_waits_is_not(
    works: Works, endpoint: Endpoint
) -> None:
    await works.subscribe(endpoint.url, "business_partners.*")
    await works.house.add_partners("n1")
    await works.round()
    async with works.house.database.acquire_everywhere() as connection:
        await webhook_deliveries.forget(connection, before=works.clock() - timedelta(days=30))
        assert await works.states() == ["delivered"]
        endpoint.status = 500
        await works.house.add_partners("n2")
        await works.round()
        await webhook_deliveries.forget(connection, before=works.clock() + timedelta(days=1))

    assert await works.states() == ["pending"]


async def test_what_waits_and_what_is_dead_is_counted(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "business_partners.*")
    endpoint.status = 500
    await works.house.add_partners("n1", "n2")
    await works.round()
    await works.house.run("UPDATE webhook_delivery SET state = 'dead' WHERE record_id = 'n2'")

    async with works.house.database.acquire_everywhere() as connection:
        counted = await webhook_deliveries.count_waiting(connection, works.clock() + timedelta(seconds=90))
        assert await webhook_deliveries.count_waiting(connection, works.clock()) < counted

    assert (counted[0], counted[1], round(counted[2])) == (1, 1, 90)
