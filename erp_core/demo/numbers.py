"""Numbers of the demo that carry a form: ids, PAN, GSTIN, phones, vehicles.

Owns: how they are made from a serial or from the seeded generator.
Must not know: which row they are for.
Invariant: two serials never give one PAN or one phone, without remembering any (tests/unit/test_demo.py).
"""

from __future__ import annotations

import string
from random import Random
from typing import Final

from stdnum import luhn

_ID_LETTERS: Final = string.ascii_letters + string.digits
_UPPER: Final = string.ascii_uppercase
_BASE_36: Final = string.digits + _UPPER

_PANS: Final = 26**3 * 9_999
_MOBILES: Final = 4_000_000_000
_STRIDE: Final = 1_999_993  # a prime that divides neither: serials become numbers that look drawn, and never meet


def new_id(rng: Random) -> str:
    """Make an id as WatermelonDB does: 16 letters and digits."""
    return "".join(rng.choices(_ID_LETTERS, k=16))


def pan(serial: int, holder: str, initial: str, rng: Random) -> str:
    """Make the PAN number `serial`: three letters, the kind of holder, the name's initial, four digits, a letter.

    The check letter's algorithm is not published (python-stdnum, stdnum.in_.pan), so any letter is well formed.
    """
    letters, digits = divmod(serial * _STRIDE % _PANS, 9_999)
    series = _UPPER[letters // 676] + _UPPER[letters // 26 % 26] + _UPPER[letters % 26]
    return f"{series}{holder}{initial}{digits + 1:04d}{rng.choice(_UPPER)}"


def gstin(state_code: str, of_pan: str) -> str:
    """Make the first registration of a PAN in a state, with its check digit (Luhn mod 36).

    >>> gstin("27", "AAPFU0939F")
    '27AAPFU0939F1ZV'
    """
    body = f"{state_code}{of_pan}1Z"
    return body + luhn.calc_check_digit(body, _BASE_36)


def mobile(serial: int) -> str:
    """Make the Indian mobile number `serial`: +91 and ten digits that begin with 6 to 9.

    >>> mobile(0)
    '+916000000000'
    """
    return f"+91{6_000_000_000 + serial * _STRIDE % _MOBILES}"


def vehicle(rng: Random, prefixes: tuple[str, ...]) -> str:
    """Make a lorry's registration, such as GJ03BT4471."""
    return f"{rng.choice(prefixes)}{rng.choice('ABTVX')}{rng.choice(_UPPER)}{rng.randint(1000, 9999)}"
