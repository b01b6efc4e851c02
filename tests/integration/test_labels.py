"""Labels: whatever way a row changes, `feed.scopes`, `label` and `assignment` say what its declaration says.

The judge is `erp_core.scopes.labels_of` over rows read by plain SQL; it shares nothing with the triggers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.scopes import labels_of
from sync_server.operate.migrations import migrate_down, migrate_up
from sync_server.store.database import Database
from sync_server.store.labels import followers_of, label_expression
from tests.harness.anything import MOVING, Story
from tests.harness.world import ORG, House

Key = tuple[str, str]
Carried = Mapping[Key, frozenset[str]]
WITHOUT_INTERVALS = {"org", "branch"}
STEPS = 80


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


async def truth(house: House) -> Carried:
    """Work out the labels of every row that there is."""
    found = {e.name: {r["id"]: dict(r) for r in await _rows(house, e.table)} for e in ENTITIES}

    def look(entity: str, id: str) -> frozenset[str]:
        row = found[entity].get(id)
        return frozenset() if row is None else labels_of(BY_NAME[entity], id, row, look)

    return {(e.table, id): look(e.name, id) for e in ENTITIES for id in found[e.name]}


async def _rows(house: House, table: str) -> list[asyncpg.Record]:
    return await house.fetch(f"SELECT * FROM {table} WHERE org_id = $1", house.org_id)


async def in_feed(house: House) -> Carried:
    feed = await house.fetch("SELECT entity, id, scopes, payload FROM feed WHERE org_id = $1", house.org_id)
    assert all(row["scopes"] == [] for row in feed if row["payload"] is None), "a tombstone carries nothing"
    return {(row["entity"], row["id"]): frozenset(row["scopes"]) for row in feed if row["payload"] is not None}


async def check(house: House) -> Carried:
    """Compare what the triggers wrote with the truth; give it."""
    true = await truth(house)
    assert await in_feed(house) == true
    open_labels: dict[Key, set[str]] = defaultdict(set)
    for row in await house.fetch("SELECT * FROM label WHERE org_id = $1 AND until IS NULL", house.org_id):
        open_labels[row["entity"], row["id"]].add(row["scope"])
    assert open_labels == {key: set(labels) - WITHOUT_INTERVALS for key, labels in true.items() if _with(labels)}
    assigned = await house.fetch("SELECT agent_id, partner_id FROM assignment WHERE org_id = $1 AND until IS NULL", ORG)
    agents = await house.fetch(
        "SELECT assigned_agent_id, id FROM business_partners WHERE assigned_agent_id IS NOT NULL"
    )
    assert sorted(map(tuple, assigned)) == sorted(map(tuple, agents))
    return true


def _with(labels: frozenset[str]) -> frozenset[str]:
    return labels - WITHOUT_INTERVALS


# --- Random stories ---------------------------------------------------------------------------------------------------


async def test_labels_of_every_table_follow_their_declaration_and_their_intervals_replay(
    house: House, seed: int
) -> None:
    story = Story(house, Random(seed))
    for entity in MOVING:
        await story.insert_of(entity, 3)
    history = {await house.clock(): await check(house)}
    agents = {await house.clock(): await _agents(house)}

    for _ in range(STEPS):
        await story.step()
        history[await house.clock()] = await check(house)
        agents[await house.clock()] = await _agents(house)

    labels = await house.fetch("SELECT * FROM label WHERE org_id = $1", ORG)
    assert all(row["until"] is None or row["since"] < row["until"] for row in labels)
    for position, true in history.items():
        carried = [(row["entity"], row["id"], row["scope"]) for row in labels if _counts(row, position)]
        assert sorted(carried) == sorted((*key, label) for key, all_of in true.items() for label in _with(all_of))
    assigned = await house.fetch("SELECT * FROM assignment WHERE org_id = $1", ORG)
    for position, then in agents.items():
        assert {(row["agent_id"], row["partner_id"]) for row in assigned if _counts(row, position)} == then
    await _past_is_remembered(house, history)


async def _agents(house: House) -> set[tuple[str, str]]:
    partners = await _rows(house, "business_partners")
    return {(row["assigned_agent_id"], row["id"]) for row in partners if row["assigned_agent_id"] is not None}


def _counts(interval: asyncpg.Record, position: int) -> bool:
    return interval["since"] <= position and (interval["until"] is None or interval["until"] > position)


async def _past_is_remembered(house: House, history: Mapping[int, Carried]) -> None:
    ever: dict[Key, set[str]] = defaultdict(set)
    for true in history.values():
        for key, labels in true.items():
            ever[key] |= labels
    for row in await house.fetch("SELECT entity, id, scopes, past FROM feed WHERE org_id = $1", ORG):
        assert ever[row["entity"], row["id"]] <= {*row["scopes"], *row["past"]}


# --- Who follows whom -------------------------------------------------------------------------------------------------

TRADING = """
INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind) SELECT 'org_a', id, 'b1', id, '{buyer,seller}'
  FROM unnest('{buyer,second,seller,lorries}'::text[]) id;
