"""Commands over REST: a step by its name does what the same change does, no more and to nobody else (erp_core/commands.py).

Planted at the end: a command that does not look at the state, and a count that is read before the record is held.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from erp_core.access import ROLES
from erp_core.commands import BY_ENTITY_AND_NAME, COMMANDS, Command
from erp_core.makers import MAKERS
from sync_server.engine import commanding
from tests.harness.office import EXAMPLES, Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.entity.name}.{c.name}")
SENT: dict[str, Any] = {"bales": 10}
"""What is given to a command that asks for something."""


async def placed(clerk: Clerk, house: House, command: Command, id: str, state: str) -> None:
    """Make a record and put it, past all rules, into a state."""
    unique = {"pan": None, "gstin": None, "phone": None}
    body = {name: value for name, value in EXAMPLES[command.entity.table][0].items() if name not in unique}
    if command.entity.name == "offer":  # an accepted one closes its negotiation, so each has its own
        talk = await clerk.ask("POST", "/negotiations", {**EXAMPLES["negotiations"][0], "id": f"of-{id}"})
        body["negotiation_id"] = talk.json["id"]
    made = await clerk.ask("POST", f"/{command.entity.table}", {"id": id, **body})
    assert made.status == 201, made.json
    await house.run(f"UPDATE {command.entity.table} SET {command.machine} = '{state}' WHERE id = '{id}'")


def given(command: Command) -> dict[str, Any]:
    return {name: SENT[name] for name in (parameter.name for parameter in command.parameters)}


async def do(clerk: Clerk, command: Command, id: str, body: Any = None, **headers: str) -> Answer:
    return await clerk.ask("POST", f"/{command.entity.table}/{id}/{command.name}", body, **headers)


def verdict(answer: Answer) -> tuple[int, list[str]]:
    return answer.status, sorted(answer.reasons)


DIFFER = ("id", "created_at", "updated_at", "code", "negotiation_id")


def contents(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what two records of one kind differ in."""
    return {name: value for name, value in record.items() if name not in DIFFER}


# --- One command, one change ------------------------------------------------------------------------------------------


@EVERY_COMMAND
async def test_command_and_the_same_change_by_patch_get_the_same_verdict(
    clerk: Clerk, house: House, command: Command
) -> None:
    for number, start in enumerate(command.starts):
        one, other = f"one{number}", f"other{number}"
        await placed(clerk, house, command, one, start)
        (row,) = await house.fetch(f"SELECT * FROM {command.entity.table} WHERE id = '{one}'")
        written = command.writes({**row}, given(command))

        commanded = await do(clerk, command, one, given(command))
        await house.run(f"DELETE FROM {command.entity.table} WHERE id = '{one}'")  # else the other would not be alone
        await placed(clerk, house, command, other, start)
        patched = await clerk.ask("PATCH", f"/{command.entity.table}/{other}", dict(written))

        assert verdict(commanded) == verdict(patched), (commanded.json, patched.json)
        if commanded.status == 200:
            assert contents(commanded.json) == contents(patched.json)
            assert commanded.json[command.machine] == written[command.machine]


@EVERY_COMMAND
async def test_command_is_not_done_in_any_other_state_and_says_what_can_be(
    clerk: Clerk, house: House, command: Command
) -> None:
    others = [s for s in command.entity.machines[command.machine].words if s not in command.starts]
    for number, state in enumerate(others):
        await placed(clerk, house, command, f"placed{number}", state)
        before = await house.clock()

        refused = await do(clerk, command, f"placed{number}", given(command))

        assert (refused.status, refused.reasons) == (422, ["wrong_state"]), refused.json
        assert f"is {state}, so one cannot {command.name} it" in refused.json["detail"]
        assert await house.clock() == before


