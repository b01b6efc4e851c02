"""Prose: the three-way merge of a text by words.

Theory of operation. Each side is compared with the base, word by word, and the stretches of the base that it replaced are
noted. Stretches of the two sides that lie apart are both taken. Stretches that touch or overlap are one stretch: if both
sides wrote the same there it is taken, else nobody but a person can say what was meant. (The idea is that of diff3; Khanna,
Kunal and Pierce, "A Formal Investigation of Diff3", 2007, say why stretches that touch must count as overlapping.)

Words are what stands between blanks, and blanks are words, too; so a text is its words joined. A blank is a space, a tab or a
line break and nothing else, because languages differ about the rest, and the phone must come to the same result.

Owns: words, their comparison, and the merge.
Must not know: columns, records.
Invariant: `join(base, a, b) == join(base, b, a)`; a text that one side alone changed is that side's
(tests/properties/test_merge.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

EDITS_MAX: Final = 300
"""Words that one side may have taken out or put in; a text that changed more was written anew. It bounds the comparison to
some 50 000 steps, a few milliseconds."""

_WORD: Final = re.compile(r"[ \t\r\n]+|[^ \t\r\n]+")


class Stretch(NamedTuple):
    """Words [start, end) of the base, and what stands in their place."""

    start: int
    end: int
    words: tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Take a text apart.

    >>> words_of("dry bales,  no trash")
    ['dry', ' ', 'bales,', '  ', 'no', ' ', 'trash']
    """
    return _WORD.findall(text)


def join(base: str, ours: str, theirs: str) -> str | None:
    """Give the text with the changes of both sides; None if they overlap, or a side changed more than `EDITS_MAX` words.

    Cost: O((words + edits) · edits) of each side.

    >>> join("20 bales, dry", "20 bales, damp", "20 bales, wet") is None
    True
    >>> join("20 bales of Shankar, dry", "20 bales of Shankar, dry and clean", "25 bales of Shankar, dry")
    '25 bales of Shankar, dry and clean'
    """
    was = words_of(base)
    left, right = stretches(was, words_of(ours)), stretches(was, words_of(theirs))
    if left is None or right is None:
        return None
    merged: list[str] = []
    done = i = j = 0
    while i < len(left) or j < len(right):
        start, end = _first(left, i, right, j)
        mine, others = i, j
        while True:  # let the stretch grow until nothing of either side touches it any more
            if i < len(left) and left[i].start <= end:
                end = max(end, left[i].end)
                i += 1
            elif j < len(right) and right[j].start <= end:
                end = max(end, right[j].end)
                j += 1
            else:
                break
        written = {tuple(_written(was, side, start, end)) for side in (left[mine:i], right[others:j]) if side}
        if len(written) > 1:
            return None
        merged += was[done:start]
        merged += written.pop()
        done = end
    return "".join(merged + was[done:])


def _first(left: Sequence[Stretch], i: int, right: Sequence[Stretch], j: int) -> tuple[int, int]:
    """Give the bounds of the stretch that begins first."""
    heads = [side[n] for side, n in ((left, i), (right, j)) if n < len(side)]
    head = min(heads)
    return head.start, head.end


def _written(was: Sequence[str], side: Sequence[Stretch], start: int, end: int) -> list[str]:
    """Say what one side has in the place of the base's words [start, end)."""
    words: list[str] = []
    at = start
    for stretch in side:
        words += was[at : stretch.start]
        words += stretch.words
        at = stretch.end
    return words + list(was[at:end])


# --- Comparison -------------------------------------------------------------------------------------------------------


def stretches(was: Sequence[str], now: Sequence[str]) -> list[Stretch] | None:
    """Say which stretches of `was` were replaced by what; in order, apart by at least one word that stayed.

    None: more than `EDITS_MAX` words differ. The comparison is the greedy one of Myers, "An O(ND) Difference Algorithm and
    Its Variations" (1986), on what is left between a common beginning and a common end; among equally short ways it takes
    the one that takes out before it puts in.

    >>> stretches(["a", "b", "c"], ["a", "x", "c", "d"])
    [Stretch(start=1, end=2, words=('x',)), Stretch(start=3, end=3, words=('d',))]
    """
    head = _common(was, now)
    tail = _common(was[head:][::-1], now[head:][::-1])
    kept = _kept(was[head : len(was) - tail], now[head : len(now) - tail])
    if kept is None:
        return None
    pairs = [(head + i, head + j) for i, j in kept]
    pairs.append((len(was) - tail, len(now) - tail))
    found, at, to = [], head, head
    for i, j in pairs:
        if i > at or j > to:
            found.append(Stretch(at, i, tuple(now[to:j])))
        at, to = i + 1, j + 1
    return found


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Count the words with which both begin."""
    most = min(len(a), len(b))
    return next((n for n in range(most) if a[n] != b[n]), most)


def _kept(was: Sequence[str], now: Sequence[str]) -> list[tuple[int, int]] | None:
    """Pair the words that stayed: (place in `was`, place in `now`), in order; None if too many differ.

    `reach[k]`: how far in `was` one comes on the diagonal k = place in `was` - place in `now` with so many edits.
    """
    if not was or not now:
        return [] if len(was) + len(now) <= EDITS_MAX else None
    reach, trail = {1: 0}, []
    for edits in range(min(EDITS_MAX, len(was) + len(now)) + 1):
        trail.append(dict(reach))
        for k in range(-edits, edits + 1, 2):
            puts_in = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            i = reach[k + 1] if puts_in else reach[k - 1] + 1
            while i < len(was) and i - k < len(now) and was[i] == now[i - k]:
                i += 1
            reach[k] = i
            if i >= len(was) and i - k >= len(now):
                return _walk_back(trail, len(was), len(now))
    return None


def _walk_back(trail: Sequence[dict[int, int]], i: int, j: int) -> list[tuple[int, int]]:
    """Follow the way back from the end; `trail[n]` is how far one came with fewer than n edits."""
    kept = []
    for edits in range(len(trail) - 1, -1, -1):
        reach, k = trail[edits], i - j
        puts_in = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        above = k + 1 if puts_in else k - 1
        from_i, from_j = reach[above], reach[above] - above
        while i > from_i and j > from_j:
            i, j = i - 1, j - 1
            kept.append((i, j))
        i, j = from_i, from_j
    kept.reverse()
    return kept
