"""What a declaration says of a field holds for a push: ONCE, LOCKED, GUARDED, TALLY, references, uniques, groups.

The trade's own rules have tests of their own; here only what engine/judge.py, holders.py, world.py and follow.py do with
any declaration.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.database import Database
from tests.harness.world import House, contact, lot, partner, trade


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p", "q", "seller")
    return settled


async def reasons(house: House, changes: dict[str, Any], *, phone: str = "phone1") -> dict[str, str]:
    """Push; give why records were refused: id -> reason code."""
    await house.push(house.actor(phone=phone), await house.clock(), changes)
    found = {issue["record_id"]: issue["reason_code"] for issue in await house.issues()}
    await house.run("DELETE FROM sync_issues")
    return found


def updated(table: str, id: str, **values: Any) -> dict[str, Any]:
    return {table: {"updated": [{"id": id, **values}]}}


# --- How a field may change -------------------------------------------------------------------------------------------


async def test_once_is_given_once(house: House) -> None:
    await house.push(house.actor(), None, {"availabilities": {"created": [lot("lot", "seller")]}})

    assert await reasons(house, updated("availabilities", "lot", number="A-1")) == {}, "empty, so it may be given"
    assert await reasons(house, updated("availabilities", "lot", number="A-2")) == {"lot": "set_once"}
    assert await reasons(house, updated("availabilities", "lot", number="A-1")) == {}, "the same again is no change"
    assert (await house.truth("availabilities"))["lot"]["number"] == "A-1"


async def test_locked_is_open_until_the_predicate_holds(house: House) -> None:
    await house.push(house.actor(), None, {"trades": {"created": [trade("t", "p", "seller")]}})
    assert await reasons(house, updated("trades", "t", bales=60)) == {}
    await house.run("UPDATE trades SET state = 'confirmed'")

    assert await reasons(house, updated("trades", "t", bales=70)) == {"t": "locked"}
    assert await reasons(house, updated("trades", "t", remarks="a note is no term")) == {}
    assert (await house.truth("trades"))["t"]["bales"] == 60


async def test_guarded_moves_along_the_machine_only(house: House) -> None:
    assert await reasons(house, updated("business_partners", "p", state="submitted")) == {}
    await house.run("UPDATE business_partners SET state = 'inactive' WHERE id = 'q'")

    assert await reasons(house, updated("business_partners", "q", state="draft")) == {"q": "wrong_state"}
    assert await reasons(house, {"business_partners": {"created": [partner("new", state="suspended")]}}) == {
        "new": "wrong_state"
    }


async def test_tally_stays_within_its_bounds(house: House) -> None:
    await house.push(house.actor(), None, {"availabilities": {"created": [lot("lot", "seller", bales_offered=100)]}})

    assert await reasons(house, updated("availabilities", "lot", bales_reserved=100)) == {}
    assert await reasons(house, updated("availabilities", "lot", bales_reserved=101)) == {"lot": "out_of_bounds"}


async def test_required_field_is_needed_and_a_default_is_given(house: House) -> None:
    bare = {"id": "bare", "branch_id": "b1", "kind": '["buyer"]'}

    assert await reasons(house, {"business_partners": {"created": [bare]}}) == {"bare": "missing"}
    assert await reasons(house, {"business_partners": {"created": [{**bare, "legal_name": "Bare"}]}}) == {}
    assert (await house.truth("business_partners"))["bare"]["state"] == "draft"


# --- References and uniques -------------------------------------------------------------------------------------------


async def test_reference_to_nothing_is_refused(house: House) -> None:
    assert await reasons(house, updated("business_partners", "p", branch_id="nowhere")) == {"p": "unknown_reference"}
    assert await reasons(house, updated("business_partners", "p", location_id="nowhere")) == {"p": "unknown_reference"}


async def test_reference_to_a_record_of_the_same_push_holds_if_that_is_accepted(house: House) -> None:
    lots = [lot("good-lot", "good"), lot("bad-lot", "bad")]
    partners = [partner("good"), partner("bad", branch_id="nowhere")]

    found = await reasons(house, {"availabilities": {"created": lots}, "business_partners": {"created": partners}})

    assert found == {"bad": "unknown_reference", "bad-lot": "unknown_reference"}
    assert await house.ids("availabilities") == ["good-lot"]


async def test_record_that_others_name_is_not_deleted(house: House) -> None:
    await house.push(house.actor(), None, {"availabilities": {"created": [lot("lot", "seller")]}})

    assert await reasons(house, {"business_partners": {"deleted": ["seller", "q"]}}) == {"seller": "in_use"}
    assert await house.ids("business_partners") == ["p", "seller"]


async def test_unique_value_is_held_once_within_a_push_and_without(house: House) -> None:
    phone = "+919825012345"

    both = {"business_partners": {"updated": [{"id": id, "phone": phone} for id in ("p", "q")]}}
    assert await reasons(house, both) == {"q": "duplicate"}
    assert await reasons(house, updated("business_partners", "seller", phone=phone)) == {"seller": "duplicate"}
    assert await reasons(house, updated("business_partners", "p", phone=phone, trade_name="X")) == {}


async def test_records_of_a_push_may_pass_unique_values_on_and_a_refused_one_keeps_its_own(house: House) -> None:
    first, second, third = "+919825012345", "+919825012346", "+919825012347"
    given = [{"id": "p", "phone": first}, {"id": "q", "phone": second}]
    assert await reasons(house, {"business_partners": {"updated": given}}) == {}

    changed = [{"id": "q", "phone": first}, {"id": "seller", "phone": second}, {"id": "p", "phone": third}]
    assert await reasons(house, {"business_partners": {"updated": changed}}) == {}
    gone = {
        "created": [partner("new", phone=third)],
        "updated": [{"id": "q", "phone": second}],
        "deleted": ["p", "seller"],
    }
    assert await reasons(house, {"business_partners": gone}) == {}
    stays = {"created": [partner("b", phone=third)], "updated": [{"id": "new", "phone": None, "branch_id": "nowhere"}]}
    assert await reasons(house, {"business_partners": stays}) == {"new": "unknown_reference", "b": "duplicate"}

    held = {id: row["phone"] for id, row in (await house.truth("business_partners")).items()}
    assert held == {"new": third, "q": second}


async def test_unique_value_taken_by_two_phones_at_once_is_one_phones(house: House) -> None:
    cursor, phone = await house.clock(), "+919825012345"

    await asyncio.gather(
        *(house.push(house.actor(f"agent{n}", f"phone{n}"), cursor, updated("business_partners", id, phone=phone))
          for n, id in enumerate(("p", "q", "seller")))
    )  # fmt: skip

    holders = [id for id, row in (await house.truth("business_partners")).items() if row["phone"] == phone]
    assert len(holders) == 1
    assert len(await house.issues()) == 2


# --- Groups -----------------------------------------------------------------------------------------------------------


async def test_document_and_children_live_or_die_together(house: House) -> None:
    """In both directions; records of another document go their own way."""
    contacts = [contact("c1", "new"), contact("c2", "new", kind="no such kind"), contact("c3", "p")]

    found = await reasons(
        house, {"business_partners": {"created": [partner("new")]}, "partner_contacts": {"created": contacts}}
    )

    assert found == {"new": "refused_together", "c1": "refused_together", "c2": "unknown_choice"}
    assert await house.ids("partner_contacts") == ["c3"]
    assert "new" not in await house.ids("business_partners")


async def test_child_without_its_parent_in_the_push_is_judged_alone(house: House) -> None:
    contacts = [contact("c1", "p"), contact("c2", "p", kind="no such kind")]

    assert await reasons(house, {"partner_contacts": {"created": contacts}}) == {"c2": "unknown_choice"}
    assert await house.ids("partner_contacts") == ["c1"]


async def test_parent_that_belongs_to_nobody_takes_no_child(house: House) -> None:
    assert await reasons(house, {"partner_contacts": {"created": [contact("c", "nowhere")]}}) == {
        "c": "unknown_reference"
    }


# --- What only the office changes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["created", "updated", "deleted"])
async def test_what_phones_only_read_they_cannot_write(house: House, operation: str) -> None:
    record = {"id": "kg", "code": "kg", "name": "Mine", "dimension": "mass", "factor_to_base": 1}

    found = await reasons(house, {"units": {operation: ["kg" if operation == "deleted" else record]}})

    assert found == {"kg": "read_only"}
    assert (await house.truth("units"))["kg"]["name"] == "Kilogram"


async def test_derived_field_of_another_record_follows(house: House) -> None:
    """A partner's exposure is what its open trades come to, whichever phone changes them."""
    await house.push(house.actor(), None, {"trades": {"created": [trade("t", "p", "seller")]}})
    await house.run("UPDATE business_partners SET state = 'approved'")
    before = (await house.truth("business_partners"))["p"]["exposure"]

    assert await reasons(house, updated("trades", "t", state="confirmed")) == {}

    after = (await house.truth("business_partners"))["p"]["exposure"]
    assert (before, after > 0) == (0, True)
    assert await reasons(house, updated("trades", "t", state="cancelled")) == {}
    assert (await house.truth("business_partners"))["p"]["exposure"] == 0
