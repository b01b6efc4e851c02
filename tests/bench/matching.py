"""The job of matching: every need's best lots over a whole board, and one change of it.

Owns: the lots and needs, the same for every run.
Must not know: how figures are judged or shown.
Invariant: the board gives what explaining every pair by hand gives, which is looked at for some needs (`_checked`).
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Final

from erp_core.match_board import Board
from erp_core.matching import Lot, Need, explain
from tests.bench.measure import Figure
from tests.bench.world import World

LOTS: Final = 10_000
NEEDS: Final = 1_000
KEEP: Final = 10
SECOND_MS: Final = 1_000.0
CHANGE_MS: Final = 50.0
PLACES: Final = tuple((Decimal(lat), Decimal(lon)) for lat in (19, 21, 22, 23, 30) for lon in (70, 72, 75, 77))
KINDS: Final = ("shankar6", "j34", "mcu5", "dch32", "bunny")


async def matching(world: World) -> AsyncIterator[Figure]:
    """How long the best lots of 1 000 requirements among 10 000 availabilities take, and one changed availability."""
    lots, needs = _lots(), _needs()

    took = []
    for _ in range(world.sizes.rounds):
        began = time.perf_counter()
        board = Board(lots, needs, keep=KEEP)
        took.append((time.perf_counter() - began) * 1_000)
    _checked(board, lots, needs[:3])
    yield Figure(f"matching, {LOTS} availabilities, {NEEDS} requirements", "ms", took, budget=SECOND_MS)
    dearer = [_dearer(board, lot) for lot in lots[:: LOTS // 50]]
    yield Figure("matching, one changed availability", "ms", dearer, budget=CHANGE_MS)


def _dearer(board: Board, lot: Lot) -> float:
    changed = Lot(
        lot.id, lot.commodity, lot.bales, variety=lot.variety, price=(lot.price or 0) + 50_000, place=lot.place
    )
    began = time.perf_counter()
    board.put_lot(changed)
    return (time.perf_counter() - began) * 1_000


def _checked(board: Board, lots: Sequence[Lot], needs: Sequence[Need]) -> None:
    """Compare with a full run, whose scores are the sums of their explained parts."""
    for need in needs:
        verdicts = [(lot.id, explain(lot, need)) for lot in lots]
        scored = [(id, sum(part.points for part in v.parts)) for id, v in verdicts if v.score is not None]
        best = sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:KEEP]
        if list(board.best(need.id)) != best:
            raise AssertionError(f"the board ranks the lots of {need.id} otherwise than a full run")


def _lots() -> list[Lot]:
    draw = random.Random(17)
    return [
        Lot(
            f"lot{n:05}",
            "lint",
            draw.randrange(50, 500),
            variety=draw.choice(KINDS),
            price=draw.randrange(5_500_000, 6_800_000, 5_000),
            quality={"staple_mm": draw.randrange(2_700, 3_200, 10), "micronaire": draw.randrange(350, 490, 5)},
            place=draw.choice(PLACES),
        )
        for n in range(LOTS)
    ]


def _needs() -> list[Need]:
    draw = random.Random(23)
    return [
        Need(
            f"need{n:04}",
            "lint",
            50,
            draw.randrange(100, 400),
            variety=draw.choice((*KINDS, None)),
            ceiling=draw.randrange(5_800_000, 6_600_000, 5_000),
            limits={"staple_mm": (draw.randrange(2_750, 2_950, 10), None), "micronaire": (350, 470)},
            place=draw.choice(PLACES),
        )
        for n in range(NEEDS)
    ]
