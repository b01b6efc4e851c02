"""Partners, their addresses and contacts: tax numbers that agree, telephones, kinds, one primary, deletion."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from erp_core.entities.business_partner import BUSINESS_PARTNER, KYC
from tests.harness.rule_world import House

PAN, GSTIN = "AAPFU0939F", "27AAPFU0939F1ZV"


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("id", ["mill", "ginner", "broker", "lorries"])
def test_sound_partner_is_accepted(house: House, id: str) -> None:
    numbers = {"pan": PAN, "gstin": GSTIN, "address_state": "Maharashtra"}
    assert house.judge_new("business_partner", id, phone="+919825012345", email="desk@example.in", **numbers) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": ()}, "no_kind"),
        ({"pan": "AAPXU0939F"}, "bad_pan"),
        ({"gstin": "27AAPFU0939F1ZO"}, "bad_gstin"),
        ({"pan": "ACUPA7085R", "gstin": GSTIN}, "gstin_of_other_pan"),
        ({"gstin": GSTIN, "address_state": "Gujarat"}, "gstin_of_other_state"),
        ({"phone": "+91982501234"}, "malformed"),
        ({"email": "desk at example.in"}, "malformed"),
    ],
)
def test_partner_that_breaks_a_rule_is_refused(house: House, changes: dict[str, Any], code: str) -> None:
    assert house.judge_new("business_partner", "mill", **changes) == [code]


def test_partner_without_numbers_is_accepted(house: House) -> None:
    """A farmer has no GSTIN, and an agent may not have seen the card yet."""
    assert house.judge_new("business_partner", "mill", pan=None, gstin=None) == []


def test_odd_numbers_from_an_old_list_do_not_stop_an_edit(house: House) -> None:
    house.put("business_partner", "mill", pan="OLD", gstin="LIST", phone="none", email="?", kind=())
    assert house.codes("business_partner", "mill", trade_name="New Mill") == []


def test_tax_numbers_and_phone_are_held_once() -> None:
    assert {("pan",), ("gstin",), ("phone",)} <= set(BUSINESS_PARTNER.unique_keys)


def test_papers_that_were_verified_are_never_pending_again() -> None:
    assert BUSINESS_PARTNER.machines["kyc_state"] is KYC
    assert not KYC.reaches("verified", "pending")
    assert KYC.reaches("expired", "verified")


@pytest.mark.parametrize(
    ("state", "refusal"), [("draft", []), ("submitted", ["not_deletable"]), ("approved", ["not_deletable"])]
)
def test_only_a_draft_is_deleted(house: House, state: str, refusal: list[str]) -> None:
    house.put("business_partner", "mill", state=state)
    assert house.deletion("business_partner", "mill") == refusal


@pytest.mark.parametrize(
    ("entity", "id", "other_kind"),
    [
        ("partner_location", "gin", "billing"),
        ("partner_contact", "owner", "accounts"),
        ("partner_document", "pan", "licence"),
        ("partner_vehicle", "truck", "trailer"),
        ("partner_bank_account", "account", "savings"),
    ],
)
def test_partner_has_one_primary_of_a_kind(house: House, entity: str, id: str, other_kind: str) -> None:
    assert house.judge_new(entity, id, is_primary=False) == []
    assert house.codes(entity, "new", is_primary=True) == ["second_primary"]
    assert house.codes(entity, "new", kind=other_kind) == []


@pytest.mark.parametrize(
    ("entity", "id"),
    [
        *(("partner_location", "gin"), ("partner_contact", "owner"), ("partner_document", "pan")),
        *(("partner_vehicle", "truck"), ("partner_bank_account", "account")),
    ],
)
def test_primaries_of_two_partners_do_not_meet(house: House, entity: str, id: str) -> None:
    assert house.judge_new(entity, id, partner_id="mill") == []


def test_primary_changes_hands_in_one_push(house: House) -> None:
    """The world shows rows as they will be, so the order of the two changes does not matter."""
    house.put("partner_contact", "successor", **{**house.rows["partner_contact"]["owner"], "is_primary": False})
    house.put("partner_contact", "owner", is_primary=False)
    assert house.codes("partner_contact", "successor", is_primary=True) == []


def test_address_is_registered_under_the_partner_s_pan(house: House) -> None:
    house.put("business_partner", "ginner", pan="ACUPA7085R")
    changes = {"kind": "warehouse", "gstin": GSTIN, "state": "Maharashtra"}

    assert house.judge_new("partner_location", "gin", **changes) == ["gstin_of_other_pan"]
    house.put("business_partner", "ginner", pan=PAN)
    assert house.judge_new("partner_location", "gin", **changes) == []


def test_contact_has_a_telephone_that_exists(house: House) -> None:
    assert house.judge_new("partner_contact", "owner", kind="other", phone="+910825012345") == ["malformed"]


# --- Papers, lorries, accounts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entity", "id"), [("partner_document", "pan"), ("partner_vehicle", "truck")])
def test_papers_do_not_end_before_they_begin(house: House, entity: str, id: str) -> None:
    dates = {"valid_from": date(2026, 11, 2), "valid_until": date(2026, 11, 1)}

    assert house.codes(entity, id, **dates) == ["out_of_order"]
    assert house.codes(entity, id, valid_until=date(2026, 11, 2)) == []
    assert house.codes(entity, id, valid_until=None) == []


@pytest.mark.parametrize("number", ["GJ-3 BT 4471", "XX03BT4471", "GJ03BT0000"])
def test_lorry_has_a_registration_that_can_exist(house: House, number: str) -> None:
    assert house.codes("partner_vehicle", "truck", vehicle_number=number) == ["malformed"]


@pytest.mark.parametrize(
    "change", [{"account_number": "50100000000000"}, {"ifsc": "ICIC0000001"}, {"account_name": "Gin and Sons"}]
)
def test_verified_account_cannot_be_redirected(house: House, change: dict[str, Any]) -> None:
    assert house.codes("partner_bank_account", "account", bank_name="HDFC Bank", **change) == []
    house.put("partner_bank_account", "account", is_verified=True)

    was = {name: house.rows["partner_bank_account"]["account"][name] for name in change}
    other = {name: f"{value}9" for name, value in was.items()}
    assert house.codes("partner_bank_account", "account", **other) == ["verified"]
    assert house.deletion("partner_bank_account", "account") == ["not_deletable"]


def test_account_that_is_opened_again_is_corrected_at_once_or_later(house: House) -> None:
    house.put("partner_bank_account", "account", is_verified=True)

    assert house.codes("partner_bank_account", "account", is_verified=False, account_name="Gin and Sons") == []
    assert house.codes("partner_bank_account", "account", account_name="Gin") == []
    assert house.deletion("partner_bank_account", "account") == []
