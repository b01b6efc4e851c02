"""The three-way merge of one record.

Theory of operation. Base is the record as the replica last saw it, ours the server's, theirs the replica's; always in
this order. A column that only one side changed is that side's. A column that both changed to the same value agrees.
A column that both changed to different values is a clash, and the column's policy says who wins; the outcome keeps the
loser. Columns that the replica did not change are ours, whatever it sent: it may have sent an older copy.

Owns: the merge and its outcomes.
Must not know: which columns there are, or why a column has its policy (engine/policy_map.py knows).
Invariant: each value of the result comes from ours or theirs; no value is lost without an outcome; the same inputs
give the same resolution (tests/properties/test_merge.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]


class Policy(Enum):
    """Who wins a column that both sides changed differently."""

    THEIRS = "theirs"
    """The replica's value, as WatermelonDB does."""
    OURS = "ours"
    """The server's value: the column is the server's own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one column that both sides changed."""

    column: str
    policy: Policy
    base: Any
    ours: Any
    theirs: Any

    @property
    def kept(self) -> Any:
        return self.theirs if self.policy is Policy.THEIRS else self.ours

    @property
    def lost(self) -> Any:
        return self.ours if self.policy is Policy.THEIRS else self.theirs


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a record: the row to keep and an outcome per clash, in column order."""

    row: Record
    outcomes: tuple[Outcome, ...]


_UNSEEN = object()


def merge(
    base: Record | None,
    ours: Record,
    theirs: Record,
    changed: Collection[str],
    policies: Mapping[str, Policy],
) -> Resolution:
    """Merge what the replica `changed` in `theirs` into `ours`.

    `base` None: what the replica saw is unknown, so that every difference is a clash. A column without a policy is
    THEIRS. Cost: O(columns changed).

    >>> merge({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"b"}, {}).row
    {'a': 2, 'b': 3}
    >>> merge({"a": 1}, {"a": 2}, {"a": 3}, {"a"}, {}).outcomes[0].lost
    2
    """
    row = dict(ours)
    outcomes = []
    for column in sorted(changed):
        if theirs[column] == ours[column]:
            continue
        seen = _UNSEEN if base is None else base[column]
        policy = policies.get(column, Policy.THEIRS)
        if seen == theirs[column]:
            continue
        if seen != ours[column] or policy is Policy.OURS:
            outcomes.append(Outcome(column, policy, None if seen is _UNSEEN else seen, ours[column], theirs[column]))
        if policy is Policy.THEIRS:
            row[column] = theirs[column]
    return Resolution(row, tuple(outcomes))
