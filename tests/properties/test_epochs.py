"""Laws of the cut: whatever is gone is cut, and where nothing is gone nothing is (engine/epochs.py)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync_server.engine.epochs import Known, Mark, cut, thinned

HISTORIES = st.lists(st.integers(1, 5), min_size=1, max_size=40)
"""Seconds between an event and the next, each of which was looked at."""


def seen(gaps: list[int]) -> Known:
    marks: list[Mark] = []
    now = 0.0
    for position, gap in enumerate(gaps, start=1):
        now += gap
        marks = [*thinned([*marks, Mark(position, f"first/{position}", now)], now)]
    return Known(len(gaps), marks)


def fingerprints(kept: int, again: int) -> dict[int, str]:
    """Give a history that was put back to `kept`, after which `again` events were written."""
    first = {n: f"first/{n}" for n in range(1, kept + 1)}
    return first | {n: f"second/{n}" for n in range(kept + 1, kept + again + 1)}


@given(gaps=HISTORIES, later=st.integers(0, 5))
def test_a_history_that_only_went_on_is_not_cut(gaps: list[int], later: int) -> None:
    now = fingerprints(len(gaps), later)

    assert cut(seen(gaps), len(now), now, another=False) is None


@given(gaps=HISTORIES, data=st.data())
def test_what_is_gone_is_above_the_cut(gaps: list[int], data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(gaps) - 1))
    now = fingerprints(kept, data.draw(st.integers(0, 60)))

    at = cut(seen(gaps), len(now), now, another=False)

    assert at is not None
    assert at <= kept
    assert at == 0 or now[at] == f"first/{at}"


@given(gaps=HISTORIES, later=st.integers(0, 5))
def test_of_another_cluster_nothing_above_the_newest_mark_is_trusted(gaps: list[int], later: int) -> None:
    now = fingerprints(len(gaps), later)

    assert cut(seen(gaps), len(now), now, another=True) == len(gaps)


@given(gaps=HISTORIES, data=st.data())
def test_the_cut_takes_little_more_than_what_is_gone(gaps: list[int], data: st.DataObject) -> None:
    """In time: marks are kept by their age, two in each power of two."""
    kept = data.draw(st.integers(1, len(gaps) - 1)) if len(gaps) > 1 else 0

    at = cut(seen(gaps), kept, fingerprints(kept, 0), another=False)

    assert at is not None
    assert at > 0 or kept == 0
    assert sum(gaps[at:]) <= 4 * sum(gaps[kept:]) + 8
