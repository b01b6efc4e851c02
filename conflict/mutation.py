"""Mutations: what a replica asks for, one record each, and which of them live or die together.

Owns: the mutation and the grouping of mutations into documents with their children.
Must not know: what an entity is; it is handed the links.
Invariant: every mutation is in exactly one group, whatever the order in which they came
(tests/properties/test_mutation.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str, str]
"""(table, id) of a record."""


class Operation(Enum):
    """What the replica says it did to the record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Mutation:
    """What a replica asks for one record: its net change since it last heard of it.

    A batch has one of a record at most: the phone's database sums up what was done to a record, and `wire/changes.py` takes
    nothing else, as the order of two would be a guess.

    `values`: column -> value as sent, without WatermelonDB's own columns; empty for a deletion. `changed`: the columns
    the replica says it changed; None if it did not say, so that the whole record is compared with the base.
    """

    table: str
    id: str
    operation: Operation
    values: Mapping[str, Any]
    changed: frozenset[str] | None = None
    key: Key = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.table, self.id))


def _alike(_: Mutation) -> int:
    return 0


def group(
    mutations: Iterable[Mutation],
    parent_of: Callable[[Mutation], Key | None],
    rank: Callable[[Mutation], int] = _alike,
) -> Sequence[Sequence[Mutation]]:
    """Part mutations into groups: a document and its children, at any depth, as far as they came together.

    `parent_of` names the record a mutation's record lives and dies with. `rank` is lower for what others refer to. Order: the
    mutations of a group by rank, parents first, and groups by their first one's; those of one rank as they came.
    Cost: O(n log n).

    >>> trade = Mutation("trades", "t", Operation.CREATED, {})
    >>> lorry = Mutation("dispatches", "d", Operation.CREATED, {"trade_id": "t"})
    >>> other = Mutation("trades", "u", Operation.CREATED, {})
    >>> parent = lambda m: ("trades", m.values["trade_id"]) if "trade_id" in m.values else None
    >>> [[m.id for m in one] for one in group([lorry, other, trade], parent, lambda m: m.table == "dispatches")]
    [['t', 'd'], ['u']]
    """
    listed = list(mutations)
    present = {m.key: m for m in listed}

    def root(mutation: Mutation) -> Key:
        seen = {mutation.key}
        while True:
            above = parent_of(mutation)
            if above is None or above not in present or above in seen:
                return mutation.key
            seen.add(above)
            mutation = present[above]

    groups: dict[Key, list[Mutation]] = {}
    for mutation in listed:
        groups.setdefault(root(mutation), []).append(mutation)
    within = [sorted(together, key=rank) for together in groups.values()]
    return sorted(within, key=lambda together: rank(together[0]))
