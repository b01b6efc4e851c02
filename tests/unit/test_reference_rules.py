"""What the office keeps (organisation, branches, units, places, commodities, varieties, settings), and issues."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp_core.entities.commodity import COMMODITY
from erp_core.entities.setting import SETTING
from erp_core.values import Unreadable
from tests.harness.rule_world import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("entity", "like"),
    [
        *(("organisation", "org"), ("branch", "rajkot"), ("unit", "candy"), ("unit", "piece"), ("location", "gondal")),
        *(("commodity", "lint"), ("variety", "shankar6"), ("setting", "printer")),
    ],
)
def test_sound_row_is_accepted(house: House, entity: str, like: str) -> None:
    assert house.judge_new(entity, like) == []


@pytest.mark.parametrize(
    ("entity", "like", "changes", "code"),
    [
        ("organisation", "org", {"pan": "ACUPA7085R"}, "gstin_of_other_pan"),
        ("organisation", "org", {"state": "Gujarat"}, "gstin_of_other_state"),
        ("branch", "rajkot", {"gstin": "27AAPFU0939F1ZV"}, "gstin_of_other_state"),
        ("branch", "rajkot", {"gstin": "27AAPFU0939F1ZA", "state": "Maharashtra"}, "bad_gstin"),
        ("unit", "candy", {"factor_to_base": Decimal("355.000000")}, "known_unit"),
        ("unit", "kg", {"dimension": "count"}, "known_unit"),
        ("location", "gondal", {"latitude": Decimal("21.96")}, "incomplete"),
        ("commodity", "lint", {"rate_unit_id": "piece"}, "units_do_not_compare"),
        ("variety", "shankar6", {"staple_min_mm": Decimal(30), "staple_max_mm": Decimal(28)}, "out_of_order"),
        ("variety", "shankar6", {"micronaire_min": Decimal(5), "micronaire_max": Decimal(4)}, "out_of_order"),
    ],
)
def test_row_that_breaks_a_rule_is_refused(
    house: House, entity: str, like: str, changes: dict[str, Any], code: str
) -> None:
    assert house.judge_new(entity, like, **changes) == [code]


def test_press_makes_bales_of_its_own_weight(house: House) -> None:
    assert house.judge_new("unit", "kg", code="bale", factor_to_base=Decimal("165.000000")) == []


def test_geohash_follows_from_the_coordinates(house: House) -> None:
    house.judge("location", "gondal", latitude=Decimal("57.649110"), longitude=Decimal("10.407440"), geohash="made up")
    assert house.rows["location"]["gondal"]["geohash"] == "u4pruydqq"

    house.judge("location", "gondal", latitude=None, longitude=None)
    assert house.rows["location"]["gondal"]["geohash"] is None


@pytest.mark.parametrize(
    ("hsn", "fits"), [("5201", True), ("520100", True), ("52010011", True), ("520", False), ("52010", False)]
)
def test_hsn_code_has_4_6_or_8_digits(hsn: str, fits: bool) -> None:
    """Notification 78/2020-Central Tax: 4 or 6 digits on invoices, 8 for export; the tariff has no odd lengths."""
    read = COMMODITY.by_name["hsn"].type.read
    if fits:
        assert read(hsn) == hsn
    else:
        with pytest.raises(Unreadable):
            read(hsn)


def test_percentage_is_between_0_and_100() -> None:
    read = COMMODITY.by_name["gst_rate_pct"].type.read
    assert [read(0), read(100)] == [Decimal("0.00"), Decimal("100.00")]
    for beyond in (-0.01, 100.01):
        with pytest.raises(Unreadable):
            read(beyond)


def test_setting_has_one_value_for_a_scope_and_a_key() -> None:
    assert SETTING.unique_keys == (("scope", "scope_id", "key"),)


# --- Issues -----------------------------------------------------------------------------------------------------------


def test_phone_closes_an_issue(house: House) -> None:
    assert house.codes("sync_issue", "issue", state="discarded") == []


def test_phone_changes_nothing_else_of_an_issue(house: House) -> None:
    (violation,) = house.judge("sync_issue", "issue", sentence="All is well.", state="discarded")
    assert (violation.code, set(violation.fields)) == ("made_by_the_server", {"sentence", "state"})


def test_phone_makes_no_issue_and_deletes_none(house: House) -> None:
    assert house.judge_new("sync_issue", "issue") == ["made_by_the_server"]
    assert house.deletion("sync_issue", "issue") == ["not_deletable"]
