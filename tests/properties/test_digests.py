"""Digests of sets of rows (conflict/digests.py): no order, no parting, and nothing that differs unseen."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.digests import Digests, bucket, row_digest

ROWS = st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=8), max_size=20)
COUNTS = st.sampled_from([1, 2, 8, 64, 4096])


def digests(rows: list[tuple[str, bytes]], count: int) -> Digests:
    made = Digests(count)
    for id, row in rows:
        made.add(id, row)
    return made


@given(ROWS, COUNTS, st.randoms())
def test_order_does_not_matter(rows: dict[str, bytes], count: int, random: object) -> None:
    shuffled = list(rows.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = digests(list(rows.items()), count), digests(shuffled, count)

    assert one == other
    assert one.differing(other.sums) == []
    assert one.rows == len(rows)


@given(ROWS, st.sampled_from([1, 2, 8, 64]))
def test_buckets_of_twice_as_many_are_these_halved(rows: dict[str, bytes], count: int) -> None:
    few, many = digests(list(rows.items()), count), digests(list(rows.items()), 2 * count)

    assert few.sums == [(many.sums[2 * n] + many.sums[2 * n + 1]) % 2**64 for n in range(count)]


@given(ROWS.filter(bool), COUNTS, st.data())
def test_one_row_that_differs_is_found_in_its_bucket_alone(
    rows: dict[str, bytes], count: int, data: st.DataObject
) -> None:
    id = data.draw(st.sampled_from(sorted(rows)))
    changed = {**rows, id: rows[id] + b"!"}
    missing = [item for item in rows.items() if item[0] != id]
    whole = digests(list(rows.items()), count)

    assert whole.differing(digests(list(changed.items()), count).sums) == [bucket(id, count)]
    assert whole.differing(digests(missing, count).sums) == [bucket(id, count)]


@given(st.text(min_size=1), COUNTS)
def test_bucket_is_one_of_them(id: str, count: int) -> None:
    assert 0 <= bucket(id, count) < count


def test_wire_knows_these_numbers() -> None:
    """The phone works them out by itself (mobile/sdk/src/digest.ts): first bits of the id's hash, first bytes of the row's."""
    hashed = sha256("धारवाड़".encode()).digest()

    assert bucket("धारवाड़", 4096) == int.from_bytes(hashed[:2], "big") >> 4
    assert row_digest("धारवाड़".encode()) == int.from_bytes(hashed[:8], "big")
    assert Digests(2).add("t1", b"") == bucket("t1", 2)


def test_sum_begins_again_at_two_to_the_64() -> None:
    made = digests([("a", bytes([n])) for n in range(64)], 1)

    assert made.sums == [sum(row_digest(bytes([n])) for n in range(64)) % 2**64]


def test_digests_of_another_number_of_buckets_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        Digests(2).differing([0])
