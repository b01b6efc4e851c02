"""Whoever scrapes, for tests of metrics: asks a listener and reads what it says.

Owns: the question and the reading.
Must not know: what should be told.
Invariant: a difference is between two answers of one listener, as meters belong to the process and others may have counted.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """One answer: its text, and series -> value."""

    text: str
    values: Mapping[Series, float]

    @property
    def names(self) -> set[str]:
        """The names that a query may use, `_bucket`, `_count` and `_sum` included."""
        return {name for name, _ in self.values}

    def of(self, name: str, **labels: str) -> float:
        """Add up the series of a name that have these labels."""
        return sum(v for (n, has), v in self.values.items() if n == name and set(labels.items()) <= has)

    def since(self, before: Scrape) -> Scrape:
        """Say what came since `before`."""
        return Scrape(self.text, {series: v - before.values.get(series, 0.0) for series, v in self.values.items()})


def free_pair() -> int:
    """Find a port that is free like the one after it, below those that the kernel gives to whoever asks for any."""
    for _ in range(100):
        port = random.randrange(15_000, 30_000, 2)
        with socket.socket() as one, socket.socket() as next_one:
            try:
                one.bind(("127.0.0.1", port))
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two ports beside each other are free")


async def scrape(address: str) -> Scrape:
    """Ask a listener for its metrics."""
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    families = text_string_to_metric_families(text)
    return Scrape(text, {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples})
