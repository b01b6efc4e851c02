"""The comparison of words beneath the merge of texts (conflict/prose.py), against a slow one that tries everything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.prose import EDITS_MAX, Stretch, join, stretches

TEXTS = st.lists(st.sampled_from("abc"), max_size=9)


def put_in(was: Sequence[str], found: Sequence[Stretch]) -> list[str]:
    """Do what the stretches say."""
    now, at = list[str](), 0
    for stretch in found:
        now += [*was[at : stretch.start], *stretch.words]
        at = stretch.end
    return now + list(was[at:])


def fewest(was: Sequence[str], now: Sequence[str]) -> int:
    """Count the words that must at least be taken out or put in."""

    @cache
    def from_here(i: int, j: int) -> int:
        if i == len(was) or j == len(now):
            return len(was) - i + len(now) - j
        if was[i] == now[j]:
            return from_here(i + 1, j + 1)
        return 1 + min(from_here(i + 1, j), from_here(i, j + 1))

    return from_here(0, 0)


@given(TEXTS, TEXTS)
def test_stretches_make_the_one_text_of_the_other_with_the_fewest_words(was: list[str], now: list[str]) -> None:
    found = stretches(was, now)

    assert found is not None
    assert put_in(was, found) == now
    assert sum(stretch.end - stretch.start + len(stretch.words) for stretch in found) == fewest(was, now)


@given(TEXTS, TEXTS)
def test_stretches_are_in_order_and_apart(was: list[str], now: list[str]) -> None:
    found = stretches(was, now) or []

    assert all(stretch.start < stretch.end or stretch.words for stretch in found)
    assert all(left.end < right.start for left, right in pairwise(found))


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [  # of equally short ways the phone must take the same: out before in, as far as one comes
        ("ab", "ba", [Stretch(0, 1, ()), Stretch(2, 2, ("a",))]),
        ("aba", "bab", [Stretch(0, 1, ()), Stretch(3, 3, ("b",))]),
        ("abcab", "cabac", [Stretch(0, 2, ()), Stretch(5, 5, ("a", "c"))]),
        ("abc", "bx", [Stretch(0, 1, ()), Stretch(2, 3, ("x",))]),
        ("ab", "cad", [Stretch(0, 0, ("c",)), Stretch(1, 2, ("d",))]),
        ("bab", "cb", [Stretch(0, 2, ("c",))]),
        ("cbc", "bacb", [Stretch(0, 1, ()), Stretch(2, 2, ("a",)), Stretch(3, 3, ("b",))]),
    ],
)
def test_of_equally_short_ways_the_same_is_taken_everywhere(was: str, now: str, found: list[Stretch]) -> None:
    assert stretches(list(was), list(now)) == found


def words(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


@pytest.mark.parametrize(("out", "into"), [(0, EDITS_MAX), (EDITS_MAX, 0), (EDITS_MAX // 2, EDITS_MAX // 2)])
def test_as_many_words_may_differ_and_not_one_more(out: int, into: int) -> None:
    was, now = ["head", *words(out, "o"), "tail"], ["head", *words(into, "i"), "tail"]

    assert stretches(was, now) == [Stretch(1, 1 + out, tuple(words(into, "i")))]
    more = words(1, "x") if into else []
    less = [] if into else words(1, "x")
    assert stretches([*was[:-1], *less, "tail"], [*now[:-1], *more, "tail"]) is None


def test_text_that_one_side_wrote_anew_is_not_joined_whatever_the_other_did() -> None:
    anew = " ".join(words(EDITS_MAX, "w"))

    assert join("dry", anew, "dry indeed") is None
    assert join("dry", "dry indeed", anew) is None
