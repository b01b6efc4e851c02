"""Digests of rows as a phone makes them: the row as WatermelonDB keeps it, its canonical JSON.

Owns: what of a payload a phone keeps, and the tally of one table (its digests: conflict/digests.py).
Must not know: which rows a device should hold, SQL, HTTP.
Invariant: a row that a phone took from a pull has the same digest here as there (tests/integration/test_verify.py, by a
second implementation; tests/unit/test_digesting.py, by what JSON.stringify writes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson

from conflict.digests import Digests

_WHOLE_BELOW: Final = 2**53
"""Whole doubles below it are written digit by digit, everywhere alike."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the phone's schema; `kind`: string, number or boolean."""

    name: str
    kind: str
    optional: bool

    def kept(self, value: Any) -> Any:
        """Give what WatermelonDB's `sanitizedRaw` keeps of a value: null only where the column is optional."""
        match self.kind:
            case "string" if isinstance(value, str):
                return value
            case "boolean" if isinstance(value, bool):
                return value
            case "number" if isinstance(value, (int, float)) and not isinstance(value, bool):
                return value or 0  # -0 is 0 there
        return None if self.optional else _EMPTY[self.kind]


_EMPTY: Final[Mapping[str, Any]] = {"string": "", "number": 0, "boolean": False}


def read_row(payload: bytes, columns: Sequence[Column]) -> dict[str, Any]:
    """Read a payload as the row that a phone keeps of it: the id, and exactly `columns`."""
    sent = orjson.loads(payload)
    return {"id": sent["id"], **{column.name: column.kept(sent.get(column.name)) for column in columns}}


def canonical(row: Mapping[str, Any]) -> bytes:
    """Write a row's values, the id first, as JSON.stringify does.

    >>> canonical({"id": "p1", "rate": 5.0, "share": 0.00001, "name": "Shah \\u2028"}).decode()
    '["p1",5,0.00001,"Shah \\u2028"]'
    """
    return orjson.dumps([_written(value) if type(value) is float else value for value in row.values()])


def _written(value: float) -> Any:
    """Write a double as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20); the shortest digits are Python's, too."""
    size = abs(value)
    if value.is_integer() and size < _WHOLE_BELOW:
        return int(value)
    if 1e-4 <= size < _WHOLE_BELOW:
        return value
    exact = Decimal(repr(value))
    if 1e-6 <= size < 1e21:
        return orjson.Fragment(f"{exact:f}".removesuffix(".0"))
    _, digits, _ = exact.normalize().as_tuple()
    sign, first, rest = "-" if value < 0 else "", digits[0], "".join(map(str, digits[1:]))
    return orjson.Fragment(f"{sign}{first}{'.' + rest if rest else ''}e{exact.adjusted():+d}")


@dataclass(slots=True)
class Tally:
    """The digests of one table, row by row: `count` buckets, a power of two; rows in `without` are left out."""

    columns: Sequence[Column]
    count: int
    without: frozenset[str] = frozenset()
    digests: Digests = field(init=False)
    sizes: list[int] = field(init=False)
    """Bytes of the payloads in each bucket."""

    def __post_init__(self) -> None:
        self.digests, self.sizes = Digests(self.count), [0] * self.count

    @property
    def rows(self) -> int:
        return self.digests.rows

    def counts(self, id: str) -> bool:
        return id not in self.without

    def add(self, payloads: Sequence[bytes]) -> None:
        """Add rows; order does not matter. Cost: some 15 microseconds a row, so never on the event loop."""
        for payload in payloads:
            row = read_row(payload, self.columns)
            if self.counts(row["id"]):
                self.sizes[self.digests.add(row["id"], canonical(row))] += len(payload)


def blanked(payload: str, blanks: frozenset[str]) -> bytes:
    """Give a payload with the fields of `blanks` null, as who does not see them gets it."""
    return orjson.dumps({**orjson.loads(payload), **dict.fromkeys(blanks)}) if blanks else payload.encode()
