"""What the engine counts of itself: pulls, verdicts, outcomes of merges.

Owns: the names, and how a draft is counted.
Must not know: who reads them.
Invariant: what is counted of a draft is counted once, and only if its unit of work has committed
(tests/integration/test_metrics.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conflict.merge import Outcome
from sync_server.engine.draft import Draft
from sync_server.meters import Counter

PULLS: Final = Counter(
    "cotton_pulls_total",
    "Pulls answered, exchanges' included: nothing, delta (from memory), spooled, replacement.",
    ("answer",),
)
PULLED_ROWS: Final = Counter(
    "cotton_pulled_rows_total", "Records sent in answers from memory; see cotton_spooled_rows_total."
)
SPOOLED_ROWS: Final = Counter(
    "cotton_spooled_rows_total", "Records copied into files for large answers; a copy that phones share counts once."
)
VERDICTS: Final = Counter(
    "cotton_verdicts_total",
    "Records that were pushed or written, by what became of them and the code of the first reason.",
    ("channel", "verdict", "code"),
    known=[
        ("phone", "accepted", ""),
        ("phone", "refused", "not_processable"),
        ("office", "refused", "not_processable"),
    ],
)
OUTCOMES: Final = Counter(
    "cotton_merge_outcomes_total",
    "Columns that both sides changed, by the policy that decided and whose value was kept.",
    ("policy", "kept"),
)


def count_delta(rows: int) -> None:
    """Count an answer from memory."""
    PULLS.add("delta" if rows else "nothing")
    PULLED_ROWS.add(n=rows)


def count_verdicts(drafts: Iterable[Draft]) -> None:
    """Count what became of drafts, once their unit of work has committed."""
    for draft in drafts:
        code = draft.faults[0].code if draft.faults else ""
        VERDICTS.add_if_committed(draft.origin.channel.value, draft.verdict.value, code)
        for outcome in draft.outcomes:
            OUTCOMES.add_if_committed(outcome.policy, _kept(outcome))


def _kept(outcome: Outcome) -> str:
    if outcome.parked is not None:
        return "parked"
    if outcome.kept == outcome.theirs:
        return "theirs"
    return "ours" if outcome.kept == outcome.ours else "both"