INSERT INTO partner_contacts (org_id, id, partner_id, kind, name) VALUES ('org_a', 'c', 'buyer', 'other', 'C');
INSERT INTO partner_locations (org_id, id, partner_id, kind) VALUES ('org_a', 'l', 'buyer', 'gin');
INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered, asking_price_per_candy)
  VALUES ('org_a', 'lot', 'b1', 'seller', 'lint', '2026-27', 100, 62000);
INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date)
  SELECT 'org_a', id, 'b1', 'buyer', 'seller', 'lint', 10, 62000, '2026-11-20' FROM unnest('{t1,t2}'::text[]) id;
INSERT INTO quality_inspections (org_id, id, trade_id, availability_id)
  VALUES ('org_a', 'q1', 't1', 'lot'), ('org_a', 'q2', NULL, 'lot');
INSERT INTO dispatches (org_id, id, trade_id, transporter_id)
  VALUES ('org_a', 'd1', 't1', 'lorries'), ('org_a', 'd2', 't2', NULL);
"""


async def _moved(house: House, statement: str) -> set[str]:
    """Run a statement; name the records of which the log says that they changed, once the labels are checked."""
    before = await house.clock()
    await house.run(statement)
    await check(house)
    events = await house.events(before)
    assert [event["position"] for event in events] == list(range(before + 1, await house.clock() + 1))
    assert {event["op"] for event in events} <= {b"i", b"u", b"d"}
    return {event["record_id"] for event in events}


@pytest.mark.parametrize(
    ("statement", "moved"),
    [
        ("UPDATE business_partners SET branch_id = 'b2' WHERE id = 'buyer'", {"buyer", "c", "l"}),
        ("UPDATE business_partners SET assigned_agent_id = 'agent1' WHERE id = 'buyer'", {"buyer", "c", "l"}),
        ("UPDATE business_partners SET legal_name = 'New' WHERE id = 'buyer'", {"buyer"}),
        ("UPDATE trades SET buyer_id = 'second' WHERE id = 't1'", {"t1", "q1", "d1"}),
        ("UPDATE trades SET buyer_id = 'second'", {"t1", "t2", "q1", "d1", "d2"}),
        ("UPDATE trades SET broker_id = 'second', branch_id = 'b2' WHERE id = 't2'", {"t2", "d2"}),
        ("UPDATE trades SET remarks = 'so' WHERE id = 't1'", {"t1"}),
        ("UPDATE availabilities SET seller_id = 'second'", {"lot", "q1", "q2"}),
        ("UPDATE availabilities SET visibility = 'partners', state = 'active'", {"lot", "q1", "q2"}),
        ("UPDATE quality_inspections SET trade_id = 't2' WHERE id = 'q1'", {"q1"}),
        ("UPDATE dispatches SET transporter_id = NULL, trade_id = 't2' WHERE id = 'd1'", {"d1"}),
        ("DELETE FROM trades WHERE id = 't1'", {"t1", "q1", "d1"}),
        ("DELETE FROM partner_contacts", {"c"}),
    ],
)
async def test_records_get_the_labels_of_those_they_follow(house: House, statement: str, moved: set[str]) -> None:
    await house.run(TRADING)

    assert await _moved(house, statement) == moved


async def test_a_move_there_and_back_in_one_transaction_leaves_the_labels_as_they_were(house: House) -> None:
    await house.run(TRADING)
    before = await truth(house)

    there, back = (f"UPDATE business_partners SET branch_id = 'b{n}' WHERE id = 'buyer'" for n in (2, 1))
    await _moved(house, f"BEGIN; {there}; {back}; COMMIT")

    assert await in_feed(house) == before


async def test_rows_that_are_copied_in_are_labelled(house: House) -> None:
    partners = [(ORG, f"copied{n}", f"b{n % 2 + 1}", "Copied", "agent2" if n % 3 else None) for n in range(50)]
    contacts = [(ORG, f"of{n}", f"copied{n}", "other", "C") for n in range(50)]
    async with house.database.acquire_everywhere() as connection:
        await connection.copy_records_to_table(
            "business_partners",
            records=partners,
            columns=["org_id", "id", "branch_id", "legal_name", "assigned_agent_id"],
        )
        await connection.copy_records_to_table(
            "partner_contacts", records=contacts, columns=["org_id", "id", "partner_id", "kind", "name"]
        )

    assert len(await check(house)) > 100


async def test_rolled_back_moves_leave_no_trace(house: House) -> None:
    await house.run(TRADING)
    turned = "(SELECT (rights, assigned)::text FROM org_clock)"
    count = f"SELECT (SELECT count(*) FROM label), (SELECT count(*) FROM assignment), {turned}"
    before = await house.fetch(count)

    await house.run("BEGIN; UPDATE business_partners SET branch_id = 'b2', assigned_agent_id = 'agent1'; ROLLBACK")

    assert await house.fetch(count) == before
    await check(house)


async def test_a_record_that_is_made_anew_begins_anew(house: House) -> None:
    await house.add_partners("p")
    first = await house.clock()
    await house.run("DELETE FROM business_partners")
    gone = await house.clock()
    await house.add_partners("p")

    intervals = await house.fetch("SELECT since, until FROM label WHERE scope = 'partner:p' ORDER BY since")
    assert list(map(tuple, intervals)) == [(first, gone), (await house.clock(), None)]


async def test_another_organisation_is_not_touched(house: House, tmp_path: Path) -> None:
    await House.settle(house.database, tmp_path / "other", "org_b")
    for org in ("org_a", "org_b"):
        await house.run(TRADING.replace("org_a", org))
    untouched = "SELECT * FROM feed WHERE org_id = 'org_b' ORDER BY entity, id"
    before = await house.fetch(untouched)

    await house.run("UPDATE business_partners SET branch_id = 'b2' WHERE org_id = 'org_a'")

    assert await house.fetch(untouched) == before


@pytest.mark.parametrize(
    "plant",
    [
        (
            "CREATE OR REPLACE FUNCTION follow_dispatches_by_trade_id(leader_orgs text[], leader_ids text[])"
            " RETURNS void LANGUAGE sql AS ''"
        ),
        "ALTER TABLE trades DISABLE TRIGGER capture_update",
        "UPDATE feed SET scopes = scopes || '{org}' WHERE entity = 'dispatches'",
        "UPDATE label SET until = since + 1 WHERE scope = 'partner:seller'",
        "INSERT INTO assignment (org_id, agent_id, partner_id, since) VALUES ('org_a', 'agent1', 'buyer', 1)",
    ],
)
async def test_a_label_that_is_wrong_is_noticed(house: House, plant: str) -> None:
    """The test of the test."""
    await house.run(TRADING)
    await house.run(plant)

    with pytest.raises(AssertionError):
        await _moved(house, "UPDATE trades SET buyer_id = 'second' WHERE id = 't1'")


# --- Rights -----------------------------------------------------------------------------------------------------------


NEW_PARTNER = "INSERT INTO business_partners (org_id, id, branch_id, legal_name, assigned_agent_id)"


@pytest.mark.parametrize(
    ("statement", "turns"),
    [
        ("INSERT INTO users (org_id, id, username, name) VALUES ('org_a', 'new', 'new', 'New')", "rights"),
        ("UPDATE users SET is_active = false WHERE id = 'agent1'", "rights"),
        ("UPDATE roles SET codes = '{desk.read}' WHERE id = 'everything'", "rights"),
        ("INSERT INTO grants (org_id, id, user_id, role_id) VALUES ('org_a', 'g', 'agent1', 'agent')", "rights"),
        ("UPDATE grants SET valid_until = now() WHERE user_id = 'agent1'", "rights"),
        ("DELETE FROM grants WHERE user_id = 'agent1'", "rights"),
        ("DELETE FROM users WHERE id = 'agent1'", "rights"),
        ("UPDATE business_partners SET assigned_agent_id = 'agent2' WHERE id = 'buyer'", "assigned"),
        ("UPDATE business_partners SET assigned_agent_id = 'agent2'", "assigned"),
        ("DELETE FROM business_partners WHERE id = 'second'", "assigned"),
        (f"{NEW_PARTNER} VALUES ('org_a', 'n', 'b1', 'N', 'agent1')", "assigned"),
        (f"{NEW_PARTNER} VALUES ('org_a', 'n', 'b1', 'N', NULL)", None),
        ("UPDATE business_partners SET branch_id = 'b2'", None),
        ("UPDATE users SET name = name", None),
        ("DELETE FROM business_partners WHERE id = 'lorries'", None),
        ("UPDATE trades SET buyer_id = 'second'", None),
        ("UPDATE branches SET name = 'Other'", None),
        ("DELETE FROM grants WHERE id = 'no such grant'", None),
    ],
)
async def test_rights_move_with_users_roles_grants_and_assignments_and_with_nothing_else(
    house: House, statement: str, turns: str | None
) -> None:
    await house.run(TRADING)
    await house.run("UPDATE dispatches SET transporter_id = NULL")
    await house.run("UPDATE business_partners SET assigned_agent_id = 'agent1' WHERE id = 'second'")
    before = await house.fetch("SELECT rights, assigned FROM org_clock")

    await house.run(statement)

    (then,), (now,) = before, await house.fetch("SELECT rights, assigned FROM org_clock")
    assert [name for name in ("rights", "assigned") if now[name] != then[name]] == ([turns] if turns else [])
    clock = await house.clock()
    assert all(then[name] <= now[name] <= clock for name in ("rights", "assigned"))


# --- What is installed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
async def test_installed_triggers_label_as_the_catalogue_declares(house: House, entity: Any) -> None:
    """Who changes the labels of an entity writes a migration that installs its capture anew."""
    labels = label_expression(entity)
    follows = [label.field for label in entity.labels if hasattr(label, "field") and hasattr(label, "entity")]
    functions = [f"capture_{operation}_{entity.table}" for operation in ("insert", "update")]
    functions += [f"follow_{entity.table}_by_{field}" for field in follows]
    for function in functions:
        body = await house.one("SELECT prosrc FROM pg_proc WHERE proname = $1", function)
        assert labels in (body or ""), function

    update = await house.one("SELECT prosrc FROM pg_proc WHERE proname = $1", f"capture_update_{entity.table}")
    for table, column in followers_of(entity):
        assert f"follow_{table}_by_{column}" in update
    assert update.count("PERFORM") == len(followers_of(entity))
    assert ("n.assigned_agent_id" in update.split("changed AS")[1].split("FROM new_rows")[0]) == bool(entity.assignee)


async def test_undoing_and_redoing_scopes_keeps_labels_right_and_replaces_every_phone(
    database_url: str, house: House, seed: int
) -> None:
    story = Story(house, Random(seed))
    for entity in MOVING:
        await story.insert_of(entity, 3)
    matches = await house.one("SELECT count(*) FROM matches")  # they move as they change whose labels they carry
    before = await house.clock() + matches

    await migrate_down(database_url, "0004")
    down = await house.fetch("SELECT floor, (epoch::bigint << 40) + seq AS clock FROM org_clock")
    await house.add_partners("meanwhile")
    await house.run("UPDATE business_partners SET assigned_agent_id = 'agent3'")
    await migrate_up(database_url)

    assert [tuple(row) for row in down] == [(before + 1, before + 1)]
    up = await house.fetch("SELECT floor, rights FROM org_clock")
    assert [tuple(row) for row in up] == [(await house.clock(), await house.clock())]
    await check(house)


async def test_program_from_before_the_labels_shows_nobody_anothers_issues(house: House) -> None:
    """It goes by `feed.scope`, and may run beside this one while a deployment is under way."""
    await house.run(
        f"INSERT INTO sync_issues (org_id, id, author_id, table_name, record_id, kind, operation, reason_code, sentence)"
        f" VALUES ('{house.org_id}', 'i', 'agent1', 'trades', 't', 'refused', 'updated', 'locked', 'Fixed.')"
    )
    await house.add_partners("p")

    scope = "SELECT scope FROM feed WHERE id = $1"
    assert (await house.one(scope, "i"), await house.one(scope, "p")) == ("user:agent1", "org")
