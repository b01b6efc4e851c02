"""Counting in windows: exact inside the process, bounded in memory, cheap with any number of names."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from sync_server.web.counting import Counts, is_over


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def admitted(counts: Counts, name: str, amount: int, tries: int) -> int:
    return sum(not is_over(counts.count(name, amount)) for _ in range(tries))


@given(amount=st.integers(1, 20), tries=st.integers(0, 60), name=st.text(max_size=8))
def test_so_many_pass_as_may_in_one_window_and_no_more(amount: int, tries: int, name: str) -> None:
    counts = Counts(60, clock=Clock())

    assert admitted(counts, name, amount, tries) == min(amount, tries)


@given(steps=st.lists(st.floats(0, 90), max_size=60), amount=st.integers(1, 5))
def test_at_most_twice_the_amount_passes_in_any_time_of_that_length(steps: list[float], amount: int) -> None:
    clock, passed = Clock(), []
    counts = Counts(60, clock=clock)
    for step in steps:
        clock.now += step
        passed += [clock.now] * admitted(counts, "a", amount, 3)

    assert all(sum(start <= moment < start + 60 for moment in passed) <= 2 * amount for start in passed)


@given(name=st.text(max_size=8), now=st.floats(1e9, 2e9))
def test_every_process_means_the_same_window(name: str, now: float) -> None:
    here, there = (Counts(60, clock=lambda: now).count(name, 5) for _ in range(2))

    assert (here.key, here.ends) == (there.key, there.ends)
    assert 0 < here.ends - now <= 60


def test_a_name_begins_anew_when_its_window_ends() -> None:
    clock = Clock()
    counts = Counts(60, clock=clock)
    admitted(counts, "a", 2, 3)
    left = counts.left(counts.count("a", 2))

    clock.now += left - 0.01
    assert admitted(counts, "a", 2, 3) == 0
    clock.now += 0.02
    assert admitted(counts, "a", 2, 3) == 2


def test_not_all_names_begin_anew_at_once() -> None:
    counts = Counts(60, clock=Clock())

    assert len({int(counts.left(counts.count(f"user/{n}", 1))) for n in range(200)}) > 40


def test_names_do_not_count_for_each_other() -> None:
    counts = Counts(60, clock=Clock())

    assert admitted(counts, "a", 1, 5) == admitted(counts, "b", 1, 5) == 1


def test_memory_is_bounded_whoever_asks() -> None:
    clock = Clock()
    counts = Counts(60, names_max=100, clock=clock)
    for n in range(1_000):
        counts.count(f"{n}", 5)
    assert len(counts) <= 100

    clock.now += 121
    for n in range(200):
        counts.count("one" if n % 2 else "other", 5)
        counts.count(f"new {n % 3}", 5)
    assert len(counts) <= 100


def test_what_is_over_is_forgotten_without_anybody_asking_for_it_again() -> None:
    clock = Clock()
    counts = Counts(60, clock=clock)
    for n in range(1_000):
        counts.count(f"{n}", 5)
    clock.now += 121
    for n in range(1_000, 1_600):
        counts.count(f"{n}", 5)

    assert len(counts) <= 600


def test_a_count_costs_the_same_with_any_number_of_names() -> None:
    """The memory storage of `limits` needs 15 ms here."""
    counts = Counts(60)
    for n in range(90_000):
        counts.count(f"{n}", 5)

    best = min(_seconds_of(counts) for _ in range(5))

    assert best / 1_000 < 0.000_050, f"{best * 1000:.1f} µs a count"


def _seconds_of(counts: Counts) -> float:
    began = time.perf_counter()
    for n in range(1_000):
        counts.count(f"{n * 7}", 5)
    return time.perf_counter() - began


def test_what_others_counted_counts() -> None:
    counts = Counts(60, clock=Clock())
    counts.count("a", 10).theirs = 7

    assert admitted(counts, "a", 10, 5) == 2


def test_news_are_given_once_and_only_while_they_matter() -> None:
    clock = Clock()
    counts = Counts(60, clock=clock, listed=True)
    window = counts.count("a", 10)
    counts.count("a", 10)
    other = counts.count("b", 10)

    assert list(counts.news()) == [window, other]
    assert list(counts.news()) == []
    counts.repeat(window)
    assert list(counts.news()) == [window]
    counts.repeat(window)
    clock.now += 61
    assert list(counts.news()) == []


def test_nobody_who_is_over_is_news() -> None:
    counts = Counts(60, clock=Clock(), listed=True)
    for _ in range(3):
        counts.count("a", 3)
    list(counts.news())

    for _ in range(100):
        counts.count("a", 3)

    assert list(counts.news()) == []
