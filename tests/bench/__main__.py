"""The command line of the benches: `python -m tests.bench`, or `make bench`.

Owns: which jobs there are and in which order they run.
Must not know: how a job works.
Invariant: it ends with 0 whatever the figures say; a bench informs, it does not gate (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import uvloop

from tests.bench import imports, lives, matching, merges, pulls, pushes, scopes
from tests.bench.measure import Figure, table, write
from tests.bench.world import QUICK, Sizes, World, world

JOBS: dict[str, Callable[[World], AsyncIterator[Figure]]] = {
    "empty-delta": pulls.empty_delta,
    "flatness": pulls.flatness,
    "small-delta": pulls.small_delta,
    "first-sync": pulls.first_syncs,
    "visible": scopes.visible_of_many,
    "grant": scopes.scope_given,
    "large-push": pushes.large_pushes,
    "small-pushes": pushes.small_pushes,
    "import": imports.imports,
    "merges": merges.merges,
    "matching": matching.matching,
    "live-idle": lives.idle,
    "live-hints": lives.hints,
    "live-storm": lives.storm,
}


async def run(sizes: Sizes, jobs: Sequence[str]) -> list[Figure]:
    """Run the jobs one after the other; give all their figures."""
    figures = []
    async with world(sizes) as made:
        for job in jobs:
            async for figure in JOBS[job](made):
                figures.append(figure)
                print(*figure.line(), sep="  ", file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Read the arguments, run, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, one round: shows that it runs, measures nothing"
    )
    parser.add_argument("--rounds", type=int, help="rounds per job; odd, for a median that was measured")
    parser.add_argument("--imported", type=int, help="rows of the file that is imported")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), help="folder of the JSON files")
    parser.add_argument("jobs", nargs="*", metavar="job", help=f"some of: {', '.join(JOBS)}; none: all")
    chosen = parser.parse_args()
    if unknown := set(chosen.jobs) - JOBS.keys():
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    sizes = QUICK if chosen.quick else Sizes()
    if chosen.rounds:
        sizes = dataclasses.replace(sizes, rounds=chosen.rounds)
    if chosen.imported:
        sizes = dataclasses.replace(sizes, imported=chosen.imported)
    figures = uvloop.run(run(sizes, chosen.jobs or list(JOBS)))
    print(table(figures))
    print(f"written to {write(figures, chosen.output, settings=dataclasses.asdict(sizes))}")


if __name__ == "__main__":
    main()
