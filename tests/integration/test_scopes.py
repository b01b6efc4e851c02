"""Scopes on a phone: what enters comes whatever its age, what leaves is deleted, and what time alone changes counts too.

DESIGN.md §7; correctness.md, holes 8 to 11. The many orders are tests/simulation/test_scope_oracle.py's; here each promise has
a story of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mobile.replica import Replica
from sync_server.engine.gate import NotEntitled
from sync_server.engine.standing import Standings
from sync_server.store.database import Database
from tests.harness.counting import CountingDatabase
from tests.harness.world import House, contact, partner, records, trade

USER = "asha"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.employ(USER)
    return settled


async def stock(house: House) -> None:
    """Two partners in each of two branches, with a contact each, and a trade between those of b2."""
    await house.run(
        """
        INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, credit_limit) VALUES
          ('org_a', 'p1', 'b1', 'One', '{buyer,seller}', 500), ('org_a', 'p2', 'b2', 'Two', '{buyer,seller}', 500),
          ('org_a', 'p3', 'b2', 'Three', '{buyer,seller}', 500);
        INSERT INTO partner_contacts (org_id, id, partner_id, kind, name) VALUES
          ('org_a', 'c1', 'p1', 'other', 'Of one'), ('org_a', 'c2', 'p2', 'other', 'Of two');
        INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date)
          VALUES ('org_a', 't1', 'b2', 'p2', 'p3', 'lint', 5, 61000, '2026-11-20');
        """
    )


def held(device: Replica) -> dict[str, set[str]]:
    """Say which partners, contacts and trades a phone holds."""
    return {table: set(device.rows(table)) for table in ("business_partners", "partner_contacts", "trades")}


def without_id(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "id"}


ONE = {"business_partners": {"p1"}, "partner_contacts": {"c1"}, "trades": set[str]()}
BOTH = {"business_partners": {"p1", "p2", "p3"}, "partner_contacts": {"c1", "c2"}, "trades": {"t1"}}


async def test_grant_brings_old_records_and_their_children(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    phone = house.device(USER)
    await phone.sync()
    assert held(phone) == ONE

    await house.grant(USER, "agent", branch_id="b2")
    await phone.sync()

    assert held(phone) == BOTH
    assert not phone.complaints


async def test_end_of_a_grant_takes_the_records_away(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    grant = await house.grant(USER, "agent", branch_id="b2")
    phone = house.device(USER)
    await phone.sync()

    await house.take(grant)
    await phone.sync()

    assert held(phone) == ONE


async def test_grant_that_runs_out_takes_its_records_away_though_nothing_was_written(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    await house.grant(USER, "agent", branch_id="b2", valid_until=soon)
    phone = house.device(USER)
    await phone.sync()
    assert held(phone) == BOTH
    before = await house.clock()

    await house.fetch("SELECT pg_sleep(0.5)")
    assert await house.clock() == before
    await phone.sync()

    assert held(phone) == ONE


async def test_grant_counts_from_its_beginning(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    await house.grant(USER, "agent", branch_id="b2", valid_from=datetime.now(UTC) + timedelta(seconds=0.4))
    phone = house.device(USER)
    await phone.sync()
    assert held(phone) == ONE

    await house.fetch("SELECT pg_sleep(0.5)")
    await phone.sync()

    assert held(phone) == BOTH


async def test_given_taken_and_given_again_between_two_pulls(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    phone, other = house.device(USER), house.device(USER, "other phone")
    await phone.sync()
    await other.sync()

    for _ in range(2):
        grant = await house.grant(USER, "agent", branch_id="b2")
        await other.sync()
        await house.take(grant)
        await other.sync()
    await phone.sync()
    assert held(phone) == held(other) == ONE
    await house.grant(USER, "agent", branch_id="b2")
    await phone.sync()

    assert held(phone) == BOTH
    assert not phone.complaints


async def test_record_that_moves_leaves_here_and_arrives_there_with_its_children(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    await house.employ("bharat", "agent", branch_id="b2")
    here, there = house.device(USER), house.device("bharat")
    await here.sync()
    await there.sync()

    await house.run("UPDATE business_partners SET branch_id = 'b2' WHERE org_id = 'org_a' AND id = 'p1'")
    await here.sync()
    await there.sync()

    assert held(here) == {"business_partners": set(), "partner_contacts": set(), "trades": set()}
    assert held(there) == BOTH


async def test_reassigned_partner_takes_its_documents_along(house: House) -> None:
    await stock(house)
    for agent in (USER, "bharat"):
        await house.employ(agent)
        await house.grant(agent, "agent", agent_id=agent)
    assign = "UPDATE business_partners SET assigned_agent_id = '{}' WHERE org_id = 'org_a' AND id = 'p2'"
    await house.run(assign.format(USER))
    one, two = house.device(USER), house.device("bharat")
    await one.sync()
    await two.sync()
    documents = {"business_partners": {"p2"}, "partner_contacts": {"c2"}, "trades": {"t1"}}
    nothing: dict[str, set[str]] = {"business_partners": set(), "partner_contacts": set(), "trades": set()}
    assert (held(one), held(two)) == (documents, nothing)

    await house.run(assign.format("bharat"))
    await one.sync()
    await two.sync()

    assert (held(one), held(two)) == (nothing, documents)


async def test_external_buyer_sees_the_documents_in_which_the_partner_is_a_side_and_not_what_is_internal(
    house: House,
) -> None:
    await stock(house)
    await house.grant(USER, "external_buyer", partner_id="p2")
    phone = house.device(USER)
    await phone.sync()
    assert held(phone)["trades"] == set(), "the house drafts alone"
    await house.run("UPDATE trades SET state = 'confirmed'")
    await phone.sync()

    assert held(phone) == {"business_partners": {"p2"}, "partner_contacts": {"c2"}, "trades": {"t1"}}
    row = phone.rows("trades")["t1"]
    assert row["price_per_candy"] == 61000
    assert row["brokerage_pct"] == 0, "the house's own affair"
    assert phone.rows("business_partners")["p2"]["credit_limit"] is None


async def test_right_to_see_prices_that_is_taken_takes_the_prices_off_the_phone(house: House) -> None:
    await stock(house)
    grant = await house.grant(USER, "trader", branch_id="b2")
    await house.grant(USER, "grader", branch_id="b2")
    phone = house.device(USER)
    await phone.sync()
    assert phone.rows("trades")["t1"]["price_per_candy"] == 61000

    await house.take(grant)
    await phone.sync()
    assert phone.rows("trades")["t1"]["price_per_candy"] == 0, "WatermelonDB's empty number"
    await house.grant(USER, "trader", branch_id="b2")
    await phone.sync()

    assert phone.rows("trades")["t1"]["price_per_candy"] == 61000


async def test_phone_of_a_user_who_is_disabled_is_emptied(house: House) -> None:
    await stock(house)
    await house.grant(USER, "manager")
    phone = house.device(USER)
    await phone.sync()
    assert held(phone) == BOTH

    await house.run(f"UPDATE users SET is_active = false WHERE org_id = 'org_a' AND id = '{USER}'")
    await phone.sync()

    assert not any(phone.rows(table) for table in phone.schema)


async def test_role_that_changes_changes_what_its_people_hold(house: House) -> None:
    await stock(house)
    await house.run(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'own', 'Own', '{partner.read,desk.read,sync.use}')"
    )
    await house.grant(USER, "own", branch_id="b2")
    phone = house.device(USER)
    await phone.sync()
    assert held(phone)["trades"] == {"t1"}

    await house.run("UPDATE roles SET codes = '{partner.read,sync.use}' WHERE org_id = 'org_a' AND id = 'own'")
    await phone.sync()

    assert held(phone) == {"business_partners": {"p2", "p3"}, "partner_contacts": {"c2"}, "trades": set()}


async def test_who_may_no_longer_sync_loses_it_all_and_cannot_begin_anew(house: House) -> None:
    await stock(house)
    grant = await house.grant(USER, "manager")
    await house.grant(USER, "accountant")
    phone = house.device(USER)
    await phone.sync()
    assert held(phone) == BOTH

    await house.take(grant)
    await phone.sync()

    assert not any(phone.rows(table) for table in phone.schema)
    with pytest.raises(NotEntitled):
        await house.device(USER, "new phone").sync()


async def test_edit_of_a_record_that_is_no_longer_theirs_is_refused_and_explained(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    await house.grant(USER, "agent", branch_id="b2")
    phone = house.device(USER)
    await phone.sync()
    phone.update("business_partners", "p1", {"trade_name": "edited"})
    phone.update("business_partners", "p2", {"trade_name": "edited"})
    local = phone.collect()  # between the pull and the push of one sync
    assert local is not None

    await house.fetch("DELETE FROM grants WHERE org_id = 'org_a' AND user_id = $1 AND branch_id = 'b2'", USER)
    phone.mark(local, await phone.push(local))
    await phone.sync()

    truth = await house.truth("business_partners")
    assert (truth["p1"]["trade_name"], truth["p2"]["trade_name"]) == ("edited", None)
    assert held(phone) == ONE
    (issue,) = phone.rows("sync_issues").values()
    assert (issue["record_id"], issue["reason_code"]) == ("p2", "out_of_scope")
    assert "outside of what you work on" in issue["sentence"]
    assert '"edited"' in issue["payload"]
    assert issue["ours"] is None, "what the server has is no longer theirs to see"


async def test_record_outside_of_ones_scope_and_one_that_is_not_there_are_named_in_the_same_words(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    phone = house.device(USER)
    await phone.sync()
    for id, seller in (("t8", "p2"), ("t9", "nobody")):
        phone.create("trades", without_id(trade(id, "p1", seller)), id=id)
    await phone.sync()
    await phone.sync()

    sentences = {issue["record_id"]: issue["sentence"] for issue in phone.rows("sync_issues").values()}
    assert sentences.keys() == {"t8", "t9"}
    assert sentences["t8"] == sentences["t9"]
    assert not phone.rows("trades"), "corrected: both are gone from the phone"


async def test_what_an_agent_makes_is_assigned_to_the_agent_and_stays(house: House) -> None:
    await house.grant(USER, "agent", agent_id=USER)
    phone = house.device(USER)
    await phone.sync()
    phone.create("business_partners", without_id(partner("mine")), id="mine")
    phone.create("partner_contacts", without_id(contact("of.mine", "mine")), id="of.mine")

    await phone.sync()
    await phone.sync()

    assert phone.rows("business_partners")["mine"]["assigned_agent_id"] == USER
    assert set(phone.rows("partner_contacts")) == {"of.mine"}
    assert not await house.issues()


async def test_another_phone_of_the_user_is_sent_it_all_after_a_long_absence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock(house)
    grant = await house.grant(USER, "agent", branch_id="b1")
    phone = house.device(USER)
    await phone.sync()
    monkeypatch.setattr("sync_server.engine.pull.SMALL_DELTA_MAX", 0)

    await house.take(grant)
    await house.grant(USER, "agent", branch_id="b2")
    await phone.sync()

    assert held(phone) == {"business_partners": {"p2", "p3"}, "partner_contacts": {"c2"}, "trades": {"t1"}}


async def test_standing_is_found_again_by_a_process_that_knows_nothing(house: House) -> None:
    """Another worker answers the next pull: what was held at the cursor is in the database, not in a process."""
    await stock(house)
    grant = await house.grant(USER, "agent", branch_id="b1")
    answer = await house.pull(house.actor(USER))
    await house.take(grant)
    other = House(house.database, house.room, house.org_id, Standings())

    lost = await other.pull(house.actor(USER), answer["timestamp"])

    assert lost["changes"]["business_partners"]["deleted"] == ["p1"]
    assert lost["changes"]["partner_contacts"]["deleted"] == ["c1"]


async def test_pull_in_which_nothing_changed_asks_for_the_clock_and_nothing_else(
    house: House, database_url: str
) -> None:
    await stock(house)
    await house.grant(USER, "agent", agent_id=USER)
    counting = await CountingDatabase.open(database_url, pool_max=2)
    counted = House(counting, house.room, house.org_id)
    actor = house.actor(USER)
    cursor = (await counted.pull(actor))["timestamp"]
    await counted.pull(actor, cursor)  # by now the first pull's snapshot has ended
    counting.statements.clear()

    answer = await counted.pull(actor, cursor)

    assert len(counting.statements) == 1, counting.statements
    assert answer["timestamp"] == cursor
    await counting.close()


async def test_new_record_of_ones_scope_is_created_and_one_that_enters_it_too(house: House) -> None:
    await stock(house)
    await house.grant(USER, "agent", branch_id="b1")
    actor = house.actor(USER)
    cursor = (await house.pull(actor))["timestamp"]

    await house.add_partners("fresh")
    await house.run("UPDATE business_partners SET branch_id = 'b1' WHERE org_id = 'org_a' AND id = 'p3'")
    await house.run("UPDATE business_partners SET trade_name = 'x' WHERE org_id = 'org_a' AND id IN ('p1', 'p2')")
    answer = await house.pull(actor, cursor)

    lists = answer["changes"]["business_partners"]
    assert {row["id"] for row in lists["created"]} == {"fresh", "p3"}
    assert {row["id"] for row in lists["updated"]} == {"p1"}
    assert lists["deleted"] == []
    assert "p2" not in records(answer, "business_partners")
