"""The three-way merge of one record.

Theory of operation. Base is the record as the replica last saw it, ours the server's, theirs the replica's; always in
this order. A column that only one side changed is that side's. A column that both changed to the same value agrees.
A column that both changed to different values is a clash, and the column's policy (policies.py) decides it: a value is kept, or
the change is parked for a person. Columns that the replica did not change are ours, whatever it sent: it may have sent an older
copy.

Owns: the merge and its outcomes.
Must not know: which columns there are, or why a column has its policy (engine/policy_map.py knows).
Invariant: no value is lost without an outcome; a column that was parked is ours; the same inputs give the same resolution
(tests/properties/test_merge.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from conflict.policies import NEVER, THEIRS, UNKNOWN, Policy, Record, Sides, Stamp


class Outcome(NamedTuple):
    """What became of one column that both sides changed, or that the replica may not change as it did.

    `base` is `policies.UNKNOWN` if nobody knows it. `parked`: the reason for which a person must decide; then ours is kept.
    """

    column: str
    policy: str
    base: Any
    ours: Any
    theirs: Any
    kept: Any
    parked: str | None = None


class Resolution(NamedTuple):
    """What becomes of a record: the row to keep, and an outcome per clash, in column order."""

    row: Record
    outcomes: tuple[Outcome, ...]

    @property
    def parked(self) -> tuple[Outcome, ...]:
        """Give the outcomes that a person must decide."""
        return tuple(outcome for outcome in self.outcomes if outcome.parked is not None)


class Authored(NamedTuple):
    """When the values were written: the replica's, and the server's by column."""

    theirs: Stamp = NEVER
    ours: Mapping[str, Stamp] = {}


UNDATED: Final = Authored()


def merge(
    base: Record | None,
    ours: Record,
    theirs: Record,
    changed: Collection[str],
    policies: Mapping[str, Policy],
    authored: Authored = UNDATED,
) -> Resolution:
    """Merge what the replica `changed` in `theirs` into `ours`.

    `base` None: what the replica saw is unknown, so that every difference is a clash. A column without a policy is
    the replica's. Cost: O(columns changed), and what their policies cost.

    >>> merge({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"b"}, {}).row
    {'a': 2, 'b': 3}
    >>> merge({"a": 1}, {"a": 2}, {"a": 3}, {"a"}, {}).outcomes[0].ours
    2
    """
    row = dict(ours)
    outcomes: list[Outcome] = []
    for column in sorted(changed):
        mine, here = theirs[column], ours[column]
        seen = UNKNOWN if base is None else base[column]
        if mine == seen:
            continue
        policy = policies.get(column, THEIRS)
        if mine == here and (not policy.adds or seen is UNKNOWN):
            continue
        alone = here == seen
        if alone and not policy.frozen:
            row[column] = mine
            continue
        kept, parked = policy.decide(seen, here, mine, Sides(ours, authored.ours.get(column, NEVER), authored.theirs))
        row[column] = kept
        if not alone or kept != mine:
            outcomes.append(Outcome(column, policy.name, seen, here, mine, kept, parked))
    return Resolution(row, tuple(outcomes))
