"""Findings: what the doctor says of one thing that it looked at.

Must not know: what is looked at.
Invariant: a finding that is wrong says what, where and what to do (tests/integration/test_doctor.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, where, and what was found; `mend`: what to do, None if nothing is wrong."""

    what: str
    mend: str | None = None


def judged(what: str, *, wrong: bool, mend: str) -> Finding:
    """Say what was found, and what to do if it is wrong."""
    return Finding(what, mend if wrong else None)
