"""REST over every entity: made, read, listed, changed, deleted, by one write path and one read policy.

Planted at the end: a list without scopes, an answer without the mask, a clash that is not looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from erp_core.access import ROLES
from erp_core.catalogue import ENTITIES
from sync_server.engine import office, reading
from sync_server.store import pages as sql
from sync_server.store.database import Database
from sync_server.wire.listing import PAGE_MAX
from tests.harness.office import EXAMPLES, Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot, records

NOT_MADE = {
    "organisations": ("org_a", {"legal_name": "Renamed"}),
    "notifications": ("m1", {"read_at": 1_795_000_000_000}),
    "sync_issues": ("i1", {"state": "discarded"}),
}
"""Entities that only the server makes: a record that is there, and a change of it."""


def test_every_entity_has_an_example() -> None:
    assert {entity.table for entity in ENTITIES} == EXAMPLES.keys() | NOT_MADE.keys()


# --- One record ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", EXAMPLES)
async def test_record_of_every_entity_is_made_read_changed_listed_and_deleted(
    clerk: Clerk, house: House, table: str
) -> None:
    body, change = EXAMPLES[table]
    made = await clerk.ask("POST", f"/{table}", body)
    assert made.status == 201, made.json
    path = made.headers["Location"].removeprefix("/api/v1")
    assert path == f"/{table}/{made.json['id']}"
    assert body.items() <= made.json.items()

    read = await clerk.ask("GET", path)
    assert (read.status, read.json, read.headers["ETag"]) == (200, made.json, made.headers["ETag"])

    changed = await clerk.ask("PATCH", path, change, If_Match=read.headers["ETag"])
    assert changed.status == 200, changed.json
    assert change.items() <= changed.json.items()
    assert changed.headers["ETag"] != read.headers["ETag"]

    listed = await clerk.ask("GET", f"/{table}?limit={PAGE_MAX}")
    assert changed.json in listed.json["records"]

    gone = await clerk.ask("DELETE", path)
    if table == "users":  # one who has left is disabled
        assert gone.status == 405
        return
    assert gone.status == 204, gone.json
    assert (await clerk.ask("GET", path)).status == 404
    assert made.json["id"] not in await house.ids(table)


@pytest.mark.parametrize("table", NOT_MADE)
async def test_what_only_the_server_makes_can_be_changed_and_neither_made_nor_deleted(clerk: Clerk, table: str) -> None:
    id, change = NOT_MADE[table]

    assert (await clerk.ask("PATCH", f"/{table}/{id}", change)).status == 200
    assert (await clerk.ask("POST", f"/{table}", {"id": "another"})).status == 405
    assert (await clerk.ask("DELETE", f"/{table}/{id}")).status == 405


async def test_change_reaches_phones_and_names_its_author(clerk: Clerk, house: House) -> None:
    phone = house.actor("agent2")
    await house.run("UPDATE trades SET state = 'draft'")
    cursor = (await house.pull(phone))["timestamp"]

    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "seen"})
    made = await clerk.ask("POST", "/partner_contacts", EXAMPLES["partner_contacts"][0])
    await clerk.ask("DELETE", "/trades/t1")
    pulled = await house.pull(phone, cursor)

    assert records(pulled, "business_partners")["p1"]["remarks"] == "seen"
    assert records(pulled, "partner_contacts")[made.json["id"]] == made.json
    assert pulled["changes"]["trades"]["deleted"] == ["t1"]
    events = [(e["actor"], e["session"]) for e in await house.events(cursor)]
    assert set(events) == {("agent1", "desk-of-agent1")}


async def test_made_with_an_id_of_its_own_twice_it_is_there_once(clerk: Clerk, house: House) -> None:
    body = {"id": "mine", **EXAMPLES["business_partners"][0]}

    first, second = (
        await clerk.ask("POST", "/business_partners", body),
        await clerk.ask("POST", "/business_partners", body),
    )
    other = await clerk.ask("POST", "/business_partners", {**body, "legal_name": "Other"})

    assert (first.status, second.status, second.json) == (201, 200, first.json)
    assert (other.status, other.json["code"]) == (409, "id_taken")
    assert (await house.truth("business_partners"))["mine"]["legal_name"] == "Anew"


async def test_id_of_a_deleted_record_is_taken_for_ever(clerk: Clerk) -> None:
    await clerk.ask("POST", "/business_partners", {"id": "mine", **EXAMPLES["business_partners"][0]})
    await clerk.ask("DELETE", "/business_partners/mine")

    again = await clerk.ask("POST", "/business_partners", {"id": "mine", **EXAMPLES["business_partners"][0]})

    assert (again.status, again.json["code"]) == (409, "id_taken")


@pytest.mark.parametrize(
    ("method", "body", "status"), [("GET", None, 404), ("PATCH", {"name": "x"}, 404), ("DELETE", None, 404)]
)
async def test_record_that_is_not_there_cannot_be_read_changed_or_deleted(
    clerk: Clerk, house: House, method: str, body: Any, status: int
) -> None:
    assert (await clerk.ask(method, "/branches/nowhere", body)).status == status
    assert await house.ids("branches") == ["b1", "b2"]


# --- Clashes ------------------------------------------------------------------------------------------------------------


async def test_change_over_a_newer_one_of_the_same_field_is_refused(clerk: Clerk, house: House) -> None:
    tag = (await clerk.ask("GET", "/business_partners/p1")).headers["ETag"]
    await house.run("UPDATE business_partners SET remarks = 'theirs' WHERE id = 'p1'")

    clash = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "mine"}, If_Match=tag)
    beside = await clerk.ask("PATCH", "/business_partners/p1", {"trade_name": "mine"}, If_Match=tag)
    without = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "last"})

    assert (clash.status, clash.json["code"], clash.json["fields"]) == (412, "changed_meanwhile", ["remarks"])
    assert (beside.status, beside.json["remarks"], beside.json["trade_name"]) == (200, "theirs", "mine")
    assert (without.status, without.json["remarks"]) == (200, "last")


async def test_two_pages_of_one_session_do_not_overwrite_each_other(clerk: Clerk) -> None:
    tag = (await clerk.ask("GET", "/business_partners/p1")).headers["ETag"]

    first = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "first page"}, If_Match=tag)
    second = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "second page"}, If_Match=tag)

    assert (first.status, second.status) == (200, 412)


async def test_clash_is_merged_for_who_prefers_that(clerk: Clerk, house: House) -> None:
    await house.run("UPDATE business_partners SET remarks = 'dry yard, good road', tags = '{old}' WHERE id = 'p1'")
    tag = (await clerk.ask("GET", "/business_partners/p1")).headers["ETag"]
    await house.run("UPDATE business_partners SET remarks = 'dry yard, bad road', tags = '{old,far}' WHERE id = 'p1'")
    change = {"remarks": "very dry yard, good road", "tags": '["near","old"]'}

    told = await clerk.ask("PATCH", "/business_partners/p1", change, If_Match=tag)
    merged = await clerk.ask("PATCH", "/business_partners/p1", change, If_Match=tag, Prefer="respond-async, merge")

    assert (told.status, set(told.json["fields"])) == (412, {"remarks", "tags"})
    assert (merged.status, merged.headers["Preference-Applied"]) == (200, "merge")
    assert (merged.json["remarks"], merged.json["tags"]) == ("very dry yard, bad road", '["far","near","old"]')


async def test_count_that_a_page_sends_again_is_not_counted_again(clerk: Clerk, house: House) -> None:
    """Its answer was lost; another page's equal change of the same count is a change of its own."""
    made = await clerk.ask("POST", "/availabilities", lot("l9", "p1", bales_reserved=0))
    path, tag = "/availabilities/l9", made.headers["ETag"]
    other = await at_desk(clerk.server, house, "agent2")

    for page in (clerk, clerk, other):
        answer = await page.ask("PATCH", path, {"bales_reserved": 10}, If_Match=tag, Prefer="merge")
        assert answer.status == 200, answer.json

    assert (await clerk.ask("GET", path)).json["bales_reserved"] == 20


