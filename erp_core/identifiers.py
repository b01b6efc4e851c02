"""Identifiers that the state gives: whether a PAN or a GSTIN can exist, and what is written in it.

Owns: the checks that a pattern cannot make, on top of python-stdnum.
Must not know: entities.
Invariant: agrees with stdnum.in_.gstin wherever that knows the state (tests/unit/test_identifiers.py).
"""

from __future__ import annotations

from typing import Final

from stdnum import luhn
from stdnum.in_ import pan

from erp_core.india import GST_STATES

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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
