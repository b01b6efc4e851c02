"""Laws: what may be relied on of a policy, by name. Each policy lists its own.

The laws are about a clash: base, ours and theirs of one column, where ours and theirs both differ from base, and from each
other (two equal changes: `AGREES`). A law that a policy does not list does not hold of it: there is a counterexample.

Owns: the names of the laws and what each says.
Must not know: any policy.
Invariant: what a policy lists holds, and what it does not list can be broken (tests/properties/test_policy_laws.py).
"""

from __future__ import annotations

from enum import Enum


class Law(Enum):
    """A law; its value says what it promises."""

    PARKED_IS_OURS = "What is parked keeps the server's value."
    ONE_SIDED = "What one side alone changed is taken as it is, without a word."
    AGREES = "Two equal changes are one."
    COMMUTES = "It does not matter which side arrived first: the same is kept, or both are parked."
    ANY_ORDER = (
        "Three different changes of one base come to one value in whatever order they arrive, unless one is parked."
    )
    REPEATS = "The same change, sent again against the same base, changes nothing more."
    INVENTS_NOTHING = "What is kept is what one of the two wrote."
    NEVER_PARKS = "Nobody has to decide."
    NEVER_BACK = "What is kept is not behind what the server has, in the order of the policy."
    BASE_FREE = "What the replica last saw makes no difference, not even if nobody knows it."
    ROW_FREE = "Other columns of the record make no difference."
    TIME_FREE = "When the sides wrote makes no difference."

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


def laws(names: str) -> frozenset[Law]:
    """Give the laws of a policy: those named, apart by commas, and the one that all have.

    >>> sorted(map(str, laws("agrees, row free")))
    ['agrees', 'parked is ours', 'row free']
    """
    named = {str(law): law for law in Law}
    return frozenset({Law.PARKED_IS_OURS, *(named[name] for name in names.split(", "))})
