"""Tax numbers, plates and telephones: agreement with python-stdnum, and what it does not know."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.in_ import gstin as stdnum_gstin
from stdnum.in_ import pan as stdnum_pan

from erp_core.identifiers import PLATE_STATES, is_gstin, is_pan, is_phone_number, is_vehicle_number, pan_of, state_of
from erp_core.india import GST_STATES, STATE_NAMES

BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PANS = st.from_regex(re.compile(r"[A-Z]{3}[ABCFGHLJPTK][A-Z][0-9]{4}[A-Z]"), fullmatch=True)


@st.composite
def gstins(draw: st.DrawFn) -> str:
    """Numbers of the right form and with the right check digit; code, PAN and serial may still be wrong."""
    body = (
        draw(st.from_regex(re.compile(r"[0-4][0-9]"), fullmatch=True))
        + draw(PANS)
        + draw(st.sampled_from(BASE_36))
        + "Z"
    )
    return body + luhn.calc_check_digit(body, BASE_36)


@given(st.one_of(PANS, st.from_regex(re.compile(r"[A-Z]{5}[0-9]{4}[A-Z]"), fullmatch=True), st.text(max_size=11)))
def test_pan_agrees_with_stdnum(number: str) -> None:
    assert is_pan(number) == (stdnum_pan.is_valid(number) and stdnum_pan.compact(number) == number)


@given(gstins())
def test_gstin_agrees_with_stdnum_where_it_knows_the_state(number: str) -> None:
    if number[:2] == "38":
        assert not stdnum_gstin.is_valid(number), "stdnum knows Ladakh by now: is_gstin can be stdnum.in_.gstin"
    else:
        assert is_gstin(number) == stdnum_gstin.is_valid(number)


@given(gstins(), st.integers(0, 14), st.sampled_from(BASE_36))
def test_one_wrong_character_is_noticed(number: str, place: int, other: str) -> None:
    """Luhn mod 36 notices every single wrong character."""
    if is_gstin(number) and number[place] != other:
        assert not is_gstin(number[:place] + other + number[place + 1 :])


@pytest.mark.parametrize(
    "number", ["", " 27AAPFU0939F1ZV", "27AAPFU0939F1ZV\n", "27aapfu0939f1zv", "27-AAPFU0939F-1ZV", "२७AAPFU0939F1ZV"]
)
def test_numbers_have_one_spelling(number: str) -> None:
    """stdnum strips separators; here two spellings of one number would pass for two partners."""
    assert not is_gstin(number)


def test_gstin_says_whose_and_where_it_is() -> None:
    assert (pan_of("27AAPFU0939F1ZV"), state_of("27AAPFU0939F1ZV"), state_of("99")) == (
        "AAPFU0939F",
        "Maharashtra",
        None,
    )


def test_every_state_has_a_code() -> None:
    assert [int(code) for code in GST_STATES] == list(range(1, 39))
    assert len(STATE_NAMES) == 36, "28 states and 8 union territories since 26 January 2020"


@pytest.mark.parametrize("plate", ["GJ03BT4471", "MH12A1", "DL1CAB1234", "TS09EZ0001", "22BH1234AA", "GJ011"])
def test_plates_of_lorries_are_known(plate: str) -> None:
    assert is_vehicle_number(plate)


@pytest.mark.parametrize(
    "plate", ["", "GJ03BT0000", "GJ03BT44711", "gj03bt4471", "GJ 03 BT 4471", "ZZ03BT4471", "22BH1234IO"]
)
def test_other_writings_are_not_plates(plate: str) -> None:
    assert not is_vehicle_number(plate)


def test_every_state_has_letters_for_its_plates() -> None:
    assert len(PLATE_STATES) == 36 + 4, "one each, and a second for DD, OR, TS and UA"


@pytest.mark.parametrize("number", ["+919825012345", "+912812345678", "+6598765432", "+12025550123"])
def test_telephones_of_all_countries_are_known(number: str) -> None:
    assert is_phone_number(number)


@pytest.mark.parametrize(
    "number", ["9825012345", "+9198250123456", "+910825012345", "+91 98250 12345", "+0123456789", "+"]
)
def test_other_writings_are_not_telephones(number: str) -> None:
    assert not is_phone_number(number)
