"""Whoever scrapes, for tests of metrics: asks a listener and reads what it says.

Owns: the question and the reading.
Must not know: what should be told.
Invariant: a difference is between two answers of one listener, as meters belong to the process and others may have counted.
"""

from __future__ import annotations

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


async def scrape(address: str) -> Scrape:
    """Ask a listener for its metrics."""
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    families = text_string_to_metric_families(text)
    return Scrape(text, {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples})
