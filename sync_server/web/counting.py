"""Counting requests in windows of time, inside this process.

Owns: which window a moment is in, how often each name was counted in it, and the memory for that.
Must not know: HTTP, Redis, what the names are.
Invariant: a count never costs more than a few dictionary look-ups, and memory has a bound whoever asks under whatever name
(tests/unit/test_counting.py).

Why not the memory storage of `limits`: at every count it walks over all keys to find expired ones, measured here as 11 µs
with one key, 745 µs with 10 000 and 15 ms with 100 000. This is 0.5 µs with any number.

A window of a name begins at a moment that follows from the name and the clock alone: every process means the same window
without asking, and not all names begin anew in the same second. Around its edge up to twice the amount passes.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

NAMES_MAX: Final = 100_000
"""Names in each length of window, 300 bytes each; over it the longest known are forgotten, which lets them begin anew."""


@dataclass(slots=True)
class Window:
    """How often one name was counted, until when."""

    key: str
    ends: float
    """Unix seconds."""
    amount: int
    ours: int = 0
    told: int = 0
    """How many of ours the other processes have been told of."""
    theirs: int = 0
    """How many the other processes had counted when we last asked."""


class Counts:
    """The counts of windows of one length."""

    def __init__(
        self, seconds: int, *, names_max: int = NAMES_MAX, clock: Callable[[], float] = time.time, listed: bool = False
    ) -> None:
        """`listed`: keep a list of what `news` gives; without a reader it would only grow."""
        self._seconds = seconds
        self._names_max = names_max
        self.clock = clock
        self._windows: dict[str, Window] = {}
        self._news: dict[str, Window] | None = {} if listed else None

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, name: str, amount: int) -> Window:
        """Count `name` once more, of which there may be `amount`. It is over when `is_over` of what this gives."""
        now = self.clock()
        window = self._windows.get(name)
        if window is None or window.ends <= now:
            window = self._begin(name, amount, now)
        window.ours += 1
        if self._news is not None and window.ours + window.theirs <= amount:
            self._news[name] = window
        return window

    def left(self, window: Window) -> float:
        """Give how many seconds the window still lasts."""
        return max(window.ends - self.clock(), 0.0)

    def news(self) -> Iterator[Window]:
        """Give the windows that were counted in since the last call, and forget that they were."""
        news, self._news = self._news or {}, {}
        now = self.clock()
        return (window for window in news.values() if window.ends > now)

    def repeat(self, window: Window) -> None:
        """Have `news` give the window again."""
        if self._news is not None:
            self._news[window.key.rpartition("@")[0]] = window

    def _begin(self, name: str, amount: int, now: float) -> Window:
        self._forget(now)
        offset = zlib.crc32(name.encode()) % self._seconds
        number = int((now + offset) // self._seconds)
        self._windows.pop(name, None)  # to the end: the order is that of their beginnings
        window = Window(f"{name}@{number}", (number + 1) * self._seconds - offset, amount)
        self._windows[name] = window
        return window

    def _forget(self, now: float) -> None:
        """Remove two that are over, more than are added, and one that is not if there are too many."""
        for _ in range(2):
            oldest = next(iter(self._windows.values()), None)
            if oldest is None or (oldest.ends > now and len(self._windows) < self._names_max):
                return
            del self._windows[oldest.key.rpartition("@")[0]]


def is_over(window: Window) -> bool:
    """Say whether more was counted than there may be."""
    return window.ours + window.theirs > window.amount
