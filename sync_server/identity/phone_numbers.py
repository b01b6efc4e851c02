"""Telephone numbers that codes can be sent to: how they are spelt, and how they are counted and shown.

Owns: the one spelling of a number, E.164.
Must not know: whose number it is.
Invariant: two spellings of one number are one, and what is shown of a number does not tell it
(tests/unit/test_phone_numbers.py).
"""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

REGION: Final = "IN"
"""Where a number without a country code is."""

TYPED_MAX: Final = 40
"""Characters; E.164 has 15 digits, and people put blanks and brackets between them."""

PREFIX_DIGITS: Final = 4
"""Digits after the country code that numbers are counted together by. India's Numbering Plan gives operators blocks of a
million mobile numbers, which have the first four digits in common; so does who earns from traffic to numbers of theirs."""

_MOBILE: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


class UnusableNumber(ValueError):
    """No code can be sent to this number; the text says why, as a sentence."""


def read_number(typed: str, countries: frozenset[str]) -> str:
    """Give the E.164 spelling of a mobile number in one of `countries`, country codes. Raises `UnusableNumber`.

    >>> read_number("098250 12345", frozenset({"91"})), read_number("+91-98250-12345", frozenset({"91"}))
    ('+919825012345', '+919825012345')
    """
    try:
        number = phonenumbers.parse(typed[:TYPED_MAX], REGION)
    except NumberParseException as fault:
        raise UnusableNumber("This is not a telephone number.") from fault
    if len(typed) > TYPED_MAX or not phonenumbers.is_valid_number(number):
        raise UnusableNumber("There is no such telephone number.")
    if str(number.country_code) not in countries:
        raise UnusableNumber("Codes are not sent to this country: " + _shown(countries))
    if phonenumbers.number_type(number) not in _MOBILE:
        raise UnusableNumber("This is not a mobile number.")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _shown(countries: frozenset[str]) -> str:
    return "only to " + ", ".join(f"+{country}" for country in sorted(countries)) + "."


def prefix_of(number: str) -> tuple[str, str]:
    """Give the country code of a number, and the beginning that it is counted by.

    >>> prefix_of("+919825012345"), prefix_of("+971501234567")
    (('91', '+919825'), ('971', '+9715012'))
    """
    parsed = phonenumbers.parse(number)
    country, national = str(parsed.country_code), str(parsed.national_number)
    return country, f"+{country}{national[:PREFIX_DIGITS]}"


def masked(number: str) -> str:
    """Give what may be shown of a number.

    >>> masked("+919825012345")
    '…45'
    """
    return f"…{number[-2:]}"
