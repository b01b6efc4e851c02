"""Slices on the wire: where one ends, what it says, and what asks for the next (wire/slicing.py)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_server.wire.problems import Problem
from sync_server.wire.slicing import BUDGET_MAX, BUDGET_MIN, Cutter, Slice, Token, read_budget, read_more, write_more

NAME = "n" * 43
Added = tuple[str, str, str]
ADDED = st.lists(
    st.tuples(st.sampled_from(["trades", "units", "sync_issues"]), st.sampled_from(["created", "updated", "deleted"]),
              st.one_of(st.text(max_size=50), st.integers(0, 2000).map("x".__mul__))),
    max_size=60,
)  # fmt: skip


def bodies(added: list[Added], budget: int, verdicts: list[Any]) -> list[bytes]:
    """Cut one record after the other, and give each slice the longest end that it can have."""
    cutter = Cutter(budget, json.dumps(verdicts).encode())
    cut: list[Slice] = []
    for table, which, text in added:
        cut += cutter.add(table, which, [json.dumps(text).encode()])
    last = cutter.last(2**53)
    assert sum(one.rows for one in cut) + last.rows == len(added)
    return [one.content + write_more(NAME, 10**9 - 1, 10**11, 10**14) for one in cut] + [last.content]


@settings(max_examples=200)
@given(ADDED, st.sampled_from([300, 500, 3000]), st.lists(st.text(max_size=400), max_size=2))
def test_each_record_is_in_one_slice_in_its_order_and_no_slice_is_too_large(
    added: list[Added], budget: int, verdicts: list[Any]
) -> None:
    slices = [json.loads(body) for body in bodies(added, budget, verdicts)]

    for key in {(table, which) for table, which, _ in added}:
        found = [text for one in slices for text in one["changes"].get(key[0], {}).get(key[1], ())]
        assert found == [text for table, which, text in added if (table, which) == key]
    assert slices[0]["verdicts"] == verdicts
    assert not any("verdicts" in one for one in slices[1:])
    assert ["timestamp" in one for one in slices] == [False] * (len(slices) - 1) + [True]
    assert ["more" in one for one in slices] == [True] * (len(slices) - 1) + [False]
    for one, body in zip(slices, bodies(added, budget, verdicts), strict=True):
        rows = sum(len(listed) for lists in one["changes"].values() for listed in lists.values())
        assert len(body) <= budget or (rows == 1 and not one.get("verdicts")) or (rows == 0 and one.get("verdicts"))


@given(ADDED)
def test_slices_are_as_few_as_their_order_allows(added: list[Added]) -> None:
    """Of two that follow each other the second's first record did not fit into the first."""
    found = bodies(added, 3000, [])

    for first, second in pairwise(found):
        lists = [(t, which, listed[0]) for t, by in json.loads(second)["changes"].items() for which, listed in by.items()
                 if listed]  # fmt: skip
        cost = max(len(json.dumps(text)) + len(table) for table, _, text in lists) + 60
        assert len(first) + cost > 3000


def test_answer_without_a_record_is_one_slice() -> None:
    assert bodies([], 4096, []) == [b'{"verdicts":[],"changes":{},"timestamp":9007199254740992}']


def test_tables_of_a_slice_have_their_three_lists() -> None:
    (body,) = bodies([("trades", "deleted", "t")], 4096, [])

    assert json.loads(body)["changes"] == {"trades": {"created": [], "updated": [], "deleted": ["t"]}}


def test_token_comes_back_as_it_was() -> None:
    end = json.loads(b"{" + write_more(NAME, 17, 5, 600)[1:])

    assert end == {"more": {"token": f"{NAME}.17", "rows": 5, "bytes": 600}}
    assert read_more({"more": end["more"]["token"]}) == Token(NAME, 17)


@pytest.mark.parametrize(
    "token", ["", ".", f"{NAME}.0", f"{NAME}.01", f"{NAME}.1\n", f"/{NAME}.1", f"{NAME}x.1", f"{NAME}.१"]
)
def test_what_is_no_token_names_no_slice(token: str) -> None:
    with pytest.raises(Problem) as refused:
        read_more({"more": token})
    assert refused.value.code == "slices_gone"


@pytest.mark.parametrize("budget", [None, BUDGET_MIN, BUDGET_MAX])
def test_budget_is_read(budget: int | None) -> None:
    assert read_budget({"budget_bytes": budget}) == budget


@pytest.mark.parametrize("budget", [0, -1, BUDGET_MIN - 1, BUDGET_MAX + 1, 5000.0, "5000", True])
def test_wrong_budget_is_pointed_at(budget: Any) -> None:
    with pytest.raises(Problem) as refused:
        read_budget({"budget_bytes": budget})
    assert (refused.value.status, refused.value.pointer) == (422, "/budget_bytes")
