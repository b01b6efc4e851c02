"""Laws of matching: the board is what a full run over all pairs gives, and parts are the score."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from erp_core.distance import EARTH_KM, kilometres
from erp_core.match_board import Board
from erp_core.matching import PARTS, Lot, Need, explain, price_points, score

PLACES = st.none() | st.sampled_from(
    [(Decimal(22), Decimal(70)), (Decimal(19), Decimal(73)), (Decimal(30), Decimal(75))]
)
KINDS = st.none() | st.sampled_from(["S6", "J34"])
DAYS = st.none() | st.integers(1, 30)
READINGS = st.dictionaries(st.sampled_from(["staple_mm", "rd"]), st.integers(1, 5))
LIMITS = st.dictionaries(
    st.sampled_from(["staple_mm", "rd"]), st.tuples(st.none() | st.integers(1, 3), st.none() | st.integers(3, 5))
)
LOTS = st.builds(
    Lot,
    id=st.sampled_from("abcdefgh"),
    commodity=st.sampled_from(["lint", "seed"]),
    bales=st.integers(0, 100),
    variety=KINDS,
    price=st.none() | st.integers(80, 120),
    quality=READINGS,
    place=PLACES,
    ready_from=DAYS,
    ready_until=DAYS,
)
NEEDS = st.builds(
    Need,
    id=st.sampled_from("uvwxyz"),
    commodity=st.sampled_from(["lint", "seed"]),
    bales_min=st.integers(1, 50),
    bales_max=st.integers(50, 100),
    variety=KINDS,
    ceiling=st.none() | st.integers(80, 120),
    limits=LIMITS,
    place=PLACES,
    deliver_from=st.none() | st.integers(1, 15),
    deliver_until=st.none() | st.integers(15, 30),
    most_km=st.none() | st.integers(0, 2000),
)
CHANGES = st.lists(LOTS | NEEDS | st.sampled_from("abcdefghuvwxyz"), max_size=30)


def _by_hand(lots: dict[str, Lot], need: Need, keep: int) -> list[tuple[str, int]]:
    scored = [(lot.id, points) for lot in lots.values() if (points := explain(lot, need).score) is not None]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:keep]


@settings(max_examples=300)
@given(changes=CHANGES, keep=st.integers(1, 3))
def test_after_any_changes_the_board_is_a_full_run(changes: list[Lot | Need | str], keep: int) -> None:
    board, lots, needs = Board(keep=keep), dict[str, Lot](), dict[str, Need]()

    for change in changes:
        before = {id: board.best(id) for id in needs}
        touched: frozenset[str] = frozenset()
        if isinstance(change, Lot):
            touched, lots[change.id] = board.put_lot(change), change
        elif isinstance(change, Need):
            board.put_need(change)
            before.pop(change.id, None)
            needs[change.id] = change
        else:
            touched = board.drop_lot(change)
            board.drop_need(change)
            lots.pop(change, None)
            needs.pop(change, None)
            before.pop(change, None)
        assert all(board.best(id) == best for id, best in before.items() if id not in touched)

    for need in needs.values():
        assert board.best(need.id) == _by_hand(lots, need, keep)
    whole = Board(lots.values(), needs.values(), keep=keep)
    assert all(whole.best(id) == board.best(id) for id in needs)


@given(lot=LOTS, need=NEEDS)
def test_the_parts_are_the_score(lot: Lot, need: Need) -> None:
    verdict = explain(lot, need)

    assert score(lot, need) == verdict.score
    assert (verdict.score is None) == bool(verdict.excluded)
    assert sum(out_of for _, out_of, _ in PARTS) == 100
    if verdict.score is not None:
        assert verdict.score == sum(part.points for part in verdict.parts)
        assert all(0 <= part.points <= part.out_of for part in verdict.parts)


@given(prices=st.tuples(st.integers(1, 100), st.integers(1, 100)), ceiling=st.integers(100, 200))
def test_a_dearer_lot_has_no_more_points(prices: tuple[int, int], ceiling: int) -> None:
    assert price_points(max(prices), ceiling) <= price_points(min(prices), ceiling)


def test_places_are_as_far_one_way_as_the_other() -> None:
    rajkot, guntur = (Decimal("22.30"), Decimal("70.80")), (Decimal("16.31"), Decimal("80.44"))

    assert kilometres(rajkot, guntur) == kilometres(guntur, rajkot) > 1000
    assert kilometres(rajkot, rajkot) == 0
    assert kilometres((Decimal(90), Decimal(0)), (Decimal(-90), Decimal(0))) == round(3.14159265 * EARTH_KM)
