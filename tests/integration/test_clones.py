"""Copies of an installation: a backup put onto a second phone is found out, and nothing has its effect twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sync_server.store import registry
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.people import ORG, settle
from tests.harness.phones import Phone, phone, refusal
from tests.harness.servers import Server


@pytest.fixture
async def house(database: Database) -> Database:
    """People, who write in every branch."""
    await settle(database)
    async with database.acquire_everywhere() as connection:
        await connection.execute("INSERT INTO organisations (org_id, id, legal_name) VALUES ($1, $1, $1)", ORG)
        await connection.execute(
            "INSERT INTO branches (org_id, id, code, name, state) VALUES ($1, 'b1', 'RJK', $1, 'Gujarat')", ORG
        )
        await connection.execute("UPDATE roles SET codes = codes || '{branch.read_all,branch.write_all}'::text[]")
    return database


def partner(name: str) -> dict[str, Any]:
    return {"branch_id": "b1", "legal_name": name, "kind": '["buyer"]'}


async def run(database: Database, statement: str, *values: Any) -> Any:
    async with database.acquire_everywhere() as connection:
        return await connection.fetchval(statement, *values)


async def partners(database: Database) -> list[str]:
    async with database.acquire_everywhere() as connection:
        found = await connection.fetch("SELECT legal_name FROM business_partners ORDER BY legal_name")
    return [row["legal_name"] for row in found]


# --- By the refresh token ---------------------------------------------------------------------------------------------


async def refreshed(device: Phone) -> int:
    return (await device.client.refresh())[0]


async def into_the_past(database: Database) -> None:
    """Let what was done just now be more than the minute ago in which a lost answer is made up for."""
    async with database.acquire_everywhere() as connection:
        await connection.execute("UPDATE refresh_token SET used_at = used_at - interval '2 minutes'")


@pytest.mark.parametrize("first", ["the original", "the copy"])
async def test_two_copies_of_a_session_are_found_out_by_the_second_refresh_and_both_must_log_in(
    house: Database, server: Server, first: str
) -> None:
    original = await phone(server, "asha", "phone-1")
    original.replica.create("business_partners", partner("Offline"))
    copy = original.copy()
    one, other = (original, copy) if first == "the original" else (copy, original)

    assert await refreshed(one) == 200
    await one.sync()
    await into_the_past(house)
    assert await refreshed(other) == 401

    assert await refreshed(one) == 401, "which of them is the thief cannot be told"
    assert server.app is not None
    server.app[keys.SESSIONS].forget(ORG, [one.client.grant["session_id"]])  # as 4 s would
    assert [await refusal(device.sync()) for device in (one, other)] == ["401 session_ended"] * 2
    assert await run(house, "SELECT count(*) FROM security_event WHERE kind = 'refresh_reused'") == 1
    await other.login("asha")
    await other.sync()
    assert await refusal(one.sync()) == "401 session_ended", "one installation has one session"
    assert await partners(house) == ["Offline"], "what both copies held has had its effect once"
    assert other.replica.has_unsynced_changes() is False


# --- By the number of a push ------------------------------------------------------------------------------------------


async def numbered(server: Server) -> Phone:
    made = await Phone(server, "phone-1").login("asha")
    made.pushes = 0
    await made.sync()
    return made


async def push_of(device: Phone, name: str) -> None:
    device.replica.create("business_partners", partner(name))
    await device.sync()


async def test_an_installation_that_numbers_its_pushes_goes_on_as_any_other(house: Database, server: Server) -> None:
    asha = await numbered(server)

    for name in ("A", "B", "C"):
        await push_of(asha, name)

    assert await partners(house) == ["A", "B", "C"]
    assert await run(house, "SELECT push_counter FROM device WHERE id = 'phone-1'") == 3


@pytest.mark.parametrize("ahead", [1, 3])
async def test_the_second_copys_first_push_is_refused_and_shuts_the_device_out(
    house: Database, server: Server, ahead: int
) -> None:
    original = await numbered(server)
    await push_of(original, "Before")
    copy = original.copy()
    for n in range(ahead):
        await push_of(original, f"Of the original {n}")
    copy.replica.create("business_partners", partner("Of the copy"))

    assert await refusal(copy.sync()) == "409 device_forked"

    assert "Of the copy" not in await partners(house)
    assert await run(house, "SELECT state FROM device WHERE id = 'phone-1'") == "revoked"
    assert await run(house, "SELECT count(*) FROM security_event WHERE kind = 'device_forked'") == 1
    for device in (original, copy):
        assert await refusal(device.sync()) == "401 session_ended"
        assert await refreshed(device) == 401
    await copy.login("asha")
    assert await refusal(copy.sync()) == "409 cursor_of_another", "it begins anew"
    copy.replica.reset()
    await copy.sync()
    await push_of(copy, "Anew")
    assert "Anew" in await partners(house)


async def test_a_push_whose_answer_was_lost_is_repeated_with_its_number(house: Database, server: Server) -> None:
    asha = await numbered(server)
    asha.replica.create("business_partners", partner("A"))
    local = asha.replica.collect()
    assert local is not None

    for _ in range(3):
        await asha.replica.push(local)
    await push_of(asha, "B")

    assert await partners(house) == ["A", "B"]
    assert asha.pushes == 2


async def test_a_push_that_was_not_applied_may_come_again_with_its_number(house: Database, server: Server) -> None:
    asha, bela = await numbered(server), await phone(server, "bela", "phone-2")
    await push_of(asha, "A")
    await asha.sync()
    await bela.sync()
    (id,) = asha.replica.rows("business_partners")
    asha.replica.update("business_partners", id, {"trade_name": "of asha"})
    bela.replica.update("business_partners", id, {"trade_name": "of bela"})
    local = asha.replica.collect()
    assert local is not None
    await bela.sync()

    for _ in range(2):
        assert await refusal(asha.replica.push(local)) == "409 conflict"
    await asha.sync()

    assert await run(house, "SELECT trade_name FROM business_partners") == "of asha"
    assert asha.pushes == 3


async def test_a_push_that_was_overtaken_on_its_way_is_no_fork(
    house: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It timed out on the phone, which pushed anew; the server comes to it only now."""
    asha = await numbered(server)
    held, go_on = asyncio.Event(), asyncio.Event()
    count = registry.count_pushes

    async def slowly(connection: Any, org_id: str, pushes: Any) -> Any:
        if pushes[0].counter == 1:
            held.set()
            await go_on.wait()
        return await count(connection, org_id, pushes)

    monkeypatch.setattr(registry, "count_pushes", slowly)
    late = asyncio.create_task(asha.client.ask("POST", "/sync?last_pulled_at=null", {}, **{"Cotton-Push-Counter": "1"}))
    await held.wait()
    changes = {"business_partners": {"created": [{"id": "x", **partner("Anew")}]}}
    newer = await asha.client.ask("POST", "/sync?last_pulled_at=null", changes, **{"Cotton-Push-Counter": "2"})
    go_on.set()

    assert newer[0] == 200
    status, problem = await late
    assert (status, problem["code"]) == (503, "busy")
    assert await run(house, "SELECT state FROM device WHERE id = 'phone-1'") == "active"
    assert await asha.client.is_in() == 200


