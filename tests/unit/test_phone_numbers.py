"""Telephone numbers that codes go to: one spelling each, only to mobiles of the countries that are allowed."""

from __future__ import annotations

import pytest

from sync_server.identity.phone_numbers import UnusableNumber, masked, prefix_of, read_number

HOME = frozenset({"91"})


@pytest.mark.parametrize(
    "typed", ["9825012345", "09825012345", "+919825012345", "+91 98250-12345", " (+91) 98250 12345 ", "00919825012345"]
)
def test_spellings_of_a_number_are_one(typed: str) -> None:
    assert read_number(typed, HOME) == "+919825012345"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "not a telephone number"),
        ("asha", "not a telephone number"),
        ("98250", "no such"),
        ("9825012345" + "0" * 40, "not a telephone number"),
        ("+971501234567", "only to +91"),
        ("+912226543210", "not a mobile"),
        ("+911800110001", "not a mobile"),
    ],
)
def test_what_no_code_can_go_to_is_told(typed: str, why: str) -> None:
    with pytest.raises(UnusableNumber, match=why.replace("+", r"\+")):
        read_number(typed, HOME)


def test_other_countries_can_be_allowed() -> None:
    assert read_number("+971501234567", HOME | {"971"}) == "+971501234567"


def test_numbers_that_are_sold_together_are_counted_together() -> None:
    assert prefix_of("+919825012345") == prefix_of("+919825099999")
    assert prefix_of("+919825012345") != prefix_of("+919826012345")


def test_what_is_shown_of_a_number_does_not_tell_it() -> None:
    assert masked("+919825012345") == "…45"