@pytest.mark.parametrize("role", ROLES)
async def test_command_admits_whom_it_names_and_nobody_else(server: Server, house: House, role: str) -> None:
    await house.employ("somebody", role, **({"partner_id": "p1"} if ROLES[role].external else {}))
    clerk = await at_desk(server, house, "somebody")

    for command in COMMANDS:
        answer = await do(clerk, command, "nobody", given(command))
        admitted = bool({*ROLES[role].codes, "own"} & set(command.needs))
        assert (answer.status == 403) is not admitted or answer.status == 404, (command.name, answer.json)


async def test_catalogue_names_every_command_with_what_it_takes(clerk: Clerk) -> None:
    listed = (await clerk.ask("GET", "/commands")).json["commands"]

    known = [(c.entity.table, c.name) for c in COMMANDS] + [(m.entity.table, m.name) for m in MAKERS]
    assert [(c["table"], c["name"]) for c in listed] == known
    assert {c["name"]: c["makes"] for c in listed if c["table"] == "trades" and c["makes"]} == {
        "propose": "amendments",
        "schedule": "dispatches",
        "invoice": "invoices",
        "settle": "invoices",
    }
    reserve = next(c for c in listed if c["name"] == "reserve")
    assert reserve["parameters"] == [{"name": "bales", "type": "number", "required": True, "help": "how many bales"}]
    assert (reserve["from"], reserve["to"], reserve["needs"]) == (["active", "reserved"], "reserved", ["desk.write"])


# --- A lot, a lorry, a partner ----------------------------------------------------------------------------------------


async def test_lot_is_published_reserved_and_sold_bale_by_bale(clerk: Clerk) -> None:
    lot = {**EXAMPLES["availabilities"][0], "id": "lot"}
    await clerk.ask("POST", "/availabilities", lot)
    steps = [
        ("publish", None, "active", 0, 0),
        ("reserve", 30, "reserved", 30, 0),
        ("reserve", 20, "reserved", 50, 0),
        ("sell", 40, "reserved", 10, 40),
        ("sell", 20, "active", 0, 60),
        ("sell", 40, "sold", 0, 100),
    ]
    for name, bales, state, reserved, sold in steps:
        done = await clerk.ask("POST", f"/availabilities/lot/{name}", None if bales is None else {"bales": bales})
        assert done.status == 200, done.json
        assert (done.json["state"], done.json["bales_reserved"], done.json["bales_sold"]) == (state, reserved, sold)
    refused = await clerk.ask("POST", "/availabilities/lot/sell", {"bales": 1})
    assert refused.json["detail"].endswith("nothing can be done with it any more.")


async def test_more_than_was_offered_is_not_sold(clerk: Clerk) -> None:
    refused = await clerk.ask("POST", "/availabilities/l1/reserve", {"bales": 101})

    assert refused.status == 422
    assert (await clerk.ask("GET", "/availabilities/l1")).json["bales_reserved"] == 0


async def test_lorry_is_loaded_sent_off_and_delivered(clerk: Clerk) -> None:
    await clerk.ask("POST", "/dispatches", {"id": "lorry", "trade_id": "t1"})
    refused = await clerk.ask("POST", "/dispatches/lorry/load", {"bales": 10})
    assert refused.reasons == ["incomplete"]

    loaded = {"vehicle_number": "GJ03AB1234", "bales": 10, "loaded_at": 1_795_000_000_000}
    assert (await clerk.ask("POST", "/dispatches/lorry/load", loaded)).json["state"] == "loaded"
    assert (await clerk.ask("POST", "/dispatches/lorry/depart")).json["state"] == "in_transit"
    done = await clerk.ask("POST", "/dispatches/lorry/deliver", {"arrived_at": 1_795_000_100_000})

    assert (done.json["state"], done.json["bales"], done.json["arrived_at"]) == ("delivered", 10, 1_795_000_100_000)