async def test_of_pushes_of_several_copies_at_the_same_moment_one_is_applied(house: Database, server: Server) -> None:
    original = await numbered(server)
    copies = [original.copy() for _ in range(4)]
    for n, copy in enumerate(copies):
        copy.replica.create("business_partners", partner(f"Of copy {n}"))

    outcomes = await asyncio.gather(*(refusal(copy.sync()) for copy in copies))

    assert outcomes.count("200") == 1
    assert len(await partners(house)) == 1
    again = [await refusal(push_of(copy, "Again")) for copy in copies]
    assert "409 device_forked" in (*outcomes, *again), "who merely came a moment too late is found out by the next"
    assert again[-1] in ("409 device_forked", "401 session_ended")


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "x", "", "1" * 16])
async def test_a_number_that_is_none_is_an_error_of_the_app(house: Database, server: Server, said: str) -> None:
    asha = await phone(server, "asha", "phone-1")

    status, problem = await asha.client.ask("POST", "/sync?last_pulled_at=5", {}, **{"Cotton-Push-Counter": said})

    assert (status, problem["code"]) == (400, "bad_parameter")


async def test_copies_that_number_nothing_go_on_and_have_no_effect_twice(house: Database, server: Server) -> None:
    original = await phone(server, "asha", "phone-1")
    original.replica.create("business_partners", partner("Offline"))
    copy = original.copy()

    await original.sync()
    await copy.sync()

    assert await partners(house) == ["Offline"]


async def test_the_tests_notice_a_server_that_does_not_count(
    house: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def any_number(_connection: Any, _org_id: str, pushes: Any) -> frozenset[str]:
        return frozenset(push.device_id for push in pushes)

    monkeypatch.setattr(registry, "count_pushes", any_number)

    with pytest.raises(AssertionError):
        await test_the_second_copys_first_push_is_refused_and_shuts_the_device_out(house, server, 1)