async def test_what_no_policy_decides_stays_a_clash(clerk: Clerk, house: House) -> None:
    tag = (await clerk.ask("GET", "/business_partners/p1")).headers["ETag"]
    await house.run("UPDATE business_partners SET remarks = 'theirs' WHERE id = 'p1'")

    answer = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "mine"}, If_Match=tag, Prefer="merge")

    assert (answer.status, answer.json["fields"]) == (412, ["remarks"])


async def test_deletion_of_what_has_changed_meanwhile_is_refused(clerk: Clerk, house: House) -> None:
    tag = (await clerk.ask("GET", "/trades/t1")).headers["ETag"]
    await house.run("UPDATE trades SET remarks = 'theirs' WHERE id = 't1'")

    assert (await clerk.ask("DELETE", "/trades/t1", If_Match=tag)).status == 412
    assert await house.ids("trades") == ["t1"]


@pytest.mark.parametrize("tag", ['"9007199254740991"', '"abc"', 'W/"x"'])
async def test_tag_of_nobodys_never_matches(clerk: Clerk, tag: str) -> None:
    answer = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "x"}, If_Match=tag)

    assert (answer.status, answer.json["code"]) == (412, "changed_meanwhile")


# --- Lists --------------------------------------------------------------------------------------------------------------


async def pages(clerk: Clerk, path: str, limit: int) -> list[Answer]:
    """Read a list to its end."""
    read: list[Answer] = []
    after = ""
    while len(read) < 1000:
        read.append(await clerk.ask("GET", f"{path}limit={limit}" + (f"&after={after}" if after else "")))
        assert read[-1].status == 200, read[-1].json
        after = read[-1].json["next"]
        if after is None:
            break
    return read


