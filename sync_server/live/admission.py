"""Admission: how many connections there may be, whose, and how fast new ones are let in.

Owns: the counts and the bucket.
Must not know: sockets, HTTP, clocks: the time is handed in.
Invariant: a place that was taken is given back exactly once, and a count of nobody is not kept; those refused in a storm are
told to come back spread over the time that the storm takes to be let in (tests/unit/test_live_admission.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

BURST_SECONDS: Final = 2.0
"""How many may come at once after a quiet time, in seconds of the rate."""

PATIENCE_SECONDS: Final = 120.0
"""The longest that anybody is told to wait."""


class Full(Exception):
    """There are as many connections of this user, device, address or organisation as there may be."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Places:
    """The connections of one process, counted for each kind of name; `most`: kind -> how many of one name."""

    def __init__(self, most: Mapping[str, int]) -> None:
        self._most = most
        self._taken: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._taken)

    @contextmanager
    def taken(self, names: Mapping[str, str]) -> Iterator[None]:
        """Hold a place under each of `names` (kind -> name). Raises Full."""
        for kind, name in names.items():
            if self._taken.get((kind, name), 0) >= self._most[kind]:
                raise Full(kind)
        for key in names.items():
            self._taken[key] = self._taken.get(key, 0) + 1
        try:
            yield
        finally:
            for key in names.items():
                self._taken[key] -= 1
                if not self._taken[key]:
                    del self._taken[key]


class Bucket:
    """Lets in `rate` a second. Who is refused stands in a line that it only imagines, and is told when it would be over."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._level = rate * BURST_SECONDS
        self._at = now
        self._line = 0.0

    def ask(self, now: float) -> float:
        """Ask to be let in: 0, or how many seconds to wait.

        >>> bucket = Bucket(rate=1, now=0)
        >>> [bucket.ask(0) for _ in range(4)], bucket.ask(10)
        ([0.0, 0.0, 1.0, 2.0], 0.0)
        """
        passed, self._at = max(now - self._at, 0.0), now
        self._level = min(self._level + passed * self._rate, self._rate * BURST_SECONDS)
        self._line = max(self._line - passed * self._rate, 0.0)
        if self._level >= 1:
            self._level -= 1
            return 0.0
        self._line += 1
        return min(self._line / self._rate, PATIENCE_SECONDS)
