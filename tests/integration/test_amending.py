"""An approved amendment changes the terms of its trade, in one unit: whoever approves, however, and whatever else happens."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine.amending import AMENDING
from sync_server.engine.lanes import _take, _Waiting
from sync_server.store.database import Database
from tests.harness.world import House, records, request, trade

PRICE = {"price_per_candy": 61_000, "bales": 40}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p", "seller")
    await settled.run("UPDATE business_partners SET state = 'approved'")
    await settled.push(settled.actor(), None, {"trades": {"created": [trade("t", "p", "seller", state="confirmed")]}})
    assert await settled.issues() == []
    return settled


def amendment(id: str = "a", proposed: dict[str, Any] = PRICE, **values: Any) -> dict[str, Any]:
    return {"id": id, "trade_id": "t", "proposed": json.dumps(proposed), "reason": "Agreed by telephone", **values}


async def send(house: House, user: str = "agent1", *, phone: str = "phone1", **lists: Any) -> dict[str, str]:
    """Push amendments; give why they were refused: id -> reason code."""
    await house.push(house.actor(user, phone), await house.clock(), {"amendments": lists})
    found = {issue["record_id"]: issue["reason_code"] for issue in await house.issues()}
    await house.run("DELETE FROM sync_issues")
    return found


async def the_trade(house: House) -> dict[str, Any]:
    return (await house.truth("trades"))["t"]


async def test_approval_writes_the_terms_and_what_follows_from_them(house: House) -> None:
    assert await send(house, created=[amendment()]) == {}
    before = await the_trade(house)
    assert (before["price_per_candy"], before["bales"]) == (62_500.5, 50), "a proposal changes nothing"

    assert await send(house, updated=[{**amendment(), "state": "approved"}]) == {}

    after = await the_trade(house)
    assert (after["price_per_candy"], after["bales"], after["state"]) == (61_000, 40, "confirmed")
    assert after["amount"] < before["amount"]
    buyer = (await house.truth("business_partners"))["p"]
    assert buyer["exposure"] == pytest.approx(after["amount"] + after["tax_amount"])


async def test_phone_that_made_and_approved_it_without_a_signal_gets_the_trade(house: House) -> None:
    phone = house.actor()
    cursor = (await house.pull(phone))["timestamp"]

    await house.push(phone, cursor, {"amendments": {"created": [amendment(state="approved")]}})
    pulled = await house.pull(phone, cursor)

    assert await house.issues() == []
    assert records(pulled, "trades")["t"]["price_per_candy"] == 61_000


async def test_note_beside_the_approval_is_kept(house: House) -> None:
    await send(house, created=[amendment()])
    changes = {
        "amendments": {"updated": [{**amendment(), "state": "approved", "_changed": "state"}]},
        "trades": {"updated": [{"id": "t", "remarks": "noted beside it", "_changed": "remarks"}]},
    }

    await house.push(house.actor(), await house.clock(), changes)

    after = await the_trade(house)
    assert (after["price_per_candy"], after["bales"], after["remarks"]) == (61_000, 40, "noted beside it")


async def test_terms_stay_locked_to_every_other_change(house: House) -> None:
    changes = {
        "amendments": {"created": [amendment(state="approved", proposed={"bales": 40})]},
        "trades": {"updated": [{"id": "t", "price_per_candy": 1}]},
    }
    await house.push(house.actor(), await house.clock(), changes)

    assert (await the_trade(house))["price_per_candy"] == 62_500.5
    assert (await the_trade(house))["bales"] == 50, "what came with a change that is refused is refused with it"
    assert {issue["reason_code"] for issue in await house.issues()} & {"locked", "amends_unsettled"}


async def test_approval_that_would_break_a_rule_of_the_trade_is_refused_with_its_reason(house: House) -> None:
    await house.run("UPDATE business_partners SET credit_limit = 10000000 WHERE id = 'p'")

    await house.push(
        house.actor(),
        await house.clock(),
        {"amendments": {"created": [amendment("a", {"buyer_id": "seller"}, state="approved")]}},
    )

    (issue,) = await house.issues()
    assert "Buyer and seller are the same partner" in issue["sentence"]
    assert await house.ids("amendments") == []
    assert (await the_trade(house))["buyer_id"] == "p"


@pytest.mark.parametrize(
    ("proposed", "code"),
    [
        ({"remarks": "x"}, "not_a_term"),
        ({"bales": "many"}, "bad_term"),
        ({"bales": None}, "bad_term"),
        ({}, "nothing_proposed"),
    ],
)
async def test_what_is_no_term_changes_nothing(house: House, proposed: dict[str, Any], code: str) -> None:
    assert await send(house, created=[amendment("a", proposed, state="approved")]) == {"a": code}
    assert (await the_trade(house))["bales"] == 50


async def test_whoever_may_not_bind_the_house_may_propose_and_not_approve(house: House) -> None:
    codes = "{desk.read,desk.write,partner.read,sync.use,branch.read_all,branch.write_all}"
    await house.fetch(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'clerk', 'Clerk', $2)",
        house.org_id,
        codes.strip("{}").split(","),
    )
    await house.employ("clerk", "clerk")
    await house.settle_holds(house.actor("clerk", "clerks"))

    assert await send(house, "clerk", phone="clerks", created=[amendment()]) == {}
    assert await send(house, "clerk", phone="clerks", updated=[{**amendment(), "state": "approved"}]) == {
        "a": "not_allowed"
    }
    assert (await the_trade(house))["bales"] == 50


async def test_approved_once_it_is_not_applied_again(house: House) -> None:
    await send(house, created=[amendment(state="approved")])
    await house.run("UPDATE trades SET bales = 45")

    assert await send(house, updated=[{**amendment(), "state": "approved"}]) == {}
    assert (await the_trade(house))["bales"] == 45


async def test_edits_and_an_approval_at_once_both_count(house: House) -> None:
    cursor = await house.clock()
    edit = {"trades": {"updated": [{"id": "t", "remarks": "road closed", "_changed": "remarks"}]}}

    await asyncio.gather(
        house.push(house.actor("agent1", "phone1"), cursor, {"amendments": {"created": [amendment(state="approved")]}}),
        house.push(house.actor("agent2", "phone2"), cursor, edit),
    )

    after = await the_trade(house)
    assert (after["bales"], after["remarks"]) == (40, "road closed")
    assert await house.issues() == []


async def test_push_with_an_amendment_shares_its_transaction_with_no_other(house: House) -> None:
    def waiting(changes: Any) -> _Waiting:
        asked = request(None, changes)
        return _Waiting(asked, asked.submission(house.actor()), asyncio.get_running_loop().create_future())

    plain = {"trades": {"updated": [{"id": "t", "remarks": "x"}]}}
    other = {"trades": {"updated": [{"id": "u", "remarks": "x"}]}}
    queue = deque([waiting(plain), waiting({"amendments": {"created": [amendment()]}}), waiting(other)])

    assert {"amendments"} == AMENDING
    assert [len(_take(queue)) for _ in range(3)] == [1, 1, 1]
