"""Wipes: a device that is to be emptied gets nothing, gives what it has not sent, and counts as empty only with proof."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mobile.replica_http import Refused
from sync_server.engine import wipe
from sync_server.store import impounded, wipes
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.people import ORG, Client, logged_in, settle
from tests.harness.phones import Phone, phone, refusal
from tests.harness.servers import Server

BRANCH = "b1"


@pytest.fixture
async def house(database: Database) -> Database:
    """People, and forty partners that everybody of the house may read."""
    await settle(database)
    async with database.acquire_everywhere() as connection:
        for org_id in ("org.1", "org.2"):
            await connection.execute("INSERT INTO organisations (org_id, id, legal_name) VALUES ($1, $1, $1)", org_id)
            await connection.execute(
                "INSERT INTO branches (org_id, id, code, name, state) VALUES ($1, 'b1', 'RJK', 'Rajkot', 'Gujarat')",
                org_id,
            )
            await connection.execute(
                "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind)"
                " SELECT $1, 'p' || n, 'b1', 'SECRET ' || n, '{buyer,seller}' FROM generate_series(1, 40) n",
                org_id,
            )
        await connection.execute(
            "UPDATE roles SET codes = codes || '{branch.read_all,branch.write_all}'::text[] WHERE id = 'agent'"
        )
    return database


@pytest.fixture
async def mina(house: Database, server: Server) -> Client:
    """The manager."""
    return await logged_in(server, "mina", id="desk-1")


def partner(name: str) -> dict[str, Any]:
    return {"branch_id": BRANCH, "legal_name": name, "kind": '["buyer"]'}


async def run(database: Database, statement: str, *values: Any) -> Any:
    async with database.acquire_everywhere() as connection:
        return await connection.fetchval(statement, *values)


async def order(manager: Client, id: str, **body: Any) -> Any:
    status, answer = await manager.ask("POST", f"/devices/{id}/wipe", body or None)
    assert status == 200, answer
    return answer


async def state(manager: Client, id: str) -> Any:
    status, answer = await manager.ask("GET", f"/devices/{id}")
    assert status == 200, answer
    return answer


async def left(manager: Client, id: str) -> list[Any]:
    status, answer = await manager.ask("GET", f"/devices/{id}/impounded")
    assert status == 200, answer
    return list(answer["impounded"])


def says_nothing(answer: dict[str, Any]) -> bool:
    return not any(rows for lists in answer["changes"].values() for rows in lists.values())


def brings_nothing(answer: dict[str, Any]) -> bool:
    return not any(lists["created"] or lists["updated"] for lists in answer["changes"].values())


async def sync_until_wiped(device: Phone, most: int = 6) -> int:
    """Sync until the session has ended; give how often it was answered."""
    for done in range(most):
        if (refused := await refusal(device.sync())) != "200":
            assert refused == "401 device_wiped"
            return done
    raise AssertionError(f"not wiped after {most} syncs")


# --- A stock client ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drops_strategy", [False, True], ids=["with the strategy", "as the documented snippet"])
async def test_a_stock_client_gives_what_is_unsent_is_emptied_and_proves_it(
    house: Database, server: Server, mina: Client, drops_strategy: bool
) -> None:
    asha = await phone(server, "asha", "phone-1", drops_strategy=drops_strategy)
    assert asha.rows() > 40
    made = asha.replica.create("business_partners", partner("Made offline"))
    asha.replica.update("business_partners", "p1", {"trade_name": "Edited offline"})
    asha.replica.delete("business_partners", "p2")
    await order(mina, "phone-1")

    assert await sync_until_wiped(asha) == 2

    assert asha.rows() == 0
    first, second = asha.answers[-2:]
    assert says_nothing(first)
    assert brings_nothing(second)
    assert second["experimentalStrategy"] == "replacement"
    assert "SECRET" not in json.dumps(asha.answers[-2:])
    shown = await state(mina, "phone-1")
    assert shown["state"] == "wiped"
    assert (shown["wipe"]["drains"], shown["wipe"]["clears"], shown["wipe"]["impounded"]) == (1, 1, 1)
    assert shown["wipe"]["proof"] == second["timestamp"]
    assert await run(house, "SELECT count(*) FROM business_partners WHERE id = $1", made) == 0
    assert await run(house, "SELECT trade_name FROM business_partners WHERE org_id = $1 AND id = 'p1'", ORG) is None
    kinds = await run(
        house, "SELECT string_agg(kind, ' ' ORDER BY id) FROM security_event WHERE kind ~ 'wipe|impounded'"
    )
    assert kinds == "wipe_ordered wipe_draining push_impounded wipe_clearing wipe_proven"


async def test_what_was_unsent_arrives_once_it_is_released(house: Database, server: Server, mina: Client) -> None:
    asha = await phone(server, "asha", "phone-1")
    made = asha.replica.create("business_partners", partner("Made offline"))
    asha.replica.update("business_partners", "p1", {"trade_name": "Edited offline"})
    asha.replica.delete("business_partners", "p2")
    asha.replica.update("business_partners", "p3", {"gstin": "rubbish"})
    await order(mina, "phone-1")
    await sync_until_wiped(asha)
    (kept,) = await left(mina, "phone-1")
    assert {f"business_partners/{made}", "business_partners/p1"} <= set(kept["records"])
    path = f"/devices/phone-1/impounded/{kept['id']}"
    status, whole = await mina.ask("GET", path)
    assert status == 200
    assert json.loads(whole["body"])["business_partners"]["deleted"] == ["p2"]

    status, released = await mina.ask("POST", f"{path}/release")

    assert (status, released["state"], released["decided_by"]) == (200, "released", "u3")
    assert await run(house, "SELECT created_by FROM business_partners WHERE id = $1", made) == "u1"
    names = "SELECT trade_name FROM business_partners WHERE org_id = $1 AND id = $2"
    assert await run(house, names, ORG, "p1") == "Edited offline"
    asha = await phone(server, "asha", "phone-2")
    assert [i["record_id"] for i in asha.replica.rows("sync_issues").values() if i["reason_code"] == "malformed"] == [
        "p3"
    ]
    assert [(await mina.ask("POST", f"{path}/{verb}"))[1]["code"] for verb in ("release", "discard")] == [
        "already_decided"
    ] * 2


async def test_an_edit_is_merged_where_the_phone_last_saw_the_record_and_not_where_the_wipe_left_it(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    asha.replica.update("business_partners", "p1", {"trade_name": "of the phone"})
    await run(house, "UPDATE business_partners SET address = 'of the office' WHERE org_id = $1 AND id = 'p1'", ORG)
    seen = asha.replica.last_pulled_at
    await order(mina, "phone-1")
    await sync_until_wiped(asha)
    (kept,) = await left(mina, "phone-1")

    assert kept["cursor"] == seen
    status, _ = await mina.ask("POST", f"/devices/phone-1/impounded/{kept['id']}/release")

    assert status == 200
    both = "SELECT trade_name || ', ' || address FROM business_partners WHERE org_id = $1 AND id = 'p1'"
    assert await run(house, both, ORG) == "of the phone, of the office"


async def test_discarded_pushes_stay_on_record_and_are_never_applied(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    made = asha.replica.create("business_partners", partner("Made offline"))
    await order(mina, "phone-1")
    await sync_until_wiped(asha)
    (kept,) = await left(mina, "phone-1")

    status, discarded = await mina.ask("POST", f"/devices/phone-1/impounded/{kept['id']}/discard")

    assert (status, discarded["state"], discarded["decided_by"]) == (200, "discarded", "u3")
    assert (await mina.ask("POST", f"/devices/phone-1/impounded/{kept['id']}/release"))[1]["code"] == "already_decided"
    assert await run(house, "SELECT count(*) FROM business_partners WHERE id = $1", made) == 0
    assert [push["state"] for push in await left(mina, "phone-1")] == ["discarded"]


async def test_two_managers_release_a_push_once(house: Database, server: Server, mina: Client) -> None:
    asha = await phone(server, "asha", "phone-1")
    asha.replica.create("business_partners", partner("Made offline"))
    await order(mina, "phone-1")
    await sync_until_wiped(asha)
    (kept,) = await left(mina, "phone-1")
    path = f"/devices/phone-1/impounded/{kept['id']}/release"

    answers = await asyncio.gather(*(mina.ask("POST", path) for _ in range(8)))

    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert await run(house, "SELECT count(*) FROM business_partners WHERE legal_name = 'Made offline'") == 1


# --- What it gets meanwhile -------------------------------------------------------------------------------------------


async def test_a_wiping_device_reaches_nothing_but_the_sync(house: Database, server: Server, mina: Client) -> None:
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1")
    assert server.app is not None

    refused = {}
    for route in server.app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        if not path.startswith("/api/v1") or "/auth/" in path or path in ("/api/v1/sync", "/api/v1/sync/exchange"):
            continue
        asked = path.removeprefix("/api/v1").replace("{", "").replace("}", "")
        if route.method != "HEAD":
            refused[f"{route.method} {path}"] = (await asha.client.ask(route.method, asked))[1]["code"]

    assert len(refused) > 9
    # A file is given by a link, which asks for no token and ends with its session (test_downloads.py).
    assert refused.pop("GET /api/v1/files") == "link_refused"
    assert set(refused.values()) == {"device_wiping"}
    for method, path in [("GET", "/auth/sessions"), ("POST", "/auth/password"), ("DELETE", "/auth/sessions")]:
        assert (await asha.client.ask(method, path))[0] == 403
    assert (await asha.client.refresh())[0] == 200, "it must come back to be emptied"


@pytest.mark.parametrize("cursor", ["null", "0", "5", "9999999999999"])
async def test_no_cursor_brings_a_wiping_device_a_row(
    house: Database, server: Server, mina: Client, cursor: str
) -> None:
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1")

    for _ in range(3):
        status, answer = await asha.client.ask("GET", f"/sync?last_pulled_at={cursor}&schema_version=1")

        assert status == 200
        assert brings_nothing(answer)
        assert "SECRET" not in json.dumps(answer)
    assert (await state(mina, "phone-1"))["state"] == "wiping"


async def test_other_devices_of_the_same_user_go_on(house: Database, server: Server, mina: Client) -> None:
    lost, kept = await phone(server, "asha", "phone-1"), await phone(server, "asha", "phone-2")
    await order(mina, "phone-1")
    await sync_until_wiped(lost)

    kept.replica.create("business_partners", partner("Goes on"))
    await kept.sync()

    assert await run(house, "SELECT count(*) FROM business_partners WHERE legal_name = 'Goes on'") == 1
    assert kept.rows() > 40


async def test_a_push_that_was_let_in_before_the_order_is_impounded_at_the_last_moment(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    asha.replica.create("business_partners", partner("Too late"))
    local = asha.replica.collect()
    assert local is not None
    assert await asha.client.is_in() == 200  # remembered for 4 s from here
    await run(
        house,
        "INSERT INTO wipe (org_id, id, device_id, user_id, ordered_by, immediately)"
        " VALUES ('org.1', 'w', 'phone-1', 'u1', 'u3', false)",
    )
    await run(house, "UPDATE device SET state = 'wiping' WHERE id = 'phone-1'")

    assert await asha.replica.push(local) == {}

    assert await run(house, "SELECT count(*) FROM business_partners WHERE legal_name = 'Too late'") == 0
    assert len(await left(mina, "phone-1")) == 1


# --- Proof ------------------------------------------------------------------------------------------------------------


async def pull(device: Phone, cursor: int | None) -> Any:
    asked = "null" if cursor is None else cursor
    return (await device.client.ask("GET", f"/sync?last_pulled_at={asked}&schema_version=1"))[1]


async def test_only_the_position_of_the_newest_clearing_answer_is_proof(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    old = asha.replica.last_pulled_at
    await order(mina, "phone-1")
    drained = (await pull(asha, old))["timestamp"]
    lost = (await pull(asha, drained))["timestamp"]
    newest = (await pull(asha, drained))["timestamp"]  # the answer before was lost on the way

    for cursor in (None, old, drained, lost):
        newest = (await pull(asha, cursor))["timestamp"]
        assert (await state(mina, "phone-1"))["state"] == "wiping", cursor

    for cursor in (newest - 1, newest + 1):
        newest = (await pull(asha, cursor))["timestamp"]
        assert (await state(mina, "phone-1"))["state"] == "wiping"
    assert (await pull(asha, newest))["code"] == "device_wiped"
    assert (await state(mina, "phone-1"))["state"] == "wiped"


async def test_the_position_of_a_clearing_answer_is_in_no_other_answer(
    house: Database, server: Server, mina: Client
) -> None:
    """Else a process that has not heard of the wipe could hand it out with rows, and they would count as wiped."""
    asha, bela = await phone(server, "asha", "phone-1"), await phone(server, "bela", "phone-2")
    await order(mina, "phone-1", immediately=True)

    clear = (await pull(asha, asha.replica.last_pulled_at))["timestamp"]

    assert (await pull(bela, bela.replica.last_pulled_at))["timestamp"] == clear + 1


async def test_what_is_pushed_after_a_clearing_answer_asks_for_another(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    asha.replica.create("business_partners", partner("Survives a replacement"))
    await order(mina, "phone-1", immediately=True)

    await asha.sync()  # cleared; what was created stays, and is pushed
    assert asha.rows() == 1
    await asha.sync()
    assert (await state(mina, "phone-1"))["state"] == "wiping"
    assert await sync_until_wiped(asha) == 0

    assert asha.rows() == 0
    assert (await state(mina, "phone-1"))["wipe"]["clears"] == 2
    assert len(await left(mina, "phone-1")) == 1


async def test_a_push_that_is_repeated_is_kept_once_and_still_asks_for_another_clearing(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1", immediately=True)
    cleared = (await pull(asha, asha.replica.last_pulled_at))["timestamp"]
    body = {"business_partners": {"created": [{"id": "x", **partner("Twice")}]}}

    for _ in range(3):
        assert await asha.client.ask("POST", f"/sync?last_pulled_at={cleared}", body) == (200, {})

    assert len(await left(mina, "phone-1")) == 1
    assert (await pull(asha, cleared))["changes"]["business_partners"]["deleted"].count("x") == 1


async def test_a_device_that_says_that_it_has_something_unsent_is_asked_for_it_a_few_times(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1")
    asha.headers["Cotton-Pending"] = "3"

    answered = [await pull_with_header(asha) for _ in range(wipe.DRAINS_MAX + 1)]

    assert ["experimentalStrategy" in answer for answer in answered] == [False] * wipe.DRAINS_MAX + [True]


async def pull_with_header(device: Phone) -> dict[str, Any]:
    device.replica.apply(await device.replica.pull())
    return device.answers[-1]


async def test_an_order_can_be_hurried_and_is_given_once(house: Database, server: Server, mina: Client) -> None:
    asha = await phone(server, "asha", "phone-1")
    first = await order(mina, "phone-1")
    again = await order(mina, "phone-1", immediately=True)

    assert (first["wipe"]["immediately"], again["wipe"]["immediately"]) == (False, True)
    assert again["wipe"]["ordered_at"] == first["wipe"]["ordered_at"]
    assert await sync_until_wiped(asha) == 1
    assert (await mina.ask("POST", "/devices/phone-1/wipe"))[1]["code"] == "device_state"


async def test_whoever_logs_in_on_a_wiping_phone_has_it_wiped_and_anothers_edits_are_nobodys_to_release(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    made = asha.replica.create("business_partners", partner("Of Asha"))
    await order(mina, "phone-1")
    await asha.login("bela")

    assert await sync_until_wiped(asha) == 2

    assert asha.rows() == 0
    (kept,) = await left(mina, "phone-1")
    status, problem = await mina.ask("POST", f"/devices/phone-1/impounded/{kept['id']}/release")
    assert (status, problem["code"]) == (409, "cursor_of_another")
    assert await run(house, "SELECT count(*) FROM business_partners WHERE id = $1", made) == 0
    assert [push["state"] for push in await left(mina, "phone-1")] == ["waiting"]


async def test_after_the_wipe_the_session_is_over_and_a_login_begins_anew(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    before = asha.replica.last_pulled_at
    await order(mina, "phone-1", immediately=True)
    await sync_until_wiped(asha)

    assert await refusal(asha.sync()) == "401 device_wiped"
    assert (await asha.client.refresh())[1]["code"] == "refresh_refused"

    await asha.login("asha")
    assert (await pull(asha, before))["code"] == "cursor_of_another"
    asha.replica.reset()
    await asha.sync()
    assert asha.rows() > 40
    assert (await state(mina, "phone-1"))["state"] == "active"


async def test_what_a_wiping_device_pushes_is_kept_as_it_was_sent_readable_or_not(
    house: Database, server: Server, mina: Client
) -> None:
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1")
    token = asha.client.grant["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    for body in (b"{not json", b'{"no_such_table": {}}', b"[]"):
        async with server.session.post("/api/v1/sync?last_pulled_at=5", data=body, headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, "{}")

    kept = await left(mina, "phone-1")
    path = "/devices/phone-1/impounded/"
    bodies = [(await mina.ask("GET", f"{path}{push['id']}"))[1]["body"] for push in kept]
    assert set(bodies) == {"[]", "{not json", '{"no_such_table": {}}'}
    codes = {(await mina.ask("POST", f"{path}{push['id']}/release"))[1]["code"] for push in kept}
    assert codes == {"malformed_json", "unknown_table", "wrong_type"}


async def test_a_session_that_may_do_next_to_nothing_is_emptied_too(
    house: Database, server: Server, mina: Client
) -> None:
    """Neither a second factor that is wanted first nor a role that was taken away keeps the data on the phone."""
    asha = await phone(server, "asha", "phone-1")
    async with house.acquire_everywhere() as connection:
        await connection.execute("UPDATE session SET must_enrol = true WHERE device_id = 'phone-1'")
        await connection.execute("DELETE FROM grants WHERE org_id = $1 AND user_id = 'u1'", ORG)
    await order(mina, "phone-1")

    assert await sync_until_wiped(asha) == 2

    assert asha.rows() == 0


async def test_a_wiping_device_cannot_fill_the_database(
    house: Database, server: Server, mina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impounded, "WAITING_MAX", 2)
    asha = await phone(server, "asha", "phone-1")
    await order(mina, "phone-1")

    statuses = [(await asha.client.ask("POST", f"/sync?last_pulled_at={n}", {}))[0] for n in range(1, 5)]

    assert statuses == [200, 200, 503, 503]


# --- Planted bugs -----------------------------------------------------------------------------------------------------

NOTICED = (AssertionError, KeyError, Refused)


async def test_the_tests_notice_a_wipe_that_believes_any_position(
    house: Database, server: Server, mina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wipe, "_is_proof", lambda order, cursor: order.clears > 0)

    with pytest.raises(NOTICED):
        await test_only_the_position_of_the_newest_clearing_answer_is_proof(house, server, mina)


async def test_the_tests_notice_a_proof_in_spite_of_a_push(
    house: Database, server: Server, mina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wipe, "_is_proof", lambda order, cursor: order.clear is not None and order.clear == cursor)

    with pytest.raises(NOTICED):
        await test_what_is_pushed_after_a_clearing_answer_asks_for_another(house, server, mina)


async def test_the_tests_notice_a_position_that_others_get_too(
    house: Database, server: Server, mina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_the_clock(connection: Any, org_id: str) -> int:
        return int(
            await connection.fetchval(
                "UPDATE org_clock SET seq = seq + 1 WHERE org_id = $1 RETURNING (epoch::bigint << 40) + seq", org_id
            )
        )

    monkeypatch.setattr(wipes, "take_lone_position", take_the_clock)

    with pytest.raises(NOTICED):
        await test_the_position_of_a_clearing_answer_is_in_no_other_answer(house, server, mina)


async def test_the_tests_notice_a_wiping_device_that_is_served_as_others_are(
    house: Database, server: Server, mina: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows on a pull, and a push that is applied: what happens if nobody looks at `wiping`."""
    assert server.app is not None
    watch = server.app[keys.SESSIONS]
    live = watch.live

    async def blind(actor: Any) -> Any:
        found = await live(actor)
        return None if found is None else type(found)(found.org_id, found.user_id, found.session_id)

    monkeypatch.setattr(watch, "live", blind)
    with pytest.raises(NOTICED):
        await test_a_wiping_device_reaches_nothing_but_the_sync(house, server, mina)
    with pytest.raises(NOTICED):
        await test_no_cursor_brings_a_wiping_device_a_row(house, server, mina, "null")
    with pytest.raises(NOTICED):
        await test_a_stock_client_gives_what_is_unsent_is_emptied_and_proves_it(
            house, server, mina, drops_strategy=False
        )
