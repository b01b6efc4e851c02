"""The benches run: a figure that is only made by hand rots."""

from __future__ import annotations

from pathlib import Path

from tests.bench.__main__ import run
from tests.bench.jobs import JOBS, QUICK
from tests.bench.measure import table


async def test_every_job_reports_a_figure_against_its_floor(tmp_path: Path) -> None:
    results = await run(tmp_path, partners=2_000, size=QUICK)

    assert len(results) == len(JOBS)
    assert all(result.floor > 0 and result.ratio > 0 for result in results if "memory" not in result.job)
    assert len(table(results).splitlines()) == 1 + len(JOBS)