@pytest.mark.parametrize("user", ["agent1", "field", "rajkot"])
async def test_pages_hold_everything_once_while_others_write(server: Server, house: House, user: str) -> None:
    """Whatever was there before the first page and stays is listed, once; `field` sees by assignment, `rajkot` by branch."""
    await house.add_partners(*(f"q{n:03}" for n in range(60)))
    if user == "field":
        await house.employ("field", "agent", agent_id="field")
        await house.run("UPDATE business_partners SET assigned_agent_id = 'field' WHERE id LIKE 'q%'")
    if user == "rajkot":
        await house.employ("rajkot", "trader", branch_id="b1")
    clerk = await at_desk(server, house, user)
    lasting = {f"q{n:03}" for n in range(60)}
    stop = asyncio.Event()

    async def meddle() -> None:
        number = 0
        while not stop.is_set() and number < 500:
            number += 1
            await house.add_partners(f"m{number:03}")
            await house.run(f"UPDATE business_partners SET remarks = '{number}' WHERE id = 'q{number % 60:03}'")
            await asyncio.sleep(0)

    meddling = asyncio.create_task(meddle())
    read = await pages(clerk, "/business_partners?", 7)
    stop.set()
    await meddling
    ids = [record["id"] for page in read for record in page.json["records"]]

    assert lasting <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(len(page.json["records"]) == 7 for page in read[:-1])


