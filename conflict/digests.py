"""Digests of sets of rows that do not depend on the rows' order, so that two sides can compare a table without sending it.

The rows are parted into buckets by their ids; the digest of a bucket is the sum, modulo 2^64, of a hash of each of its rows.
Of all digests it is the cheapest that is the same in any order and whose halves add up. It tells what went wrong by chance (64
bits: one fault in 10^19 goes unseen), not what somebody made up: rows of equal sums can be searched for (D. Wagner, "A
Generalized Birthday Problem", 2002), but here a device deceives nobody but itself.

Owns: the hash, the buckets, the sums.
Must not know: how a row is written as bytes, SQL, HTTP.
Invariant: equal sets have equal digests, whatever their order and however they were parted; the buckets of 2n are those of n,
halved (tests/properties/test_digests.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

_MASK: Final = 2**64 - 1


def bucket(id: str, count: int) -> int:
    """Give the bucket of an id among `count`, a power of two: the first bits of its hash, as many as number them.

    >>> bucket("t1", 1), 2 * bucket("t1", 8) + (bucket("t1", 16) % 2) == bucket("t1", 16)
    (0, True)
    """
    return int.from_bytes(sha256(id.encode()).digest()[:4], "big") * count >> 32


def row_digest(canonical: bytes) -> int:
    """Give the 64 bits of a row that is written in its one canonical form."""
    return int.from_bytes(sha256(canonical).digest()[:8], "big")


@dataclass(slots=True)
class Digests:
    """The digests of one table in `count` buckets; `rows`: how many rows they are of."""

    count: int
    rows: int = 0
    sums: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = [0] * self.count

    def add(self, id: str, canonical: bytes) -> int:
        """Add a row; give its bucket. Cost: two hashes."""
        place = bucket(id, self.count)
        self.sums[place] = (self.sums[place] + row_digest(canonical)) & _MASK
        self.rows += 1
        return place

    def differing(self, others: Sequence[int]) -> list[int]:
        """Name the buckets whose sums are others than `others`, which are as many."""
        return [n for n, (ours, theirs) in enumerate(zip(self.sums, others, strict=True)) if ours != theirs]
