"""What a webhook's owner is told: what they may see at that moment, and not a field more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from erp_core.catalogue import BY_TABLE
from sync_server.engine.entitlements import Entitlements
from tests.harness.endpoints import Endpoint, Works, endpoint_here, works_of
from tests.harness.world import House


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


@pytest.fixture
async def works(house: House, tmp_path: Path) -> AsyncIterator[Works]:
    await house.employ("short")
    async with works_of(house, tmp_path) as running:
        yield running


SECRET = "SECRET-47119"


async def touch(house: House, id: str, remarks: str) -> None:
    await house.fetch("UPDATE business_partners SET remarks = $2 WHERE id = $1", id, remarks)


async def test_who_holds_nothing_is_told_nothing(works: Works, endpoint: Endpoint) -> None:
    await works.subscribe(endpoint.url, "*", owner="short")
    await touch(works.house, "p1", SECRET)
    await works.round()

    assert endpoint.taken == []
    assert await works.states() == ["withheld"]


async def test_a_right_that_is_taken_between_event_and_delivery_counts(works: Works, endpoint: Endpoint) -> None:
    grant = await works.house.grant("short", "administrator")
    await works.subscribe(endpoint.url, "*", owner="short")
    await touch(works.house, "p1", "before")
    await works.round()
    assert [taken.data["changes"]["remarks"]["to"] for taken in endpoint.taken] == ["before"]

    endpoint.status = 500
    await touch(works.house, "p1", "while it was tried")
    await works.round()
    await works.house.take(grant)
    endpoint.status = 200
    tried = len(endpoint.taken)
    works.clock.go_on(hours=1)
    await works.round()

    assert len(endpoint.taken) == tried
    assert (await works.states())[1] == "withheld"


async def test_an_owner_who_is_disabled_is_told_nothing(works: Works, endpoint: Endpoint) -> None:
    await works.house.grant("short", "administrator")
    await works.subscribe(endpoint.url, "*", owner="short")
    await works.house.run("UPDATE users SET is_active = false WHERE id = 'short'")
    await touch(works.house, "p1", SECRET)
    await works.round()

    assert endpoint.taken == []


async def test_an_owner_of_one_branch_is_told_of_that_branch(works: Works, endpoint: Endpoint) -> None:
    await works.house.grant("short", "manager", branch_id="b2")
    await works.subscribe(endpoint.url, "business_partners.*", owner="short")
    await works.house.add_partners("here")
    await works.house.fetch(
        "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind)"
        " VALUES ('org_a', 'there', 'b2', 'There', '{buyer}')"
    )
    await works.round()

    assert {taken.data["id"] for taken in endpoint.taken} == {"there"}


async def test_what_has_left_the_owners_sight_is_not_told_any_more(works: Works, endpoint: Endpoint) -> None:
    await works.house.grant("short", "manager", branch_id="b2")
    await works.subscribe(endpoint.url, "business_partners.*", owner="short")
    await works.house.run("UPDATE business_partners SET branch_id = 'b2' WHERE id = 'p1'")
    await touch(works.house, "p1", SECRET)
    await works.house.run("UPDATE business_partners SET branch_id = 'b1' WHERE id = 'p1'")
    await works.round()

    assert endpoint.taken == []


async def test_what_was_not_to_be_seen_before_has_no_from(works: Works, endpoint: Endpoint) -> None:
    await works.house.grant("short", "manager", branch_id="b2")
    await works.subscribe(endpoint.url, "business_partners.*", owner="short")
    await touch(works.house, "p1", SECRET)
    await works.house.run("UPDATE business_partners SET branch_id = 'b2', remarks = 'moved' WHERE id = 'p1'")
    await works.round()

    (taken,) = endpoint.taken
    assert taken.data["changes"]["remarks"] == {"to": "moved"}
    assert SECRET not in taken.body.decode()


@pytest.mark.parametrize(
    ("table", "code", "field", "value"),
    [
        ("business_partners", "partner.read", "credit_limit", "47119.25"),
        ("trades", "quality.write", "price_per_candy", "47119.25"),
        ("availabilities", "quality.write", "asking_price_per_candy", "47119.25"),
    ],
)
async def test_a_hidden_field_is_in_no_message(
    works: Works, endpoint: Endpoint, table: str, code: str, field: str, value: str
) -> None:
    assert any(code not in asked and field in names for asked, names in BY_TABLE[table].read_groups)
    await works.house.fetch(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'reading', 'Reads', $1)", [code]
    )
    await works.house.grant("short", "reading", branch_id="b1")
    await works.subscribe(endpoint.url, f"{table}.*", owner="short")
    async with endpoint_here() as full:
        await works.subscribe(full.url, f"{table}.*")
        await works.house.run(f"UPDATE {table} SET {field} = {value} WHERE id IN ('p1', 't1', 'l1')")
        await works.round()

    (seen,), (taken,) = full.taken, endpoint.taken
    assert (seen.data["record"][field], seen.data["changes"][field]["to"]) == (float(value), float(value))
    assert seen.id.rpartition("_")[2] == taken.id.rpartition("_")[2]
    assert field not in taken.data["record"]
    assert field not in taken.data["changes"]
    assert "47119" not in taken.body.decode()


async def test_a_deletion_is_told_to_who_saw_the_record(works: Works, endpoint: Endpoint) -> None:
    await works.house.add_partners("n1")
    await works.house.grant("short", "manager", branch_id="b2")
    await works.subscribe(endpoint.url, "*")
    async with endpoint_here() as other:
        await works.subscribe(other.url, "*", owner="short")
        await works.house.run("DELETE FROM business_partners WHERE id = 'n1'")
        await works.round()

    assert [(t.data["operation"], t.data["record"]) for t in endpoint.taken] == [("deleted", None)]
    assert other.taken == []


async def test_planted_deafness_to_present_rights_is_found(
    works: Works, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Entitlements, "mask", lambda *_: 1)

    with pytest.raises(AssertionError):
        await test_an_owner_who_is_disabled_is_told_nothing(works, endpoint)
