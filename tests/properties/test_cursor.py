"""Laws of cursors (correctness.md, holes 31 and 45): exact in JavaScript, monotone, and never wrong about a fork."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sync_server.engine.cursor import CURSOR_LIMIT, Course, FromTheFuture, Position, course
from sync_server.store.clock import SEQ_BITS, Clock

EPOCHS = st.integers(2, 8191)
SEQS = st.integers(0, 2**SEQ_BITS - 1)
POSITIONS = st.tuples(EPOCHS, SEQS)


def encoded(position: tuple[int, int]) -> int:
    return Clock(*position, floor=0).position


@given(POSITIONS)
def test_every_cursor_is_positive_and_exact_in_a_double(position: tuple[int, int]) -> None:
    cursor = encoded(position)

    assert 0 < cursor < CURSOR_LIMIT == 2**53
    assert int(float(cursor)) == cursor
    assert int(float(cursor) + 1) != cursor, "the next cursor is another double"


@given(POSITIONS)
def test_cursor_survives_json_and_the_number_of_a_phone(position: tuple[int, int]) -> None:
    cursor = encoded(position)
    as_a_phone_keeps_it = json.loads(json.dumps({"timestamp": cursor}), parse_int=float)["timestamp"]

    assert int(json.dumps(int(as_a_phone_keeps_it))) == cursor
    assert f"{as_a_phone_keeps_it:.0f}" == str(cursor), "JavaScript prints whole numbers below 2^53 in full"


@given(POSITIONS)
def test_cursor_taken_apart_is_the_position_it_was_made_of(position: tuple[int, int]) -> None:
    assert Position.of(encoded(position)) == Position(*position)


@given(POSITIONS, POSITIONS)
def test_cursors_are_in_the_order_of_positions_within_and_over_epochs(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    assert (encoded(one) < encoded(two)) == (one < two)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), EPOCHS)
def test_every_batch_of_changes_moves_the_cursor_up(batches: list[int], epoch: int) -> None:
    seqs = [sum(batches[:n]) for n in range(len(batches) + 1)]

    assert all(before < after for before, after in pairwise(encoded((epoch, seq)) for seq in seqs))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Clock, list[tuple[int, int]], list[set[int]]]:
    """A history with restores: the clock, the forks, and for each epoch from 2 the positions that still exist in the end."""
    epoch, seq = 2, draw(st.integers(1, 20))
    alive = {2: set(range(encoded((2, 1)), encoded((2, seq)) + 1))}
    forks: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(0, 3))):
        kept = sorted(set().union(*alive.values()))
        cut = draw(st.sampled_from([encoded((2, 0)), *kept]))
        alive = {e: {p for p in positions if p <= cut} for e, positions in alive.items()}
        epoch, seq = epoch + 1, draw(st.integers(0, 10))
        alive[epoch] = set(range(encoded((epoch, 1)), encoded((epoch, seq)) + 1))
        forks.append((epoch, cut))
    return Clock(epoch, seq, 0), forks, [alive[e] for e in range(2, epoch + 1)]


@given(histories(), st.integers(2, 6), st.integers(1, 25))
def test_replica_that_saw_what_a_restore_undid_is_never_sent_a_delta(
    history: tuple[Clock, list[tuple[int, int]], list[set[int]]], epoch: int, seq: int
) -> None:
    clock, forks, alive = history
    cursor = encoded((epoch, seq))

    try:
        way = course(cursor, clock, forks)
    except FromTheFuture:
        assert cursor > clock.position
        return
    if way is Course.INCREMENTAL:
        newest_cut = min((cut for later, cut in forks if later > epoch), default=clock.position)
        assert cursor in alive[epoch - 2] or cursor <= newest_cut
    else:
        assert way is Course.REPLACEMENT, "a replica with a cursor is never told to begin as if it had nothing"


@given(st.integers(1, 2**53 - 1), EPOCHS, SEQS, st.integers(0, 2**53 - 1))
def test_every_cursor_gets_one_of_the_four_answers(cursor: int, epoch: int, seq: int, floor: int) -> None:
    clock = Clock(epoch, seq, min(floor, encoded((epoch, seq))))
    try:
        way = course(cursor, clock, [])
    except FromTheFuture:
        assert cursor > clock.position
    else:
        assert way in (Course.INCREMENTAL, Course.REPLACEMENT)
        assert cursor >= clock.floor or way is Course.REPLACEMENT
