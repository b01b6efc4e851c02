"""The benches run and report: a figure for every job and its floor. What the figures are is no test's business."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.__main__ import JOBS
from tests.bench.measure import Figure, alternate

ROOT = Path(__file__).parents[2]
FIGURES = 29


async def test_every_job_reports_a_figure(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench", "--quick", "--output", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert process.returncode == 0, err.decode()
    figures = _written(tmp_path)
    assert len(figures) == FIGURES
    assert len({figure["job"] for figure in figures}) == FIGURES
    assert len(JOBS) == 14
    for figure in figures:
        assert all(number > 0 for number in figure["floor"])
        assert all(number >= 0 for number in figure["subject"])
        assert figure["subject"]
        assert figure["verdict"] in {"met", "missed", "info"}
        assert figure["job"] in out.decode()


def _written(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.glob("*.json")
    figures: list[dict[str, Any]] = json.loads(path.read_text())["figures"]
    return figures


def test_verdict_follows_the_bound() -> None:
    slow = Figure("pull", "s", subject=[3.0, 2.9, 9.9], floor=[1.0, 1.0, 1.0], budget=2)
    fast = Figure("push", "rows/s", subject=[900.0], floor=[1_000.0], budget=0.5, bound="at least")

    assert (slow.value, slow.verdict) == (3.0, "missed")
    assert (fast.value, fast.verdict) == (0.9, "met")
    assert Figure("zstd", "s", subject=[1.0]).verdict == "info"


async def test_floor_and_subject_take_turns() -> None:
    turns: list[str] = []

    async def floor() -> float:
        turns.append("floor")
        return 1.0

    async def subject() -> float:
        turns.append("subject")
        return 2.0

    assert await alternate(2, floor, subject) == ([1.0, 1.0], [2.0, 2.0])
    assert turns == ["subject", "floor", "floor", "subject", "subject", "floor"]
