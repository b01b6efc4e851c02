"""Meters: plain numbers that a process counts of what it does, for whoever wants to see inside.

Owns: counters, gauges and histograms, their bounds, and counting only what was committed.
Must not know: who reads them (operate/metrics.py), who counts what: each floor declares its own in its `meters.py`.
Invariant: whatever is counted under a name has at most `SERIES_MAX` series, and what a unit of work counted is told only once
it has committed (tests/unit/test_meters.py).

A meter belongs to the process, as its memory does, not to an application: a lower floor counts without being handed anything.
To count costs some 0.2 µs: no lock (the event loop is one thread), and no library; docs/decisions/0021-metrics.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

SERIES_MAX: Final = 200
"""Label sets of one meter; what comes beyond is counted together, as `OTHER`."""

OTHER: Final = "other"

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of most histograms: from a look-up to what nobody waits for."""

Labels: TypeAlias = tuple[str, ...]


class Meter:
    """What all kinds have: a name with its unit, what it tells, and the names of its labels."""

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        assert name not in METERS, f"{name} is declared twice"
        self.name: Final = name
        self.help: Final = help
        self.labels: Final = labels
        METERS[name] = self


METERS: Final[dict[str, Meter]] = {}
"""Every meter of the process, by its name."""


class Counter(Meter):
    """What only grows.

    `known`: label sets that are told from the start, as 0: of a series that begins with 1 Prometheus sees no increase.
    """

    def __init__(self, name: str, help: str, labels: Labels = (), known: Iterable[Labels] = ()) -> None:
        super().__init__(name, help, labels)
        self.values: dict[Labels, float] = dict.fromkeys(known if labels else [()], 0.0)

    def add(self, *labels: str, n: float = 1) -> None:
        """Count `n` more."""
        values = self.values
        if labels in values:
            values[labels] += n
        else:
            _check(self, labels)
            series = _series(labels, values)
            values[series] = values.get(series, 0.0) + n

    def add_if_committed(self, *labels: str, n: float = 1) -> None:
        """Count `n` more once the unit of work that does this has committed; at once where there is none."""
        book = _BOOK.get()
        if book is None:
            self.add(*labels, n=n)
        else:
            book.append((self, labels, n))


class Gauge(Meter):
    """What goes up and down; it is what it was set to last."""

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        super().__init__(name, help, labels)
        self.values: dict[Labels, float] = {}

    def set(self, value: float, *labels: str) -> None:
        _check(self, labels)
        self.values[_series(labels, self.values)] = value

    def replace(self, values: Mapping[Labels, float]) -> None:
        """Let these be all there is: what is named no more is told no more."""
        self.values = {}
        for labels, value in values.items():
            self.set(value, *labels)


class Histogram(Meter):
    """How often what was observed was at most each of `bounds`; and the sum of it."""

    def __init__(self, name: str, help: str, labels: Labels = (), bounds: Sequence[float] = SECONDS) -> None:
        super().__init__(name, help, labels)
        assert list(bounds) == sorted(set(bounds)), f"{name}: bounds must rise"
        self.bounds: Final = tuple(bounds)
        self.values: dict[Labels, list[float]] = {} if labels else {(): self._nothing()}

    def observe(self, value: float, *labels: str) -> None:
        """Count an observation."""
        counts = self.values.get(labels)
        if counts is None:
            _check(self, labels)
            counts = self.values.setdefault(_series(labels, self.values), self._nothing())
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value

    def _nothing(self) -> list[float]:
        """One number per bound, one for what is above all of them, and the sum."""
        return [0.0] * (len(self.bounds) + 2)


def _check(meter: Meter, labels: Labels) -> None:
    assert len(labels) == len(meter.labels), f"{meter.name} has the labels {meter.labels}, not {labels}"


def _series(labels: Labels, values: Mapping[Labels, object]) -> Labels:
    return labels if labels in values or len(values) < SERIES_MAX else (OTHER,) * len(labels)


# --- Only what was committed ------------------------------------------------------------------------------------------

_BOOK: ContextVar[list[tuple[Counter, Labels, float]] | None] = ContextVar("book", default=None)


@contextmanager
def counted_if_committed() -> Iterator[None]:
    """Keep what is counted inside until the block ends well; forget it if the block raises."""
    book: list[tuple[Counter, Labels, float]] = []
    token = _BOOK.set(book)
    try:
        yield
    finally:
        _BOOK.reset(token)
    for counter, labels, n in book:
        counter.add(*labels, n=n)


@contextmanager
def uncounted() -> Iterator[None]:
    """Forget what is counted inside with `add_if_committed`: it will be undone."""
    token = _BOOK.set([])
    try:
        yield
    finally:
        _BOOK.reset(token)
