"""The job of the merge engine: records merged a second, on one core.

Owns: the records and the floor, which copies a record and writes its changed columns, deciding nothing.
Must not know: how figures are judged or shown.
Invariant: both are given the same records (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from conflict.merge import merge
from conflict.policies import Bag, Highest, Newest, Policy, Tally, Theirs
from tests.bench.measure import Figure, alternate
from tests.bench.world import World

COLUMNS: Final = 20
LEAST_A_SECOND: Final = 100_000
KINDS: Final[tuple[Policy, ...]] = (Theirs(), Tally(0, None), Bag(), Newest(), Highest())
POLICIES: Final = {f"column_{n}": KINDS[n % len(KINDS)] for n in range(COLUMNS)}
CHANGED: Final = ("column_0", "column_1", "column_2")

Record = dict[str, Any]


async def merges(world: World) -> AsyncIterator[Figure]:
    """How many records of 20 columns, of which the phone changed 3, are merged in a second."""
    count = 50 * world.sizes.rounds * 100
    for name, ours in (("others changed 3 others", _ours(3)), ("others changed the same 3", _ours(0))):
        floors, subjects = await alternate(world.sizes.rounds, _rate(_copied, ours, count), _rate(_merged, ours, count))
        yield Figure(f"merges, {name}: to copying", "records/s", subjects, floors, bound="at least")
        yield Figure(f"merges, {name}", "records/s", subjects, budget=LEAST_A_SECOND, bound="at least")


def _row(added: int, *columns: int) -> Record:
    row: Record = {}
    for n, policy in enumerate(POLICIES.values()):
        moved = added if n in columns else 0
        row[f"column_{n}"] = ("a", f"b{moved}") if isinstance(policy, Bag) else n + moved
    return row


BASE: Final = _row(0)
THEIRS: Final = _row(1, 0, 1, 2)


def _ours(first: int) -> Record:
    return _row(2, first, first + 1, first + 2)


def _merged(ours: Record) -> Any:
    return merge(BASE, ours, THEIRS, CHANGED, POLICIES).row


def _copied(ours: Record) -> Any:
    row = dict(ours)
    for column in CHANGED:
        row[column] = THEIRS[column]
    return row


def _rate(work: Callable[[Record], Any], ours: Record, count: int) -> Callable[[], Any]:
    async def measured() -> float:
        began = time.perf_counter()
        for _ in range(count):
            work(ours)
        return count / (time.perf_counter() - began)

    return measured
