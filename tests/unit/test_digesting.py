"""What a phone keeps of a payload, and the canonical text that is hashed."""

from __future__ import annotations

import json

import pytest

from conflict.digests import bucket
from sync_server.store.digesting import Column, Tally, canonical, read_row


@pytest.mark.parametrize(
    ("value", "text"),
    [  # what JSON.stringify writes, by ECMA-262 6.1.6.1.20
        (5.0, "5"),
        (-5.0, "-5"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001234, "0.00001234"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-8, "-1.5e-8"),
        (9007199254740993.0, "9007199254740992"),
        (123456789012345678901.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.25e300, "1.25e+300"),
        ('\x08\x1f\x7f"\\/\u2028é', '"\\b\\u001f\x7f\\"\\\\/\u2028é"'),
        (True, "true"),
        (None, "null"),
    ],
)
def test_canonical_text_is_what_javascript_writes(value: object, text: str) -> None:
    assert canonical({"id": "a", "value": value}).decode() == f'["a",{text}]'


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("string", 5, ""),
        ("string", None, ""),
        ("number", None, 0),
        ("number", True, 0),
        ("number", -0.0, 0),
        ("boolean", None, False),
        ("boolean", True, True),
        ("number", 2.5, 2.5),
    ],
)
def test_row_is_kept_as_watermelondb_keeps_it(kind: str, value: object, kept: object) -> None:
    required, optional = Column("a", kind, optional=False), Column("b", kind, optional=True)
    row = read_row(json.dumps({"id": "x", "a": value, "unknown": 1}).encode(), [required, optional])

    assert json.dumps(row) == json.dumps({"id": "x", "a": kept, "b": None})


def test_order_of_rows_does_not_matter_and_rows_left_out_do_not_count() -> None:
    rows = [json.dumps({"id": f"r{n}", "a": str(n)}).encode() for n in range(100)]
    columns = [Column("a", "string", optional=True)]
    one, other = Tally(columns, 8, frozenset({"r5"})), Tally(columns, 8)

    one.add(rows)
    other.add([row for row in reversed(rows) if b'"r5"' not in row])

    assert one.digests.differing(other.digests.sums) == []
    assert (one.rows, other.rows) == (99, 99)
    other.add([rows[5]])
    assert one.digests.differing(other.digests.sums) == [bucket("r5", 8)]
