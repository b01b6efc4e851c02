"""A phone that logged in anew is still the phone that made its records."""

from __future__ import annotations

from pathlib import Path

from sync_server.store.database import Database
from tests.harness.world import House, partner


async def test_create_sent_again_after_a_new_login_does_not_undo_what_others_changed(
    database: Database, tmp_path: Path
) -> None:
    house = await House.settle(database, tmp_path)
    cursor = await house.clock()
    made = partner("p", trade_name="As made")
    await house.push(house.actor(phone="before"), cursor, {"business_partners": {"created": [made]}})
    await house.run("UPDATE business_partners SET trade_name = 'From the office' WHERE id = 'p'")

    again = {"business_partners": {"created": [{**made, "remarks": "added meanwhile"}]}, "sync_issues": {}}
    await house.push(house.actor(phone="after"), cursor, again)

    held = (await house.truth("business_partners"))["p"]
    assert (held["trade_name"], held["remarks"]) == ("From the office", "added meanwhile")
