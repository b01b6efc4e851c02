"""Access in pushes: what an author may not do is refused per record, and what a refusal tells names nothing of others.

`trader`, `grader` and `manager` work in branch b1; `secret` is a partner of b2 that none of them may know of.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine import apply as applying
from sync_server.engine import entitlements, judge
from sync_server.engine.gate import NotEntitled
from sync_server.engine.push import Conflict
from sync_server.store import holds, listings
from sync_server.store.database import Database
from tests.harness.world import House, contact, lot, partner, records

SECRETS = ("secret", "Hidden Mills", "+919825099999", "777777", "b2.trade")
PARTNERS = "business_partners"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    house = await House.settle(database, tmp_path)
    for role in ("trader", "grader", "manager"):
        await house.employ(role, role, branch_id="b1")
    await house.employ("field", "agent", agent_id="field")
    await house.add_partners("p1", "p2")
    await house.run("""
      UPDATE business_partners SET state = 'approved', credit_limit = 555555, remarks = 'Pays late';
      INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, phone, credit_limit, state)
        VALUES ('org_a', 'secret', 'b2', 'Hidden Mills', '{buyer}', '+919825099999', 777777, 'approved');
      INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date)
        VALUES ('org_a', 'b2.trade', 'b2', 'secret', 'p2', 'lint', 10, 62000, '2026-11-20'),
          ('org_a', 'b1.trade', 'b1', 'secret', 'p1', 'lint', 1000, 62000, '2026-11-20');
    """)
    return house


async def send(house: House, user: str, **changes: Any) -> dict[str, str]:
    """Push changes of partners, or of the table named; give the issues: record id -> reason."""
    table = changes.pop("table", PARTNERS)
    await house.push(house.actor(user), await house.clock(), {table: changes, "sync_issues": {}})
    return {issue["record_id"]: issue["reason_code"] for issue in await house.issues() if issue["author_id"] == user}


async def tells_nothing(house: House, user: str, *, but: tuple[str, ...] = ()) -> None:
    """Look through all that a user hears: issues and pulls; what it sent itself is in the payload, and comes back in theirs."""
    told = [
        {**dict(issue), "payload": None, "record_id": None, "theirs": _without_sent(issue)}
        for issue in await house.issues()
        if issue["author_id"] == user
    ]
    answer = await house.pull(house.actor(user, "another"))
    answer["changes"]["sync_issues"] = {}
    text = json.dumps([told, answer], default=str)
    assert [secret for secret in SECRETS if secret in text and secret not in but] == []


def _without_sent(issue: Any) -> dict[str, Any]:
    """Leave of the record that its author wanted what the author did not say itself."""
    sent, theirs = (json.loads(issue[column] or "{}") for column in ("payload", "theirs"))
    return {name: value for name, value in theirs.items() if name not in sent or sent[name] != value}


# --- Refused per record -----------------------------------------------------------------------------------------------


async def only_ones_own_is_written(house: House) -> None:
    found = await send(
        house,
        "trader",
        created=[partner("mine"), partner("theirs", branch_id="b2")],
        updated=[{"id": "p1", "trade_name": "New"}, {"id": "secret", "trade_name": "New"}],
        deleted=["p2"],
    )
    assert found == {"theirs": "out_of_scope", "secret": "out_of_scope", "p2": "not_allowed"}
    truth = await house.truth(PARTNERS)
    assert truth.keys() == {"mine", "p1", "p2", "secret"}
    assert {id: row["trade_name"] for id, row in truth.items()} == {
        "mine": None,
        "p1": "New",
        "p2": None,
        "secret": None,
    }


async def test_what_is_not_theirs_is_refused_and_the_rest_accepted(house: House) -> None:
    await only_ones_own_is_written(house)


async def test_a_phone_without_issues_keeps_what_was_refused(house: House) -> None:
    changes = {PARTNERS: {"created": [partner("mine"), partner("theirs", branch_id="b2")]}}

    answer = await house.push(house.actor("trader"), await house.clock(), changes, holds_issues=False)

    assert answer == {"experimentalRejectedIds": {PARTNERS: ["theirs"]}}


async def test_a_deletion_of_what_is_not_theirs_does_nothing_and_says_nothing(house: House) -> None:
    assert await send(house, "trader", deleted=["secret", "no-such"]) == {}
    assert "secret" in await house.ids(PARTNERS)


async def test_what_an_agent_makes_is_the_agents_and_comes_back_assigned(house: House) -> None:
    cursor = await house.clock()
    assert await send(house, "field", created=[partner("new")]) == {}

    assert (await house.truth(PARTNERS))["new"]["assigned_agent_id"] == "field"
    pulled = records(await house.pull(house.actor("field"), cursor), PARTNERS)
    assert pulled["new"]["assigned_agent_id"] == "field"
    assert await send(house, "field", created=[contact("c", "new")], table="partner_contacts") == {}


# --- What a refusal tells ---------------------------------------------------------------------------------------------


async def test_a_value_that_one_of_another_branch_holds_is_taken_by_nobody_in_particular(house: House) -> None:
    assert await send(house, "trader", created=[partner("new", phone="+919825099999")]) == {"new": "duplicate"}
    await tells_nothing(house, "trader", but=("secret",))  # the trade of b1 names its buyer


async def test_who_may_not_make_a_record_does_not_hear_whether_a_value_is_taken(house: House) -> None:
    taken, free = partner("a", phone="+919825099999"), partner("b", phone="+919825011111")

    assert await send(house, "grader", created=[taken, free]) == {"a": "not_allowed", "b": "not_allowed"}


async def test_a_record_that_one_of_another_branch_names_is_named_by_nobody_in_particular(house: House) -> None:
    assert await send(house, "manager", deleted=["p2"]) == {"p2": "in_use"}
    await tells_nothing(house, "manager", but=("secret",))


async def test_a_partner_of_another_branch_is_one_that_does_not_exist(house: House) -> None:
    lots = [lot("theirs", "secret"), lot("nobodys", "no-such")]

    assert set((await send(house, "trader", created=lots, table="availabilities")).values()) == {"unknown_reference"}

    sentences = {issue["sentence"] for issue in await house.issues()}
    assert len(sentences) == 1


async def test_the_credit_limit_of_a_partner_of_another_branch_is_not_told(house: House) -> None:
    found = await send(house, "trader", updated=[{"id": "b1.trade", "state": "confirmed"}], table="trades")

    assert found == {"b1.trade": "over_credit_limit"}
    await tells_nothing(house, "trader", but=("secret",))


async def hidden_columns_stay_hidden(house: House) -> None:
    assert await send(house, "grader", updated=[{"id": "p1", "legal_name": "Mine"}]) == {"p1": "not_allowed"}
    (issue,) = await house.issues()
    ours = json.loads(issue["ours"])
    assert ours["legal_name"] == "Partner p1"
    assert ours.keys().isdisjoint({"credit_limit", "exposure"})
    seen = records(await house.pull(house.actor("grader")), PARTNERS)["p1"]
    assert (seen["credit_limit"], seen["remarks"]) == (None, "Pays late")


async def test_an_issue_shows_ours_without_hidden_columns(house: House) -> None:
    await hidden_columns_stay_hidden(house)


async def test_a_clash_shows_no_hidden_column_and_a_hidden_one_is_not_emptied(house: House) -> None:
    await house.run("INSERT INTO roles (org_id, id, title, codes) VALUES"
                    " ('org_a', 'blind', 'Blind', '{sync.use,partner.read,partner.update}')")  # fmt: skip
    await house.employ("blind", "blind", branch_id="b1")
    cursor = await house.clock()
    held = records(await house.pull(house.actor("blind")), PARTNERS)["p1"]
    assert held["credit_limit"] is None
    await house.run("UPDATE business_partners SET remarks = 'Office', credit_limit = 123456 WHERE id = 'p1'")

    mine = {PARTNERS: {"updated": [{**held, "remarks": "Mine"}]}, "sync_issues": {}}
    with pytest.raises(Conflict) as clash:
        await house.push(house.actor("blind"), cursor, mine)
    assert [sorted(one.columns) for one in clash.value.clashes] == [["remarks"]]

    assert await send(house, "blind", updated=[{**held, "remarks": "Office", "trade_name": "N"}]) == {}
    truth = (await house.truth(PARTNERS))["p1"]
    assert (truth["credit_limit"], truth["trade_name"]) == (123456, "N")


# --- Corrections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["created", "updated"])
@pytest.mark.parametrize(("id", "branch"), [("secret", "b1"), ("new", "b2")])
async def test_a_record_that_is_not_theirs_leaves_the_phone_again(house: House, how: str, id: str, branch: str) -> None:
    cursor = (await house.pull(house.actor("trader")))["timestamp"]

    await send(house, "trader", **{how: [partner(id, branch_id=branch)]})

    lists = (await house.pull(house.actor("trader"), cursor))["changes"][PARTNERS]
    assert lists == {"created": [], "updated": [], "deleted": [id]}


# --- Rights that change meanwhile -------------------------------------------------------------------------------------


async def _waiting_for_a_lock(house: House) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(500):
        if await house.one(waiting):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def push_while(house: House, user: str, statement: str, **changes: Any) -> dict[str, str]:
    """Let a statement run, and commit it when the push has been judged and waits for the clock to write."""
    await house.pull(house.actor(user))
    async with house.database.acquire_everywhere() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(statement)
        pushing = asyncio.create_task(send(house, user, **changes))
        await _waiting_for_a_lock(house)
        await transaction.commit()
    return await pushing


REVOCATIONS = [
    ("trader", "DELETE FROM grants WHERE user_id = 'trader'"),
    ("trader", "UPDATE grants SET valid_until = now() - interval '1 s' WHERE user_id = 'trader'"),
    ("trader", "UPDATE users SET is_active = false WHERE id = 'trader'"),
    ("field", "DELETE FROM grants WHERE user_id = 'field'"),
]


async def a_revocation_is_obeyed(house: House, user: str, statement: str) -> None:
    with contextlib.suppress(NotEntitled):  # who has nothing any more is turned away as a whole
        assert (await push_while(house, user, statement, created=[partner("late")])).keys() == {"late"}
    assert "late" not in await house.ids(PARTNERS)


@pytest.mark.parametrize(("user", "statement"), REVOCATIONS)
async def test_a_right_that_is_taken_between_check_and_write_is_gone(house: House, user: str, statement: str) -> None:
    await a_revocation_is_obeyed(house, user, statement)


async def test_a_role_that_loses_a_code_between_check_and_write_does_not_admit_it(house: House) -> None:
    await house.run(
        "INSERT INTO roles (org_id, id, title, codes) SELECT org_id, 'own', 'Own', codes FROM roles WHERE id = 'trader'"
    )
    await house.employ("other", "own", branch_id="b1")
    statement = "UPDATE roles SET codes = '{partner.read,sync.use}' WHERE id = 'own'"

    assert await push_while(house, "other", statement, created=[partner("late")]) == {"late": "not_allowed"}


async def test_a_partner_that_is_reassigned_between_check_and_write_is_no_longer_the_agents(house: House) -> None:
    await house.run("UPDATE business_partners SET assigned_agent_id = 'field' WHERE id = 'p1'")
    statement = "UPDATE business_partners SET assigned_agent_id = 'agent1' WHERE id = 'p1'"

    found = await push_while(house, "field", statement, created=[lot("late", "p1")], table="availabilities")

    assert found.keys() == {"late"}
    assert await house.ids("availabilities") == []


async def test_a_right_that_is_given_between_check_and_write_already_counts(house: House) -> None:
    give = (
        "INSERT INTO grants (org_id, id, user_id, role_id, branch_id) VALUES ('org_a', 'new', 'trader', 'trader', 'b2')"
    )

    changes = [partner("a"), partner("b", branch_id="b2")]
    assert await push_while(house, "trader", give, created=changes) == {}
    assert {"a", "b"} <= set(await house.ids(PARTNERS))


async def test_a_push_that_writes_nothing_waits_for_nobody(house: House) -> None:
    async with house.database.acquire_everywhere() as other, other.transaction():
        await other.execute("UPDATE users SET name = 'Other' WHERE id = 'manager'")

        answer = await asyncio.wait_for(house.push(house.actor("trader"), None, {PARTNERS: {}}), 5)

    assert answer == {}


# --- What a pull shows ------------------------------------------------------------------------------------------------


async def a_first_sync_shows_ones_own(house: House) -> None:
    pulled = await house.pull(house.actor("trader"))
    assert records(pulled, PARTNERS).keys() == {"p1", "p2"}
    assert records(pulled, "trades").keys() == {"b1.trade"}


async def what_is_revoked_leaves_the_phone(house: House) -> None:
    grant = await house.grant("trader", "trader", branch_id="b2")
    both = await house.pull(house.actor("trader"))
    assert "secret" in records(both, PARTNERS)
    await house.take(grant)
    await house.run("UPDATE units SET name = name || '.' FROM generate_series(1, 3)")
    lists = (await house.pull(house.actor("trader"), both["timestamp"], migration=_MIGRATION))["changes"]
    assert (lists[PARTNERS]["deleted"], lists["trades"]["deleted"]) == (["secret"], ["b2.trade"])


_MIGRATION = json.dumps({"from": 1, "tables": [], "columns": [{"table": "units", "columns": ["name"]}]})
"""A phone whose schema was migrated is answered by lists."""


async def test_a_user_pulls_what_is_theirs(house: House) -> None:
    await a_first_sync_shows_ones_own(house)
    await what_is_revoked_leaves_the_phone(house)


# --- The test of the test ---------------------------------------------------------------------------------------------


def refusals_say_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "refusals", lambda *_: [])


def every_mask_is_full(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(entitlements, "mask_of", lambda entity, codes: entitlements.full_mask(entity))


def rights_are_not_looked_at_again(patch: pytest.MonkeyPatch) -> None:
    apply, seen = applying.apply, list[Any]()

    async def hold(connection: Any, org_id: str) -> Any:
        await holds.hold_rights(connection, org_id)
        return seen[-1]

    async def note(connection: Any, org_id: str, submissions: Any, *, rights: Any, **rest: Any) -> Any:
        seen.append(rights)
        return await apply(connection, org_id, submissions, rights=rights, **rest)

    patch.setattr(applying, "hold_rights", hold)
    patch.setattr("sync_server.engine.push.apply", note)


_ALL = "SELECT f.id, 255 AS mask FROM feed f WHERE f.org_id = $1 AND f.entity = $2 AND f.payload IS NOT NULL"


def lists_show_every_scope(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(listings, "_now", lambda _: _ALL)


def lists_forget_what_was_seen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(listings, "_then", lambda _: "SELECT ''::text AS id, 0 AS mask WHERE false")


Check = Callable[[House], Awaitable[None]]


async def trader_is_revoked(house: House) -> None:
    await a_revocation_is_obeyed(house, *REVOCATIONS[0])


@pytest.mark.parametrize(
    ("plant", "check"),
    [
        (refusals_say_nothing, only_ones_own_is_written),
        (every_mask_is_full, hidden_columns_stay_hidden),
        (rights_are_not_looked_at_again, trader_is_revoked),
        (lists_show_every_scope, a_first_sync_shows_ones_own),
        (lists_forget_what_was_seen, what_is_revoked_leaves_the_phone),
    ],
)
async def test_a_wall_that_is_taken_away_is_noticed(
    house: House, plant: Callable[[pytest.MonkeyPatch], None], check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    with pytest.raises(AssertionError):
        await check(house)
