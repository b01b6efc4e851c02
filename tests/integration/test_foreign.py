"""What one user left unsent on a phone is handed in by the next, and waits for its author (engine/foreign.py).

Planted by hand, each found here: the changes applied; no look at whose the phone was; the receipt in the name of who hands in;
what others did on the same phone taken for the author's own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from sync_server.engine import foreign
from sync_server.engine.holding import hold
from sync_server.store.database import Database
from tests.harness.people import Client, settle
from tests.harness.phones import Phone, phone
from tests.harness.servers import Server

_IDS = itertools.count()
LOT = {"branch_id": "b1", "seller_id": "p", "commodity_id": "lint", "crop_year": "2026-27", "bales_offered": 100}


@pytest.fixture
async def house(database: Database) -> Database:
    await settle(database)
    async with database.acquire_everywhere() as connection:
        await connection.execute("""
          INSERT INTO organisations (org_id, id, legal_name) VALUES ('org.1', 'org.1', 'House');
          INSERT INTO branches (org_id, id, code, name, state) VALUES ('org.1', 'b1', 'RJK', 'Rajkot', 'Gujarat');
          INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)
            VALUES ('org.1', 'kg', 'kg', 'Kilogram', 'mass', 1);
          INSERT INTO commodities (org_id, id, name, category, hsn, base_unit_id, trade_unit_id, rate_unit_id, gst_rate_pct)
            VALUES ('org.1', 'lint', 'Cotton lint', 'lint', '5201', 'kg', 'kg', 'kg', 5);
          INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, state, created_by)
            VALUES ('org.1', 'p', 'b1', 'Partner p', '{seller}', 'approved', 'u3'),
              ('org.1', 'q', 'b1', 'Partner q', '{buyer}', 'draft', 'u3');
          INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered, state,
              asking_price_per_candy, bales_sold) VALUES ('org.1', 'l', 'b1', 'p', 'lint', '2026-27', 100, 'active', 62000, 0);
          UPDATE roles SET codes = codes || '{branch.read_all,branch.write_all}'::text[];
        """)
    return database


async def rows(database: Database, statement: str) -> list[dict[str, Any]]:
    async with database.acquire_everywhere() as connection:
        return [dict(row) for row in await connection.fetch(statement)]


async def issues(database: Database) -> dict[str, dict[str, Any]]:
    return {row["record_id"]: row for row in await rows(database, "SELECT * FROM sync_issues")}


async def handed_over(server: Server) -> tuple[Phone, int]:
    """Give a phone on which asha (u1) was logged in and bela (u2) is, and asha's cursor."""
    device = await phone(server, "asha", "phone-1")
    cursor = device.replica.last_pulled_at
    assert cursor is not None
    await device.login("bela")
    return device, cursor


def edit(table: str, id: str, **values: Any) -> dict[str, Any]:
    return {table: {"updated": [{"id": id, **values, "_status": "updated", "_changed": ",".join(values)}]}}


EDITS = edit("business_partners", "q", remarks="of asha") | {
    "availabilities": {"created": [{"id": "new", **LOT, "asking_price_per_candy": 62_000}]}
}


async def hand_in(client: Client, cursor: int | None, changes: Any, author: str = "u1", **said: Any) -> tuple[int, Any]:
    wanted = {"push_id": f"f{next(_IDS)}", "last_pulled_at": cursor, "schema_version": 2, "changes": changes, **said}
    return await client.ask("POST", "/sync/exchange", {**wanted, "author": author})


# --- What becomes of it -----------------------------------------------------------------------------------------------


async def test_changes_wait_for_their_author_and_nothing_is_applied(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)

    status, answer = await hand_in(device.client, cursor, EDITS)

    assert (status, list(answer)) == (200, ["verdicts"])
    assert sorted(answer["verdicts"], key=str) == [
        {"table": "availabilities", "id": "new", "verdict": "parked"},
        {"table": "business_partners", "id": "q", "verdict": "parked"},
    ]
    filed = await issues(house)
    assert sorted(filed) == ["new", "q"]
    for issue in filed.values():
        told = (issue["author_id"], issue["kind"], issue["reason_code"], issue["state"], issue["device_id"])
        assert told == ("u1", "parked", "foreign_author", "open", "phone-1")
    assert json.loads(filed["q"]["payload"]) == {"remarks": "of asha", "_changed": "remarks"}
    assert json.loads(filed["q"]["ours"])["legal_name"] == "Partner q"
    assert json.loads(filed["q"]["theirs"])["remarks"] == "of asha"
    assert json.loads(filed["new"]["payload"])["bales_offered"] == 100
    assert await rows(house, "SELECT id FROM availabilities") == [{"id": "l"}]
    assert await rows(house, "SELECT remarks FROM business_partners WHERE id = 'q'") == [{"remarks": None}]


