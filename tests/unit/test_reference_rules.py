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


# --- Conversions and limits ---------------------------------------------------------------------------------------------


def conversion(house: House, unit: str, into: str, factor: str, commodity: str | None = None) -> list[str]:
    return house.codes(
        *("unit_conversion", f"{unit}-{into}-{commodity}"),
        from_unit_id=unit,
        to_unit_id=into,
        commodity_id=commodity,
        factor=Decimal(factor),
    )


def test_way_back_agrees_as_far_as_the_decimals_allow(house: House) -> None:
    assert conversion(house, "kg", "candy", "0.00281199") == []
    assert conversion(house, "kg", "candy", "0.00281201") == ["not_as_the_units", "not_both_ways"]


@pytest.mark.parametrize("factor", ["355.61", "355.63", "1"])
def test_conversion_agrees_with_the_units_themselves(house: House, factor: str) -> None:
    assert "not_as_the_units" in house.codes("unit_conversion", "in_kg", factor=Decimal(factor))


def test_conversion_of_one_commodity_is_what_its_press_makes_of_it(house: House) -> None:
    house.put("unit", "bale", code="bale", name="Bale", dimension="mass", factor_to_base=Decimal("170.000000"))

    assert conversion(house, "bale", "kg", "165") == ["not_as_the_units"]
    del house.rows["unit_conversion"]["bale-kg-None"]
    assert conversion(house, "bale", "kg", "165", "lint") == []
    assert conversion(house, "kg", "bale", "0.00588235", "lint") == ["not_both_ways"]
    assert conversion(house, "kg", "bale", "0.00606061", "lint") == []
    assert conversion(house, "kg", "bale", "0.00588235", "seed") == [], "of another commodity"


def test_units_of_two_dimensions_convert_for_one_commodity_only(house: House) -> None:
    assert conversion(house, "piece", "kg", "170") == ["units_do_not_compare"]
    assert conversion(house, "piece", "kg", "170", "lint") == []


def test_unit_is_not_converted_into_itself(house: House) -> None:
    assert conversion(house, "kg", "kg", "1") == ["one_unit"]


@pytest.mark.parametrize("commodity", [None, "lint"])
def test_units_are_converted_once(house: House, commodity: str | None) -> None:
    """The key of the table passes over an empty commodity; the rule does not."""
    house.put("unit_conversion", "in_kg", commodity_id=commodity)

    assert house.judge_new("unit_conversion", "in_kg") == ["already_there"]


def test_limits_of_a_variety_stand_beside_those_of_its_commodity(house: House) -> None:
    assert house.judge_new("quality_parameter", "staple", variety_id="shankar6") == []


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, ["already_there"]),
        ({"variety_id": "of_seed"}, ["variety_of_other_commodity"]),
        ({"variety_id": "shankar6", "limit_min": Decimal(32), "limit_max": Decimal(30)}, ["out_of_order"]),
        ({"parameter": "micronaire"}, ["not_measurable", "not_measurable"]),
        ({"parameter": "trash_pct", "limit_min": None, "limit_max": Decimal(31)}, ["not_measurable"]),
        ({"variety_id": "shankar6", "decimals": 2}, ["too_exact"]),
    ],
)
def test_limits_that_break_a_rule_are_refused(house: House, changes: dict[str, Any], codes: list[str]) -> None:
    assert house.judge_new("quality_parameter", "staple", **changes) == codes


def test_unit_of_a_parameter_follows_from_it(house: House) -> None:
    house.judge("quality_parameter", "staple", unit="made up")
    assert house.rows["quality_parameter"]["staple"]["unit"] == "mm"

    house.judge("quality_parameter", "staple", parameter="plus_b")
    assert house.rows["quality_parameter"]["staple"]["unit"] is None


# --- Issues -----------------------------------------------------------------------------------------------------------


def test_phone_closes_an_issue(house: House) -> None:
    assert house.codes("sync_issue", "issue", state="discarded") == []


def test_phone_changes_nothing_else_of_an_issue(house: House) -> None:
    (violation,) = house.judge("sync_issue", "issue", sentence="All is well.", state="discarded")
    assert (violation.code, set(violation.fields)) == ("made_by_the_server", {"sentence", "state"})


def test_phone_makes_no_issue_and_deletes_none(house: House) -> None:
    assert house.judge_new("sync_issue", "issue") == ["made_by_the_server"]
    assert house.deletion("sync_issue", "issue") == ["not_deletable"]
