"""The gap report: every number is in one stretch, and what nothing explains is said to be unexplained."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sync_server.engine.number_report import explain
from sync_server.store.number_blocks import Block
from sync_server.store.numbers import Gap, Use

NOW = datetime(2026, 11, 24, tzinfo=UTC)
STATES = ("leased", "used_up", "returned", "reclaimed")


def block(first: int, last: int, state: str) -> Block:
    return Block(f"b{first}", "s", "d", "u", first, last, state, "", NOW, NOW, None, 0)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Use], list[Block], list[Gap]]:
    cuts = sorted(draw(st.sets(st.integers(1, 40), max_size=8)))
    spans = list(pairwise(cuts))
    blocks = [block(a, b - 1, draw(st.sampled_from(STATES))) for a, b in spans if draw(st.booleans())]
    gaps = [Gap(a, b - 1, "torn", "u", NOW) for a, b in spans if draw(st.booleans())]
    uses = [Use("s", n, "trades", f"t{n}") for n in sorted(draw(st.sets(st.integers(1, 40), max_size=15)))]
    return uses, blocks, gaps


@given(histories())
def test_every_number_is_explained_once_by_what_counts_most(history: tuple[list[Use], list[Block], list[Gap]]) -> None:
    uses, blocks, gaps = history

    stretches = list(explain(1, 40, *history))

    assert [n for one in stretches for n in range(one.first, one.last + 1)] == list(range(1, 41))
    for one in stretches:
        for n in range(one.first, one.last + 1):
            has = any(use.number == n for use in uses)
            voided = any(gap.first <= n <= gap.last for gap in gaps)
            state = next((b.state for b in blocks if b.first <= n <= b.last), "used_up")
            expected = "used" if has else "voided" if voided else "unexplained" if state == "used_up" else state
            assert one.what == expected


def test_a_page_without_numbers_is_empty() -> None:
    assert list(explain(1, 0, [], [], [])) == []
