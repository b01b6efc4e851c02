"""Laws of grouping (conflict/mutation.py; correctness.md, hole 29): a partition, whatever the order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from conflict.mutation import Key, Mutation, Operation, group

IDS = [f"r{n}" for n in range(8)]


@st.composite
def batches(draw: st.DrawFn) -> list[Mutation]:
    """Records of one table that name parents, present or not, themselves or in circles too."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True))
    parents = st.none() | st.sampled_from([*IDS, "elsewhere"])
    return [Mutation("t", id, draw(st.sampled_from(Operation)), {"parent": draw(parents)}) for id in ids]


def parent_of(mutation: Mutation) -> Key | None:
    parent = mutation.values["parent"]
    return None if parent is None else ("t", parent)


def as_sets(groups: Sequence[Sequence[Mutation]]) -> set[frozenset[str]]:
    return {frozenset(mutation.id for mutation in together) for together in groups}


def in_a_circle(batch: Sequence[Mutation]) -> bool:
    parents = {mutation.id: mutation.values["parent"] for mutation in batch}
    for start in parents:
        seen, here = {start}, parents[start]
        while here in parents:
            if here in seen:
                return True
            seen.add(here)
            here = parents[here]
    return False


@given(batches())
def test_every_mutation_is_in_exactly_one_group(batch: list[Mutation]) -> None:
    grouped = group(batch, parent_of)

    assert sorted(m.id for together in grouped for m in together) == sorted(m.id for m in batch)
    assert all(grouped)


@given(batches().filter(lambda batch: not in_a_circle(batch)), st.randoms())
def test_order_of_the_batch_does_not_matter(batch: list[Mutation], random: object) -> None:
    shuffled = list(batch)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert as_sets(group(batch, parent_of)) == as_sets(group(shuffled, parent_of))


@given(batches().filter(lambda batch: not in_a_circle(batch)))
def test_child_is_with_its_parent_if_it_came_along(batch: list[Mutation]) -> None:
    place = {m.id: number for number, together in enumerate(group(batch, parent_of)) for m in together}

    for mutation in batch:
        parent = mutation.values["parent"]
        if parent in place:
            assert place[mutation.id] == place[parent]


@given(batches().filter(lambda batch: not in_a_circle(batch)))
def test_records_that_no_parent_joins_are_apart(batch: list[Mutation]) -> None:
    present = {m.id for m in batch}

    assert len(group(batch, parent_of)) == len([m for m in batch if m.values["parent"] not in present])


@given(batches())
def test_mutations_stay_in_the_order_in_which_they_came(batch: list[Mutation]) -> None:
    place = {m.id: n for n, m in enumerate(batch)}

    for together in group(batch, parent_of):
        assert [place[m.id] for m in together] == sorted(place[m.id] for m in together)


@given(batches().filter(lambda batch: not in_a_circle(batch)))
def test_parents_come_before_their_children_if_they_rank_lower(batch: list[Mutation]) -> None:
    parents = {m.id: m.values["parent"] for m in batch}

    def depth(mutation: Mutation) -> int:
        above, steps = parents[mutation.id], 0
        while above in parents:
            above, steps = parents[above], steps + 1
        return steps

    grouped = group(batch, parent_of, depth)

    assert as_sets(grouped) == as_sets(group(batch, parent_of))
    for together in grouped:
        assert [depth(m) for m in together] == sorted(depth(m) for m in together)
    assert [depth(together[0]) for together in grouped] == sorted(depth(together[0]) for together in grouped)
