"""What is past its last day ends by itself, by the one write path: rules and consequences as for anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from erp_core.india import day_of
from sync_server.engine.expiring import expire
from sync_server.store.unit_of_work import SERVER
from tests.harness.world import House

YESTERDAY = f"DATE '{day_of(datetime.now(UTC)) - timedelta(days=1)}'"
TODAY = f"DATE '{day_of(datetime.now(UTC))}'"


async def test_what_is_past_its_last_day_ends_and_what_is_on_it_does_not(house: House) -> None:
    await house.run(f"""
      UPDATE availabilities SET valid_until = {YESTERDAY} WHERE org_id = 'org_a' AND id = 'l1';
      UPDATE requirements SET deliver_until = {YESTERDAY} WHERE org_id = 'org_a' AND id = 'r1';
      UPDATE negotiations SET valid_until = {TODAY} WHERE org_id = 'org_a' AND id = 'n1';
    """)

    assert await expire(house.database, "org_a") == 2
    assert await house.one("SELECT state FROM availabilities WHERE id = 'l1'") == "expired"
    assert await house.one("SELECT state FROM requirements WHERE id = 'r1'") == "expired"
    assert await house.one("SELECT state FROM negotiations WHERE id = 'n1'") == "open"
    assert (
        await house.one("SELECT actor FROM event WHERE entity = 'availabilities' ORDER BY position DESC LIMIT 1")
        == SERVER
    )
    assert await expire(house.database, "org_a") == 0


async def test_what_was_sold_or_withdrawn_stays_so(house: House) -> None:
    await house.run(f"UPDATE availabilities SET valid_until = {YESTERDAY}, state = 'cancelled' WHERE org_id = 'org_a'")

    assert await expire(house.database, "org_a") == 0


async def test_an_open_offer_ends_with_its_day(house: House) -> None:
    await house.run(f"""
      INSERT INTO offers (org_id, id, negotiation_id, offered_by, price_per_candy, bales, round, valid_until)
        VALUES ('org_a', 'o1', 'n1', 'buyer', 61000, 50, 1, {YESTERDAY})
    """)

    assert await expire(house.database, "org_a") == 1
    assert await house.one("SELECT state FROM offers WHERE id = 'o1'") == "expired"