async def test_list_can_be_asked_for_by_its_fields(clerk: Clerk, house: House) -> None:
    async def found(query: str) -> list[str]:
        answer = await clerk.ask("GET", query)
        assert answer.status == 200, answer.json
        return [record["id"] for record in answer.json["records"]]

    assert await found("/trades?price_per_candy=62000.00") == ["t1"]
    assert await found("/trades?trade_date=2026-11-20&buyer_id=p2") == ["t1"]
    assert await found("/trades?buyer_id=p1") == []
    assert await found("/business_partners?gstin=") == ["p1", "p2"]
    assert await found("/branches?is_active=true&code=RJK") == ["b1"]
    assert await found("/availabilities?bales_offered=100&state=active") == ["l1"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "after=%27",
        "colour=red",
        "legal_name=a&legal_name=b",
        "org_id=org_a",
        *("is_active=yes", "exposure=NaN", "exposure=1e999", "created_at=-1", "legal_name=%00", "__proto__=x"),
    ],
)
async def test_query_that_cannot_be_meant_is_refused(clerk: Clerk, query: str) -> None:
    answer = await clerk.ask("GET", f"/business_partners?{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


async def test_page_is_bounded_by_bytes_too(clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_PAGE", sql._PAGE.replace(str(sql.PAGE_BYTES_MAX), "1500"))
    await house.add_partners(*(f"q{n}" for n in range(9)))

    read = await pages(clerk, "/business_partners?", 200)

    assert len(read) > 3
    assert [r["id"] for page in read for r in page.json["records"]] == ["p1", "p2", *(f"q{n}" for n in range(9))]


# --- What is not for the asker ------------------------------------------------------------------------------------------


async def test_record_out_of_sight_is_answered_as_one_that_is_not_there(server: Server, house: House) -> None:
    await house.employ("akola", "manager", branch_id="b2")
    clerk = await at_desk(server, house, "akola")

    for method, body in (("GET", None), ("PATCH", {"remarks": "x"}), ("DELETE", None)):
        theirs = await clerk.ask(method, "/business_partners/p1", body)
        nobodys = await clerk.ask(method, "/business_partners/p9", body)
        tagged = await clerk.ask(method, "/business_partners/p1", body, If_Match='"2199023255553"')
        assert theirs.status == nobodys.status == tagged.status == 404
        assert _without_id(theirs) == _without_id(nobodys) == _without_id(tagged)
    assert (await clerk.ask("GET", "/business_partners")).json == {"records": [], "next": None}


async def test_record_out_of_sight_costs_what_one_costs_that_is_not_there(server: Server, house: House) -> None:
    await house.employ("akola", "manager", branch_id="b2")
    clerk = await at_desk(server, house, "akola")
    counts: dict[str, list[int]] = {}
    for method, body in (("GET", None), ("PATCH", {"remarks": "x"}), ("DELETE", None)):
        for id in ("p1", "p9", "p1", "p9"):
            before = await _statements(house)
            await clerk.ask(method, f"/business_partners/{id}", body)
            counts.setdefault(method, []).append(await _statements(house) - before)

    assert all(len(set(numbers[2:])) == 1 for numbers in counts.values()), counts


async def _statements(house: House) -> int:
    """Count the transactions of this database: as many for each attempt as it takes."""
    return int(
        await house.one("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    )


def _without_id(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.json.items() if name != "correlation_id"}


async def test_hidden_fields_are_absent_and_nothing_is_found_by_them(server: Server, house: House) -> None:
    await house.employ("grader", "grader", branch_id="b1")
    clerk = await at_desk(server, house, "grader")
    whole = await at_desk(server, house, "agent1")
    hidden = {name for codes, names in _partner_groups() if not ROLES["grader"].codes & set(codes) for name in names}
    await house.run("UPDATE business_partners SET credit_limit = 5000 WHERE id = 'p1'")

    one = await clerk.ask("GET", "/business_partners/p1")
    listed = await clerk.ask("GET", "/business_partners")
    by_hidden = await clerk.ask("GET", "/business_partners?credit_limit=5000")

    assert "credit_limit" in hidden
    assert one.json.keys() == (await whole.ask("GET", "/business_partners/p1")).json.keys() - hidden
    assert not any(hidden & record.keys() for record in listed.json["records"])
    assert (by_hidden.status, by_hidden.json["code"]) == (400, "bad_parameter")
    assert len((await whole.ask("GET", "/business_partners?credit_limit=5000")).json["records"]) == 1


async def test_nothing_is_found_by_a_field_that_is_hidden_in_one_branch_only(server: Server, house: House) -> None:
    """Who sees a field in one branch does not find by it what another branch hides."""
    await house.employ("both", "grader", branch_id="b1")
    await house.grant("both", "trader", branch_id="b2")
    clerk = await at_desk(server, house, "both")
    await house.run("""UPDATE business_partners SET credit_limit = 5000;
      UPDATE business_partners SET branch_id = 'b2' WHERE id = 'p2'""")

    found = await clerk.ask("GET", "/business_partners?credit_limit=5000")

    assert [record["id"] for record in found.json["records"]] == ["p2"]


def _partner_groups() -> Collection[tuple[tuple[str, ...], tuple[str, ...]]]:
    return next(entity.read_groups for entity in ENTITIES if entity.table == "business_partners")


# --- People -------------------------------------------------------------------------------------------------------------


async def test_login_name_that_somebody_has_is_refused_in_words(
    clerk: Clerk, server: Server, database: Database, tmp_path: Path, house: House
) -> None:
    other = await House.settle(database, tmp_path / "other", "org_b")
    await (await at_desk(server, other, "agent1")).ask("POST", "/users", {"username": "Neha", "name": "Neha"})

    taken = await clerk.ask("POST", "/users", {"username": " NEHA", "name": "Another"})

    assert (taken.status, taken.reasons, taken.json["pointer"]) == (422, ["duplicate"], "/username")
    assert (await clerk.ask("POST", "/users", {"username": "neha2", "name": "Another"})).json["username"] == "neha2"


async def test_nobody_changes_a_person_who_may_do_more(server: Server, house: House) -> None:
    await house.run(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'hr', 'HR', '{user.read,user.update}')"
    )
    await house.employ("hr", "hr")
    await house.employ("newcomer")
    clerk = await at_desk(server, house, "hr")

    refused = await clerk.ask("PATCH", "/users/agent1", {"phone": "+919812345678"})
    allowed = await clerk.ask("PATCH", "/users/newcomer", {"phone": "+919812345678"})

    assert (refused.status, refused.reasons) == (403, ["out_of_reach"])
    assert allowed.status == 200, allowed.json


async def test_disabled_user_is_out_at_once(server: Server, house: House, clerk: Clerk) -> None:
    await house.employ("leaver", "agent")
    leaver = await at_desk(server, house, "leaver")

    assert (await clerk.ask("PATCH", "/users/leaver", {"is_active": False})).status == 200

    assert (await leaver.ask("GET", "/me")).status == 401
    assert (await leaver.ask("POST", "/business_partners", EXAMPLES["business_partners"][0])).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/grants", EXAMPLES["grants"][0]),
        ("POST", "/roles", EXAMPLES["roles"][0]),
        ("PATCH", "/users/reader", {"phone": "+919812345678"}),
    ],
)
async def test_rights_and_phones_are_changed_after_a_fresh_login_only(
    house: House, clerk: Clerk, method: str, path: str, body: Any
) -> None:
    await house.run("UPDATE session SET created_at = now() - interval '1 hour'")

    answer = await clerk.ask(method, path, body)

    assert (answer.status, answer.json["code"]) == (403, "fresh_login_needed")


async def test_me_says_who_asks_and_what_they_may(server: Server, house: House) -> None:
    await house.employ("rajkot", "trader", branch_id="b1")
    clerk = await at_desk(server, house, "rajkot")

    me = (await clerk.ask("GET", "/me")).json

    assert (me["user"]["username"], me["organisation"]["id"]) == ("rajkot@org_a", "org_a")
    assert [(role["role_id"], role["branch_id"], role["title"]) for role in me["roles"]] == [("trader", "b1", "Trader")]
    assert "desk.write" in me["holds"]["branch:b1"]
    assert me["entitled_until"] is None


async def test_me_of_somebody_without_a_grant_is_a_name_only(server: Server, house: House) -> None:
    await house.employ("newcomer")

    me = await (await at_desk(server, house, "newcomer")).ask("GET", "/me")

    assert (me.status, me.json["user"], me.json["roles"], me.json["holds"]) == (200, {"id": "newcomer"}, [], {})


async def test_session_that_ended_a_moment_ago_writes_nothing(server: Server, house: House) -> None:
    """The door still remembers the session; the write asks again."""
    await house.run("""INSERT INTO device (org_id, id, user_id) VALUES ('org_a', 'd1', 'agent1')""")
    clerk = await at_desk(server, house, "agent1")
    await house.run("UPDATE session SET device_id = 'd1'")
    assert (await clerk.ask("GET", "/me")).status == 200
    await house.run("UPDATE session SET revoked_at = now()")

    answer = await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "late"})

    assert (answer.status, answer.json["code"]) == (401, "session_ended")
    assert (await house.truth("business_partners"))["p1"]["remarks"] is None


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_answer_without_the_mask_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "hidden_fields", lambda *_: frozenset())

    with pytest.raises(AssertionError):
        await test_hidden_fields_are_absent_and_nothing_is_found_by_them(server, house)


async def test_planted_list_without_scopes_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "SEEN", "{scopes}::text[] IS NOT NULL")
    monkeypatch.setattr(sql, "ON_EVERY_RECORD", frozenset({"org", "branch", "branch:b2"}))

    with pytest.raises(AssertionError):
        await test_record_out_of_sight_is_answered_as_one_that_is_not_there(server, house)


async def test_planted_blindness_for_clashes_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "clashing_fields", lambda _: [])

    with pytest.raises((AssertionError, KeyError)):
        await test_change_over_a_newer_one_of_the_same_field_is_refused(clerk, house)