async def test_partner_is_submitted_by_whoever_trades_and_approved_by_a_manager(server: Server, house: House) -> None:
    await house.employ("trader1", "trader", branch_id="b1")
    await house.employ("manager1", "manager", branch_id="b1")
    trader, manager = await at_desk(server, house, "trader1"), await at_desk(server, house, "manager1")
    await trader.ask("POST", "/business_partners", {"id": "p9", **EXAMPLES["business_partners"][0]})

    assert (await trader.ask("POST", "/business_partners/p9/submit")).json["state"] == "submitted"
    assert (await trader.ask("POST", "/business_partners/p9/approve")).status == 403
    assert (await manager.ask("POST", "/business_partners/p9/verify_kyc")).json["kyc_state"] == "verified"
    assert (await manager.ask("POST", "/business_partners/p9/approve")).json["state"] == "approved"
    assert (await trader.ask("GET", "/business_partners/p9")).json["state"] == "approved"


# --- At once, again, and wrong ----------------------------------------------------------------------------------------


async def test_two_who_reserve_at_once_reserve_both(clerk: Clerk) -> None:
    path, body = "/availabilities/l1/reserve", {"bales": 10}

    done = await asyncio.gather(*(clerk.ask("POST", path, body) for _ in range(5)))

    assert {answer.status for answer in done} == {200}
    assert (await clerk.ask("GET", "/availabilities/l1")).json["bales_reserved"] == 50


async def test_command_that_is_sent_again_under_its_key_is_done_once(clerk: Clerk) -> None:
    ask = ("POST", "/availabilities/l1/reserve", {"bales": 10})
    first = await clerk.ask(*ask, Idempotency_Key="k1")
    second = await clerk.ask(*ask, Idempotency_Key="k1")

    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json
    assert (await clerk.ask("GET", "/availabilities/l1")).json["bales_reserved"] == 10


async def test_command_about_a_version_that_has_gone_is_not_done(clerk: Clerk) -> None:
    tag = (await clerk.ask("GET", "/availabilities/l1")).headers["ETag"]
    await clerk.ask("POST", "/availabilities/l1/reserve", {"bales": 10})

    stale = await clerk.ask("POST", "/availabilities/l1/expire", None, If_Match=tag)

    assert (stale.status, stale.json["code"]) == (412, "changed_meanwhile")


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "pointer"),
    [
        ("/availabilities/l1/reserve", {}, 422, "missing_field", "/bales"),
        ("/availabilities/l1/reserve", {"bales": "ten"}, 422, "wrong_type", "/bales"),
        ("/availabilities/l1/reserve", {"bales": 0}, 422, "invalid_value", "/bales"),
        ("/availabilities/l1/reserve", {"bales": 1, "kg": 170}, 422, "unknown_member", "/kg"),
        ("/availabilities/l1/reserve", [1], 422, "wrong_type", ""),
        ("/availabilities/l1/publish", {"state": "sold"}, 422, "unknown_member", "/state"),
        ("/availabilities/none/publish", {}, 404, "not_found", None),
        ("/availabilities/l1/explode", {}, 404, "not_found", None),
    ],
)
async def test_what_is_sent_wrong_is_pointed_at(
    clerk: Clerk, path: str, body: Any, status: int, code: str, pointer: str | None
) -> None:
    answer = await clerk.ask("POST", path, body)

    assert (answer.json["code"], answer.json.get("pointer")) == (code, pointer), answer.json
    assert answer.status // 100 == status // 100


# --- Planted ----------------------------------------------------------------------------------------------------------


async def test_planted_command_that_does_not_look_at_the_state_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Command, "speaks_against", lambda *_: iter(()))

    with pytest.raises(AssertionError):
        await test_command_is_not_done_in_any_other_state_and_says_what_can_be(
            clerk, house, BY_ENTITY_AND_NAME["availability", "publish"]
        )


async def test_planted_count_that_is_read_before_the_record_is_held_is_found(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(*_: object) -> None:
        await asyncio.sleep(0.05)

    monkeypatch.setattr(commanding, "lock", forget)

    with pytest.raises(AssertionError):
        await test_two_who_reserve_at_once_reserve_both(clerk)
