"""Clocks: when a change was authored, by the server's clock, out of what a device claims by its own.

A device's clock may be minutes or years off, may be set back between an edit and its sync, and may lie. So a claim only orders
changes of one field (policy `newest`), it is corrected by how far the clock is off as the device sends, and it is bounded:
never later than receipt, never from before there were such devices. How far the clock is off is known up to the time that the
request was under way: a small difference between two corrected moments of two devices means nothing, and need not, as any
order of them is a right one.

Owns: the correction and its bounds.
Must not know: what is ordered by it, and no clock: moments are handed in, in milliseconds since 1970.
Invariant: a claim is never dated after its receipt, and two claims of one device keep their order unless the bounds make
them equal (tests/properties/test_clocks.py).
"""

from __future__ import annotations

from typing import Any, Final

from conflict.policies import Stamp

EARLIEST_MS: Final = 1_577_836_800_000
"""1 January 2020, in UTC: before there was an app. A clock that starts from 1970 after the battery ran flat claims less."""

_EXACT_BELOW: Final = 2**53
"""A double holds whole numbers exactly up to it."""


def skew_ms(sent_at: int | None, received_at: int) -> int:
    """Say how far a device's clock is behind the server's; negative: it is ahead. `sent_at` None: it did not say, so zero.

    >>> skew_ms(1_700_000_000_000, 1_700_000_060_000)
    60000
    """
    return 0 if sent_at is None else received_at - sent_at


def authored(claimed: Any, skew: int, received_at: int, device: str) -> Stamp:
    """Date a change that a device says it made at `claimed`, by its own clock.

    A claim that is no moment, or that comes out before `EARLIEST_MS`, says nothing: the change is dated at its receipt.

    >>> authored(1_700_000_000_000, 60_000, 1_700_000_100_000, "phone")
    Stamp(at=1700000060000, device='phone')
    >>> authored(1_700_000_200_000, 0, 1_700_000_100_000, "phone")
    Stamp(at=1700000100000, device='phone')
    """
    if isinstance(claimed, bool) or not isinstance(claimed, (int, float)) or not 0 < claimed < _EXACT_BELOW:
        return Stamp(received_at, device)
    corrected = int(claimed) + skew
    if corrected < EARLIEST_MS:
        return Stamp(received_at, device)
    return Stamp(min(corrected, received_at), device)
