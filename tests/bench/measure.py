"""Figures: what a job and its floor took, round by round, and how it stands to its budget.

Owns: alternating floor and subject, medians, verdicts, the table and the JSON.
Must not know: what is measured.
Invariant: floor and subject take turns within the same run, so that a slow machine or a busy minute slows both
(tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

Work = Callable[[], Awaitable[float]]
"""Does the work once and says how much it took: seconds, or a rate."""


@dataclass(frozen=True)
class Figure:
    """One job's result. `floor` and `subject`: one number per round, in `unit`.

    `budget`: what subject / floor may be at most, or must be at least; without a floor, what the subject itself may be.
    None: for information only. `facts`: what helps to read the number.
    """

    job: str
    unit: str
    subject: Sequence[float]
    floor: Sequence[float] = ()
    budget: float | None = None
    bound: Literal["at most", "at least"] = "at most"
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The ratio of the medians; without a floor the subject's median itself."""
        return median(self.subject) / (median(self.floor) if self.floor else 1)

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return "info"
        met = self.value <= self.budget if self.bound == "at most" else self.value >= self.budget
        return "met" if met else "missed"

    def document(self) -> dict[str, Any]:
        return {
            "job": self.job,
            "unit": self.unit,
            "floor": list(self.floor),
            "subject": list(self.subject),
            "floor_median": median(self.floor) if self.floor else None,
            "subject_median": median(self.subject),
            "value": self.value,
            "is_ratio": bool(self.floor),
            "budget": self.budget,
            "bound": self.bound,
            "verdict": self.verdict,
            "facts": self.facts,
        }

    def line(self) -> tuple[str, ...]:
        """Write the figure as the cells of its line in the table."""
        bound = "<=" if self.bound == "at most" else ">="
        return (
            self.job,
            _short(median(self.floor)) if self.floor else "",
            _short(median(self.subject)),
            self.unit,
            f"{self.value:.2f}x" if self.floor else "",
            "" if self.budget is None else f"{bound} {self.budget:g}{'x' if self.floor else f' {self.unit}'}",
            self.verdict,
        )


async def alternate(rounds: int, floor: Work, subject: Work) -> tuple[list[float], list[float]]:
    """Run floor and subject in turn; give (floor, subject), a number per round. One unmeasured turn comes first."""
    floors: list[float] = []
    subjects: list[float] = []
    for number in range(rounds + 1):
        turns = [(floor, floors), (subject, subjects)]
        for work, results in turns if number % 2 else reversed(turns):
            took = await work()
            if number:
                results.append(took)
    return floors, subjects


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Write the figures as a table of plain text."""
    rows = [("job", "floor", "subject", "unit", "ratio", "budget", "verdict"), *(figure.line() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 3, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def write(figures: Sequence[Figure], folder: Path, *, settings: dict[str, Any]) -> Path:
    """Write all figures as JSON to a new file in `folder`; give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    document = {"settings": settings, "machine": machine, "figures": [figure.document() for figure in figures]}
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
