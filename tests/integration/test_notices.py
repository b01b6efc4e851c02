"""Who is told of what: whom a rule means, once, in their language, and only of what they may see."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from erp_core.india import day_of
from sync_server.engine import notices
from sync_server.engine.notices import follow, tell_of_late_lorries
from sync_server.store import notices as store
from tests.harness.world import House

TRADE = (
    "INSERT INTO trades (org_id, id, number, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date)"
    " VALUES ('org_a', 't7', 'RJK/7', 'b1', 'p2', 'p1', 'lint', 5, 62000, '2026-11-20')"
)


async def told(house: House, kind: str) -> dict[str, tuple[str, str]]:
    found = await house.fetch(
        "SELECT reader_id, title, body FROM notifications WHERE org_id = 'org_a' AND kind = $1", kind
    )
    readers = [row["reader_id"] for row in found]
    assert len(readers) == len(set(readers))
    return {row["reader_id"]: (row["title"], row["body"]) for row in found}


@pytest.fixture
async def quiet(house: House) -> House:
    """A house of which everything so far has been told, in which the grader, too, is somebody."""
    await house.employ("ginny", "grader")
    await house.employ("gita", "manager", branch_id="b2")
    await house.run(
        "UPDATE users SET language = 'hi' WHERE id = 'agent2'; UPDATE users SET is_active = false WHERE id = 'agent3'"
    )
    await follow(house.database, house.standings, "org_a")
    await house.run("DELETE FROM notifications")
    return house


async def test_who_may_approve_is_told_of_a_trade_once_and_in_their_language(quiet: House) -> None:
    await quiet.run(f"SET cotton.actor = 'agent1'; {TRADE}")
    await follow(quiet.database, quiet.standings, "org_a")
    await follow(quiet.database, quiet.standings, "org_a")

    found = await told(quiet, "trade.awaits_approval")
    assert found["agent4"] == ("A trade awaits your approval", "RJK/7")
    assert found["agent2"][0] == "एक सौदा आपकी मंज़ूरी की राह देख रहा है"
    assert not found.keys() & {
        "agent1",
        "agent3",
        "ginny",
        "gita",
    }  # did it; disabled; may not approve; another branch's


async def test_several_who_follow_at_once_tell_once(quiet: House) -> None:
    await quiet.run(TRADE)

    written = await asyncio.gather(*(follow(quiet.database, quiet.standings, "org_a") for _ in range(4)))

    assert sum(written) == len(await told(quiet, "trade.awaits_approval")) > 0


async def test_what_was_settled_meanwhile_is_not_told(quiet: House) -> None:
    await quiet.run(TRADE)
    await quiet.run("UPDATE trades SET state = 'confirmed' WHERE id = 't7'")
    await follow(quiet.database, quiet.standings, "org_a")

    assert await told(quiet, "trade.awaits_approval") == {}


async def test_an_agent_hears_that_their_partner_was_approved_and_not_who_cannot_see_it(quiet: House) -> None:
    await quiet.employ("anil", "agent", agent_id="anil")
    await quiet.employ("arun")
    await quiet.run(
        "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, state, assigned_agent_id) VALUES"
        " ('org_a', 'p7', 'b1', 'Seven', '{buyer}', 'submitted', 'anil'),"
        " ('org_a', 'p8', 'b1', 'Eight', '{buyer}', 'submitted', 'arun')"
    )
    await quiet.run("UPDATE business_partners SET state = 'approved' WHERE id IN ('p7', 'p8')")
    await follow(quiet.database, quiet.standings, "org_a")

    assert await told(quiet, "partner.approved") == {"anil": ("Your partner was approved", "Seven")}


async def test_whoever_inspected_hears_of_the_dispute(quiet: House) -> None:
    await quiet.run(
        "INSERT INTO quality_inspections (org_id, id, availability_id, inspector_id, lot_number, state)"
        " VALUES ('org_a', 'q7', 'l1', 'agent2', '17', 'submitted')"
    )
    await quiet.run("UPDATE quality_inspections SET state = 'disputed' WHERE id = 'q7'")
    await follow(quiet.database, quiet.standings, "org_a")

    assert (await told(quiet, "inspection.disputed"))["agent2"][1] == "17"


async def test_a_late_lorry_is_told_of_once(quiet: House) -> None:
    yesterday = day_of(datetime.now(UTC)) - timedelta(days=1)
    await quiet.run(f"""
      UPDATE trades SET deliver_until = '{yesterday}', trade_date = '{yesterday - timedelta(days=9)}' WHERE id = 't1';
      UPDATE dispatches SET state = 'in_transit', vehicle_number = 'GJ03AB1234' WHERE id = 'd1'
    """)
    assert await tell_of_late_lorries(quiet.database, quiet.standings, "org_a", yesterday) == 0
    assert await tell_of_late_lorries(quiet.database, quiet.standings, "org_a") > 0
    assert await tell_of_late_lorries(quiet.database, quiet.standings, "org_a") == 0

    assert (await told(quiet, "dispatch.late"))["agent1"][1] == "GJ03AB1234"


async def test_an_organisation_is_behind_until_its_log_is_followed(quiet: House) -> None:
    async def behind() -> Any:
        async with quiet.database.acquire_everywhere() as connection:
            return list(await store.FOLLOWER.behind(connection))

    await quiet.run(TRADE)
    assert "org_a" in await behind()
    for _ in range(2):
        await follow(quiet.database, quiet.standings, "org_a")
    assert "org_a" not in await behind()


async def test_planted_telling_of_who_may_not_see_it_is_found(quiet: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def everybody(one: notices.Occasion, _: Any, people: Any) -> set[str]:
        return set(people) - {one.actor}

    monkeypatch.setattr(notices, "_readers", everybody)

    with pytest.raises(AssertionError):
        await test_who_may_approve_is_told_of_a_trade_once_and_in_their_language(quiet)
