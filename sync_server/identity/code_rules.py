"""The rules of one-time codes: how many, for how long, how often; and when there are too many.

Owns: the numbers and the arithmetic; nothing here waits or writes.
Must not know: how anything is stored or sent.
Invariant: however requests and guesses are spread, a number gets `PER_DAY` codes in any 24 hours, and a code takes `TRIES`
guesses (tests/integration/test_codes.py).

The arithmetic. PER_DAY · TRIES = 50 guesses a day at one of a million: a code is guessed with a probability of 5e-5 a day,
below 1e-4, however many addresses guess. The other budgets are money: who earns from traffic to numbers of theirs asks for
codes to many (SMS pumping). They leak: each send fills its share of the window, and one that would overfill it waits.

OWASP ASVS 5.0, 6.6.2 and 6.6.3; OWASP API Security Top 10 2023, API6.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sync_server.identity.phone_numbers import prefix_of
from sync_server.store.codes import Asked, Earlier

DIGITS: Final = 6
LIFE: Final = timedelta(minutes=10)
TRIES: Final = 5
"""Guesses at one code."""

TRIES_PER_HOUR: Final = 10
"""Guesses at all codes of one number."""

RESEND_SECONDS: Final = 30
"""For which whoever asks again gets the same request: an answer that was lost on the way costs no second message."""

PER_HOUR: Final = 5
PER_DAY: Final = 10
"""Codes for one number."""

HOUR: Final = 3_600.0
DAY: Final = 86_400.0

PREFIX_PER_HOUR: Final = 300
"""Codes for numbers of one prefix in the countries where the house's own people are: the first of COTTON_CODE_COUNTRIES."""

FOREIGN_PREFIX_PER_HOUR: Final = 30
"""Codes for numbers of one prefix anywhere else."""

WITHIN: Final = timedelta(hours=1) + LIFE
"""A code that was tried in the last hour was asked for within this time."""


class TooManyCodes(Exception):
    """No code is sent, or tried, now; wait `seconds`. It is the same for a number that nobody has."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(f"wait {self.seconds} s")


def new_code() -> str:
    """Draw a code."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


@dataclass(frozen=True, slots=True)
class Budget:
    """How many may be sent in a window of so many seconds."""

    most: int
    window: float

    @property
    def share(self) -> float:
        """How many seconds of the window one send fills."""
        return self.window / self.most


def shared_budgets(number: str, home: str, everybody_per_day: int) -> Mapping[str, Budget]:
    """Name the budgets that a number shares with others; the most contended is locked last."""
    country, prefix = prefix_of(number)
    most = PREFIX_PER_HOUR if country == home else FOREIGN_PREFIX_PER_HOUR
    return {f"prefix {prefix}": Budget(most, HOUR), "everybody": Budget(everybody_per_day, DAY)}


def overfull(budgets: Mapping[str, Budget], filled: Mapping[str, float]) -> float:
    """Say how long to wait until everything fits, in seconds; 0: it does.

    >>> overfull({"a": Budget(10, 100.0)}, {"a": 100.0}), overfull({"a": Budget(10, 100.0)}, {"a": 103.5})
    (0.0, 3.5)
    """
    return max(0.0, *(filled[name] - budget.window for name, budget in budgets.items()))


def repeated(earlier: Sequence[Earlier], asker: str, session_id: str) -> Earlier | None:
    """Give the request that is being repeated, if one is."""
    for request in earlier:
        same = (request.asker, request.session_id) == (asker, session_id)
        if same and request.ago < RESEND_SECONDS and not request.used:
            return request
    return None


def wait_for_number(earlier: Sequence[Earlier]) -> float:
    """Say how long to wait before a number may get another code, in seconds; `earlier`: newest first.

    >>> few = [Earlier("", "", "", ago, 0.0) for ago in (60.0, 120.0, 180.0, 240.0)]
    >>> wait_for_number(few), wait_for_number([*few, Earlier("", "", "", 600.0, 0.0)])
    (0.0, 3000.0)
    """
    waits = [
        window - earlier[most - 1].ago for most, window in ((PER_HOUR, HOUR), (PER_DAY, DAY)) if len(earlier) >= most
    ]
    return max(0.0, *waits, 0.0)


def wait_for_tries(asked: Sequence[Asked]) -> float:
    """Say how long to wait before a code of this number may be tried, in seconds; `asked`: those of `WITHIN`."""
    if sum(request.tries for request in asked) < TRIES_PER_HOUR:
        return 0.0
    return WITHIN.total_seconds() - max(request.ago for request in asked if request.tries)
