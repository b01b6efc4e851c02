"""A phone that passes from hand to hand: what one user filled it with is never another's to push or to go on with."""

from __future__ import annotations

from typing import Any

import pytest

from sync_server.store import registry
from sync_server.store.database import Database
from tests.harness.people import OTHER, settle
from tests.harness.phones import Phone, phone, refusal
from tests.harness.servers import Server


@pytest.fixture
async def house(database: Database) -> Database:
    """People, who write in every branch of two organisations."""
    await settle(database)
    async with database.acquire_everywhere() as connection:
        for org_id in ("org.1", "org.2"):
            await connection.execute("INSERT INTO organisations (org_id, id, legal_name) VALUES ($1, $1, $1)", org_id)
            await connection.execute(
                "INSERT INTO branches (org_id, id, code, name, state) VALUES ($1, 'b1', 'RJK', $1, 'Gujarat')", org_id
            )
        await connection.execute("UPDATE roles SET codes = codes || '{branch.read_all,branch.write_all}'::text[]")
    return database


def partner(name: str) -> dict[str, Any]:
    return {"branch_id": "b1", "legal_name": name, "kind": '["buyer"]'}


async def made_by(database: Database, name: str) -> list[str]:
    async with database.acquire_everywhere() as connection:
        found = await connection.fetch("SELECT created_by FROM business_partners WHERE legal_name = $1", name)
    return [row["created_by"] for row in found]


async def test_another_user_neither_pulls_nor_pushes_with_what_is_on_the_phone(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")
    device.replica.create("business_partners", partner("Of Asha"))
    local = device.replica.collect()
    assert local is not None
    await device.login("bela")

    assert await refusal(device.sync()) == "409 cursor_of_another"
    assert await refusal(device.replica.push(local)) == "409 cursor_of_another"

    assert await made_by(house, "Of Asha") == []
    device.replica.reset()
    await device.sync()
    device.replica.create("business_partners", partner("Of Bela"))
    await device.sync()
    await device.sync()
    assert await made_by(house, "Of Bela") == ["u2"]


async def test_who_filled_the_phone_may_log_in_again_and_goes_on(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")
    device.replica.create("business_partners", partner("Of Asha"))
    await device.login("bela")
    assert await refusal(device.sync()) == "409 cursor_of_another"

    await device.login("asha")
    await device.sync()

    assert await made_by(house, "Of Asha") == ["u1"]
    device.replica.create("business_partners", partner("Once more"))
    await device.sync()
    assert await made_by(house, "Once more") == ["u1"]


async def test_after_another_has_filled_the_phone_the_first_user_begins_anew(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")
    await device.login("bela")
    device.replica.reset()
    await device.sync()
    device.replica.create("business_partners", partner("Of Bela"))

    await device.login("asha")

    assert await refusal(device.sync()) == "409 cursor_of_another"
    device.replica.reset()
    await device.sync()
    assert await made_by(house, "Of Bela") == []


async def test_the_same_user_keeps_the_data_and_pushes_what_was_unsent_after_any_ending(
    house: Database, server: Server
) -> None:
    """Requirement 9: what is on the phone survives the session."""
    device = await phone(server, "asha", "phone-1")
    for n, ending in enumerate(("logout", "expiry", "login elsewhere")):
        device.replica.create("business_partners", partner(f"Offline {n}"))
        if ending == "logout":
            assert (await device.client.ask("POST", "/auth/logout"))[0] == 204
        elif ending == "expiry":
            async with house.acquire_everywhere() as connection:
                await connection.execute("UPDATE session SET expires_at = now()")
        else:
            await Phone(server, "phone-1").login("asha")
        assert (await device.client.refresh())[0] == 401
        assert device.replica.has_unsynced_changes()

        await device.login("asha")
        await device.sync()

        assert await made_by(house, f"Offline {n}") == ["u1"]
        assert len(device.replica.rows("business_partners")) == n + 1


async def test_a_shut_out_phone_forgets_whose_it_was(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")
    await device.login("bela")
    assert (await device.client.ask("POST", "/devices/phone-1/revoke"))[0] == 200

    await device.login("asha")

    assert await refusal(device.sync()) == "409 cursor_of_another"


async def test_a_request_that_names_another_device_is_refused(house: Database, server: Server) -> None:
    device = await phone(server, "asha", "phone-1")

    device.headers["Cotton-Device"] = "phone-2"
    assert await refusal(device.sync()) == "409 device_mismatch"
    device.replica.create("business_partners", partner("Of another device"))
    local = device.replica.collect()
    assert local is not None
    assert await refusal(device.replica.push(local)) == "409 device_mismatch"
    device.headers["Cotton-Device"] = "phone-1"
    await device.sync()

    assert await made_by(house, "Of another device") == ["u1"]


async def test_one_phone_serves_two_organisations_with_a_session_and_a_database_each(
    house: Database, server: Server
) -> None:
    """The same installation, the same telephone number, two employers."""
    async with house.acquire_everywhere() as connection:
        await connection.execute("UPDATE users SET phone = '+916100000001' WHERE username IN ('asha', 'ravi')")
        await connection.execute(
            "UPDATE users SET name = name WHERE org_id = 'org.1'"
        )  # one clock is ahead of the other
        await connection.execute("UPDATE users SET name = name WHERE org_id = 'org.1'")
    ours, theirs = await phone(server, "asha", "phone-1"), await phone(server, "ravi", "phone-1")

    for side, name in ((ours, "Ours"), (theirs, "Theirs")):
        side.replica.create("business_partners", partner(name))
        await side.sync()
        await side.sync()

    assert [row["name"] for row in ours.replica.rows("branches").values()] == ["org.1"]
    assert [row["name"] for row in theirs.replica.rows("branches").values()] == ["org.2"]
    async with house.acquire_everywhere() as connection:
        found = await connection.fetch("SELECT org_id, legal_name FROM business_partners ORDER BY org_id")
    assert [tuple(row) for row in found] == [("org.1", "Ours"), (OTHER, "Theirs")]
    assert (await theirs.client.ask("DELETE", "/auth/sessions"))[0] == 200
    await ours.sync()


async def test_a_cursor_of_another_organisation_is_refused_where_it_can_be_known(
    house: Database, server: Server
) -> None:
    ours = await phone(server, "asha", "phone-1")
    low = ours.replica.last_pulled_at
    async with house.acquire_everywhere() as connection:
        for _ in range(40):
            await connection.execute("UPDATE organisations SET legal_name = legal_name || '.' WHERE org_id = $1", OTHER)
    theirs = await phone(server, "ravi", "phone-1")
    high = theirs.replica.last_pulled_at

    assert low is not None
    assert high is not None
    path = "/sync?schema_version=1&last_pulled_at="
    assert (await theirs.client.ask("GET", f"{path}{low}"))[1]["code"] == "cursor_of_another"
    assert (await ours.client.ask("GET", f"{path}{high + 1000}"))[1]["code"] == "cursor_from_future"


async def test_a_login_that_names_no_device_is_not_asked_whose_its_cursor_is(house: Database, server: Server) -> None:
    first, second = Phone(server, ""), Phone(server, "")
    for device, user in ((first, "asha"), (second, "bela")):
        device.client.username = user
        assert (await device.client.login())[0] == 200
        await device.sync()
        await device.sync()


async def test_the_tests_notice_a_server_that_does_not_ask_whose_a_cursor_is(
    house: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def believe(*_: Any) -> bool:
        return True

    monkeypatch.setattr(registry, "was_held_by", believe)

    with pytest.raises(AssertionError):
        await test_another_user_neither_pulls_nor_pushes_with_what_is_on_the_phone(house, server)
