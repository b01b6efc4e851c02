"""Following the log for webhooks: every event once, whoever reads, in the order of the log and after its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from sync_server.engine import webhooks as engine
from sync_server.store import webhooks as store
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import unit_of_work
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


async def test_what_happens_is_told_and_the_library_verifies_it(works: Works, endpoint: Endpoint) -> None:
    _, secret = await works.subscribe(endpoint.url, "business_partners.*")

    await works.house.add_partners("new1")
    await works.round()

    (taken,) = endpoint.taken
    message = Verifier(secret).verify(taken.body, taken.headers)
    assert message["type"] == "business_partners.created"
    assert (message["data"]["id"], message["data"]["record"]["legal_name"]) == ("new1", "Partner new1")
    assert (await works.states()) == ["delivered"]
    assert taken.headers["content-type"] == "application/json"


async def test_only_what_was_asked_for_is_told(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "business_partners.updated")

    await works.house.add_partners("new1")
    await works.house.run("UPDATE business_partners SET remarks = 'x' WHERE id = 'new1'")
    await works.house.run("UPDATE units SET name = 'Kilo' WHERE id = 'kg'")
    await works.house.run("DELETE FROM business_partners WHERE id = 'new1'")
    await works.round()

    assert [taken.message["type"] for taken in endpoint.taken] == ["business_partners.updated"]
    assert [taken.data["changes"] for taken in endpoint.taken] == [{"remarks": {"from": None, "to": "x"}}]


async def test_a_step_is_told_by_the_name_of_its_command_however_it_was_taken(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "availabilities.expire")

    await works.house.run("UPDATE availabilities SET bales_offered = 101 WHERE id = 'l1'")
    await works.house.run("UPDATE availabilities SET state = 'active' WHERE id = 'l1'")
    await works.house.run("UPDATE availabilities SET state = 'expired' WHERE id = 'l1'")
    await works.round()

    (taken,) = endpoint.taken
    assert (taken.message["type"], taken.data["steps"]) == ("availabilities.updated", ["expire"])


async def test_only_records_of_a_scope_are_told(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "business_partners.*", scopes=["branch:b2"])

    await works.house.add_partners("near", "far")
    await works.house.run("UPDATE business_partners SET branch_id = 'b2' WHERE id = 'far'")
    await works.round()

    assert [taken.data["id"] for taken in endpoint.taken] == ["far"]


async def test_many_followers_at_once_queue_every_event_once(works: Works, endpoint: Endpoint) -> None:
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    ids = [f"n{n:03d}" for n in range(60)]

    async def write() -> None:
        for id in ids:
            await works.house.add_partners(id)

    async def keep_following() -> None:
        for _ in range(40):
            await engine.follow(works.house.database, works.house.org_id, webhook.id, works.clock())
            await asyncio.sleep(0)

    await asyncio.gather(write(), *(keep_following() for _ in range(3)))
    await works.round()

    assert [row["record_id"] for row in await works.log()] == ids
    assert sorted(taken.data["id"] for taken in endpoint.taken) == ids
    assert len({taken.id for taken in endpoint.taken}) == len(ids)


async def test_what_commits_late_is_told_all_the_same(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "*")
    async with works.house.database.acquire_everywhere() as late, late.transaction():
        await late.execute("UPDATE business_partners SET remarks = 'late' WHERE id = 'p1'")
        await works.round()
        assert endpoint.taken == []

    await works.round()

    assert [taken.data["id"] for taken in endpoint.taken] == ["p1"]


async def test_what_is_rolled_back_is_told_to_nobody(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "*")

    async def work(connection: Connection) -> None:
        await connection.execute("UPDATE business_partners SET remarks = 'never' WHERE id = 'p1'")
        raise LookupError

    with pytest.raises(LookupError):
        await unit_of_work(works.house.database, works.house.org_id, work)
    await works.round()

    assert endpoint.taken == []


async def test_planted_follower_that_moves_on_before_it_has_queued_is_found(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position and the deliveries are one transaction: a failure between the two leaves neither."""
    webhook, _ = await works.subscribe(endpoint.url, "business_partners.*")
    await works.house.add_partners("new1")

    async def fail(*_: object) -> None:
        raise LookupError

    before = store.change_webhook
    monkeypatch.setattr(store, "change_webhook", fail)
    with pytest.raises(LookupError):
        await works.webhooks.follow()
    assert await works.log() == []
    monkeypatch.setattr(store, "change_webhook", before)
    await works.round()

    assert [taken.data["id"] for taken in endpoint.taken] == ["new1"]
    assert (await works.webhook(webhook.id))["position"] == await works.house.clock()


async def test_another_organisation_is_told_nothing(works: Works, endpoint: Endpoint, tmp_path: Path) -> None:
    other = await House.settle(works.house.database, tmp_path, "org_b")
    await works.subscribe(endpoint.url, "*")

    await other.add_partners("theirs")
    await works.round()

    assert endpoint.taken == []


async def test_a_backlog_waits_in_the_log_and_nothing_of_it_is_lost(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PENDING_MAX", 5)
    monkeypatch.setattr(engine, "TURN_MAX", 5)
    await works.subscribe(endpoint.url, "business_partners.*")
    ids = [f"n{n:02d}" for n in range(17)]
    await works.house.add_partners(*ids)

    for _ in range(4):
        await works.webhooks.follow()
    assert len(await works.log()) <= 10
    for _ in range(5):
        await works.round()

    assert sorted(taken.data["id"] for taken in endpoint.taken) == ids
