"""Identifiers that the state gives: whether a PAN, a GSTIN, a vehicle's plate or a telephone number can exist.

Owns: the checks that a pattern cannot make, on top of python-stdnum. What a pattern says in full (pincode, CIN, number of an
e-way bill) is in vocabulary.py.
Must not know: entities.
Invariant: agrees with stdnum.in_.gstin wherever that knows the state (tests/unit/test_identifiers.py).
"""

from __future__ import annotations

import re
from typing import Final

from stdnum import luhn
from stdnum.in_ import pan

from erp_core.india import GST_STATES

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLATE: Final = re.compile(r"([A-Z]{2})([0-9]{1,2})([A-Z]{0,3})([0-9]{1,4})")
_BHARAT_PLATE: Final = re.compile(r"[2-9][0-9]BH[0-9]{4}[A-HJ-NP-Z]{1,2}")
_INDIAN_PHONE: Final = re.compile(r"\+91[1-9][0-9]{9}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{7,14}")

PLATE_STATES: Final = frozenset(
    (
        *("AN", "AP", "AR", "AS", "BR", "CG", "CH", "DD", "DL", "DN", "GA", "GJ", "HP", "HR", "JH", "JK", "KA", "KL"),
        *("LA", "LD", "MH", "ML", "MN", "MP", "MZ", "NL", "OD", "OR", "PB", "PY", "RJ", "SK", "TG", "TN", "TR", "TS"),
        *("UA", "UK", "UP", "WB"),
    )
)
"""Letters at the head of a plate, those no longer given out included: lorries keep their plates. Source: notifications under
section 41(6) of the Motor Vehicles Act 1988 (LA since 2019, TG beside TS since 2024)."""


def is_pan(number: str) -> bool:
    """Say whether `number` is a possible permanent account number; its check letter's algorithm is not public.

    >>> is_pan("AAPFU0939F"), is_pan("AAPXU0939F")
    (True, False)
    """
    return number == pan.compact(number) and bool(pan.is_valid(number))


def is_gstin(number: str) -> bool:
    """Say whether `number` is a possible GST registration: state, PAN, entity number, 'Z', check digit (Luhn mod 36).

    Not stdnum.in_.gstin as a whole, because that does not know Ladakh (38).

    >>> is_gstin("27AAPFU0939F1ZV"), is_gstin("27AAPFU0939F1ZO")
    (True, False)
    """
    return (
        len(number) == 15
        and number[:2] in GST_STATES
        and is_pan(number[2:12])
        and number[12] in _ALPHABET[1:]
        and number[13] == "Z"
        and bool(luhn.is_valid(number, _ALPHABET))
    )


def pan_of(gstin: str) -> str:
    """Give the PAN of whoever holds a registration.

    >>> pan_of("27AAPFU0939F1ZV")
    'AAPFU0939F'
    """
    return gstin[2:12]


def state_of(gstin: str) -> str | None:
    """Give the state that a registration is for.

    >>> state_of("27AAPFU0939F1ZV")
    'Maharashtra'
    """
    return GST_STATES.get(gstin[:2])


def is_vehicle_number(number: str) -> bool:
    """Say whether `number` is a possible registration mark, written without spaces.

    The marks of a state (Central Motor Vehicles Rules 1989, rule 50) or of the Bharat series (rule 47, since 2021).

    >>> [is_vehicle_number(n) for n in ("GJ03BT4471", "22BH1234AA", "GJ-3 BT 4471", "XX03BT4471")]
    [True, True, False, False]
    """
    plate = _PLATE.fullmatch(number)
    if plate is None:
        return _BHARAT_PLATE.fullmatch(number) is not None
    return plate[1] in PLATE_STATES and int(plate[4]) > 0


def is_phone_number(number: str) -> bool:
    """Say whether `number` is a possible telephone number in the form of E.164.

    An Indian one has ten digits after +91, the area code included (Department of Telecommunications, National Numbering
    Plan 2003).

    >>> [is_phone_number(n) for n in ("+919825012345", "+6598765432", "+91982501234", "09825012345")]
    [True, True, False, False]
    """
    return (_INDIAN_PHONE if number.startswith("+91") else _PHONE).fullmatch(number) is not None
