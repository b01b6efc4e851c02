"""One policy of every kind, with few values that it may be asked about: small enough to try all of them.

Owns: the policies and their values. Must not know: what is proved with them.
Invariant: every policy of `conflict.policies.ALL` is here (tests/properties/test_policy_laws.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from conflict.policies import (
    OURS,
    THEIRS,
    Bag,
    Condition,
    Guarded,
    Highest,
    Locked,
    Lowest,
    Newest,
    Once,
    Policy,
    Prose,
    Reviewed,
    Tally,
)

LIFE: Final = Guarded(
    {"new": ("open", "off"), "open": ("held", "done", "off"), "held": ("open", "done"), "done": (), "off": ()}, ("off",)
)
PLAIN: Final = (None, 1, 2, 3)
ANYTHING: Final = st.none() | st.integers(0, 5)
BESIDE: Final[Sequence[Mapping[str, Any]]] = ({"most": 5, "state": "draft"}, {"most": 4, "state": "sent"})
"""What else may stand in the row."""

_WORDS: Final = st.lists(st.sampled_from(["dry", "damp", "yard,", "wet", "\n"]), max_size=7)


class Kind(NamedTuple):
    """A policy; values enough to break every law that it does not have; and a strategy for more of them."""

    policy: Policy
    few: Sequence[Any]
    many: st.SearchStrategy[Any]


KINDS: Final[Mapping[str, Kind]] = {
    "theirs": Kind(THEIRS, PLAIN, ANYTHING),
    "ours": Kind(OURS, PLAIN, ANYTHING),
    "newest": Kind(Newest(), PLAIN, ANYTHING),
    "tally": Kind(Tally(0, "most"), (None, 1, 2, 4), st.none() | st.integers(0, 9) | st.decimals(0, 9, places=2)),
    "bag": Kind(
        Bag(),
        (None, ("a",), ("b",), ("a", "b")),
        st.none() | st.sets(st.sampled_from("abcd"), min_size=1).map(lambda words: tuple(sorted(words))),
    ),
    "highest": Kind(Highest(), PLAIN, ANYTHING),
    "lowest": Kind(Lowest(), PLAIN, ANYTHING),
    "prose": Kind(Prose(), ("a b", "a z b", "x x z b", "a b a b", "a b c"), _WORDS.map(lambda w: " ".join(w) or None)),
    "guarded": Kind(LIFE, tuple(LIFE.moves), st.sampled_from(sorted(LIFE.moves))),
    "once": Kind(Once(), PLAIN, ANYTHING),
    "locked": Kind(Locked(Condition("state", ("draft",), unless=True)), PLAIN, ANYTHING),
    "reviewed": Kind(Reviewed(), PLAIN, ANYTHING),
}