async def test_author_finds_it_with_the_next_login_and_does_it_again(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    await hand_in(device.client, cursor, EDITS)

    author = await phone(server, "asha", "another-phone")
    held = {row["record_id"]: id for id, row in author.replica.rows("sync_issues").items()}
    for id in held.values():
        status, answer = await author.client.ask("POST", f"/sync/issues/{id}/resolve", {"how": "mine"})
        assert status == 200, answer

    found = await rows(house, "SELECT remarks, updated_by FROM business_partners WHERE id = 'q'")
    assert found == [{"remarks": "of asha", "updated_by": "u1"}]
    assert await rows(house, "SELECT created_by FROM availabilities WHERE id = 'new'") == [{"created_by": "u1"}]


async def test_count_is_taken_from_what_its_author_saw(house: Database, server: Server) -> None:
    """Bela has sold ten bales on the very same phone since: they are not asha's, and not undone."""
    device, cursor = await handed_over(server)
    device.replica.reset()
    await device.sync()
    device.replica.update("availabilities", "l", {"bales_sold": 10})
    await device.sync()

    await hand_in(device.client, cursor, edit("availabilities", "l", bales_sold=5))

    assert json.loads((await issues(house))["l"]["base"])["bales_sold"] == 0
    author = await phone(server, "asha", "another-phone")
    (id,) = author.replica.rows("sync_issues")
    status, answer = await author.client.ask("POST", f"/sync/issues/{id}/resolve", {"how": "mine"})
    assert (status, answer["record"]["bales_sold"]) == (200, 15)


async def test_what_had_its_effect_already_is_not_filed(house: Database, server: Server) -> None:
    """Its answer was lost, and the phone changed hands."""
    device = await phone(server, "asha", "phone-1")
    cursor = device.replica.last_pulled_at
    device.replica.update("business_partners", "q", {"remarks": "of asha"})
    await device.sync()
    assert await rows(house, "SELECT remarks FROM business_partners WHERE id = 'q'") == [{"remarks": "of asha"}]
    await device.login("bela")

    status, _ = await hand_in(device.client, cursor, edit("business_partners", "q", remarks="of asha"))

    assert (status, await issues(house)) == (200, {})


async def test_state_of_an_issue_is_left_to_its_author(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    await hand_in(device.client, cursor, EDITS)
    issue = (await issues(house))["q"]

    status, answer = await hand_in(device.client, cursor, edit("sync_issues", issue["id"], state="discarded"))

    assert (status, answer["verdicts"][0]["verdict"]) == (200, "parked")
    assert (await issues(house)) == {**(await issues(house)), "q": issue}


async def test_record_that_breaks_us_is_filed_as_it_came(
    house: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_(*arguments: Any) -> None:
        await hold(*arguments)
        raise TypeError("a rule with a bug")

    monkeypatch.setattr(foreign, "hold", break_)
    device, cursor = await handed_over(server)

    status, _ = await hand_in(device.client, cursor, EDITS)

    assert status == 200
    assert json.loads((await issues(house))["q"]["payload"])["remarks"] == "of asha"


# --- Once -------------------------------------------------------------------------------------------------------------


async def test_same_again_files_nothing_more_whoever_hands_it_in(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    first = await hand_in(device.client, cursor, EDITS, push_id="same")
    before = await issues(house)
    again = [await hand_in(device.client, cursor, EDITS, push_id="same")]
    await device.login("mina")
    again.append(await hand_in(device.client, cursor, EDITS, push_id="same"))

    assert again == [first, first]
    assert await issues(house) == before


async def test_same_at_once_files_once(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)

    answers = await asyncio.gather(*(hand_in(device.client, cursor, EDITS, push_id="same") for _ in range(4)))

    assert [status for status, _ in answers] == [200] * 4
    count = "SELECT count(*) FROM event WHERE entity = 'sync_issues'"
    assert await rows(house, count) == [{"count": 2}]


async def test_name_of_another_push_is_refused(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    await hand_in(device.client, cursor, EDITS, push_id="same")

    status, answer = await hand_in(
        device.client, cursor, edit("business_partners", "q", remarks="else"), push_id="same"
    )

    assert (status, answer["code"]) == (422, "push_id_reused")


# --- Who may ----------------------------------------------------------------------------------------------------------


async def refused(client: Client, cursor: int | None, author: str) -> Any:
    status, answer = await hand_in(client, cursor, EDITS, author)
    assert (status, answer["code"], answer["pointer"]) == (403, "author_never_here", "/author")
    return {**answer, "correlation_id": ""}


async def test_only_who_was_on_this_phone_is_an_author(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    elsewhere = await phone(server, "mina", "phone-2")

    somebody = await refused(device.client, cursor, "u3")
    assert somebody == await refused(device.client, cursor, "nobody"), "nothing tells who is there"
    await refused(elsewhere.client, cursor, "u1")
    await refused(device.client, (3 << 40) + 1, "u1")
    assert await issues(house) == {}


async def test_cursor_from_before_the_author_had_the_phone_is_not_the_authors(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    device.replica.reset()
    await device.sync()
    of_bela = device.replica.last_pulled_at
    await device.login("mina")

    assert of_bela is not None
    await refused(device.client, cursor, "u2")
    await refused(device.client, of_bela, "u1")
    assert (await hand_in(device.client, of_bela, EDITS, "u2"))[0] == 200


async def test_who_never_synced_may_have_left_something_too(house: Database, server: Server) -> None:
    device, _ = await handed_over(server)

    assert (await hand_in(device.client, None, EDITS))[0] == 200
    assert sorted(await issues(house)) == ["new", "q"]


async def test_phone_that_was_shut_out_hands_nothing_in(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")
    cursor = device.replica.last_pulled_at
    admin = Client(server, "rekha", {"id": "desk"})
    await admin.login()
    assert (await admin.ask("POST", "/devices/phone-1/revoke"))[0] < 300
    await device.login("bela")

    await refused(device.client, cursor, "u1")


async def test_phone_that_is_being_wiped_hands_it_in_under_its_author(house: Database, server: Server) -> None:
    """Kept back as the next user's, it would be applied as theirs once somebody releases it."""
    device, cursor = await handed_over(server)
    admin = Client(server, "rekha", {"id": "desk"})
    await admin.login()
    assert (await admin.ask("POST", "/devices/phone-1/wipe", {}))[0] < 300

    status, answer = await hand_in(device.client, cursor, EDITS)

    assert (status, list(answer)) == (200, ["verdicts"])
    assert sorted(await issues(house)) == ["new", "q"]
    assert await rows(house, "SELECT id FROM impounded") == []


async def test_nothing_that_the_next_user_gets_tells_of_the_author(house: Database, server: Server) -> None:
    device, cursor = await handed_over(server)
    async with house.acquire_everywhere() as connection:
        await connection.execute("UPDATE roles SET codes = array_remove(codes, 'sync.resolve')")

    answers = [
        await hand_in(device.client, cursor, edit("business_partners", id, remarks="x")) for id in ("q", "nothere")
    ]

    shapes = {str({**answer["verdicts"][0], "id": ""}) for _, answer in answers}
    assert len(shapes) == 1, "a record that is there is told like one that is not"
    device.replica.reset()
    await device.sync()
    assert device.replica.rows("sync_issues") == {}


async def test_own_name_is_an_exchange_like_any(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")

    status, answer = await hand_in(device.client, device.replica.last_pulled_at, EDITS, "u1")

    assert status == 200
    assert {"changes", "timestamp", "verdicts"} <= answer.keys()
    assert len(await rows(house, "SELECT id FROM availabilities")) == 2


@pytest.mark.parametrize("author", ["", "a b", 5, ["u1"]])
async def test_author_is_an_id(house: Database, server: Server, author: Any) -> None:
    device, cursor = await handed_over(server)

    status, answer = await hand_in(device.client, cursor, EDITS, author)

    assert (status, answer["code"], answer["pointer"]) == (422, "unsafe_id", "/author")
