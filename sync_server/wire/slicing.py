"""Slices on the wire: an answer of an exchange that is cut into bodies of a size.

Owns: the words `budget_bytes` and `more`, the shape of a slice, and where one ends.
Must not know: engine, store; which records come first.
Invariant: the slices together have each record once, in the order in which they were added, and none is larger than the budget
unless a single record is, or the verdicts are; only the first has verdicts, only the last a timestamp
(tests/unit/test_slicing.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sync_server.wire.problems import Problem, pointer, shown

BUDGET_MIN: Final = 4_096
"""Bytes; with less, what surrounds the records would be most of it."""

BUDGET_MAX: Final = 16 * 2**20
"""Bytes; a slice is put together in memory."""

_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([1-9][0-9]{0,8})")
_LISTS: Final = ("created", "updated", "deleted")


def read_budget(body: Mapping[str, Any]) -> int | None:
    """Read `budget_bytes`; None: the answer is to come whole. Raises Problem."""
    budget = body.get("budget_bytes")
    if budget is None:
        return None
    if type(budget) is not int:
        raise Problem("wrong_type", "budget_bytes must be a whole number or null.", pointer=pointer("budget_bytes"))
    if not BUDGET_MIN <= budget <= BUDGET_MAX:
        sentence = f"budget_bytes must be from {BUDGET_MIN} to {BUDGET_MAX}."
        raise Problem("invalid_value", sentence, pointer=pointer("budget_bytes"))
    return budget


@dataclass(frozen=True, slots=True)
class Token:
    """Which slice is asked for: of which answer, at which place; 0 is the first, which nobody asks for."""

    name: str
    place: int

    def __str__(self) -> str:
        return f"{self.name}.{self.place}"


def asks_for_more(body: Any) -> bool:
    """Say whether a body of an exchange (parsed JSON) asks for a further slice."""
    return isinstance(body, dict) and "more" in body


def read_more(body: Mapping[str, Any]) -> Token:
    """Read which slice is asked for. Raises Problem."""
    for name in body:
        if name != "more":
            sentence = f"{shown(name)} cannot come with more: a slice is asked for by its token alone."
            raise Problem("unknown_member", sentence, pointer=pointer(name))
    text = body["more"]
    if not isinstance(text, str):
        raise Problem("wrong_type", "more must be the token of the last slice.", pointer=pointer("more"))
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise Problem("slices_gone")
    return Token(found[1], int(found[2]))


def write_more(name: str, place: int, rows: int, bytes_: int) -> bytes:
    """Write the end of a slice after which others come: the token of the one at `place`, rows and bytes of all of them."""
    return f',"more":{{"token":"{Token(name, place)}","rows":{rows},"bytes":{bytes_}}}}}'.encode()


_END_MAX: Final = len(write_more("x" * 43, 10**9 - 1, 10**11, 10**14))
"""Bytes of the longest end of a slice."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice without its end, or the last one, which has it; `rows`: records and deletions in it."""

    content: bytes
    rows: int


@dataclass(slots=True)
class Cutter:
    """Cuts an answer into slices as its records are added."""

    budget: int
    verdicts: bytes
    _opening: bytes = field(init=False)
    _tables: dict[str, dict[str, list[bytes]]] = field(init=False, default_factory=dict)
    _told: int = field(init=False)
    _rows: int = field(init=False)
    _size: int = field(init=False)

    def __post_init__(self) -> None:
        self._open(b'"verdicts":' + self.verdicts + b",", told=len(self.verdicts) - len("[]"))

    def _open(self, members: bytes = b"", told: int = 0) -> None:
        self._opening = b"{" + members + b'"changes":{'
        self._tables, self._told, self._rows = {}, told, 0
        self._size = len(self._opening) + 1 + _END_MAX

    def add(self, table: str, which: str, elements: Iterable[bytes]) -> Iterator[Slice]:
        """Add records (JSON objects), or ids (JSON strings) to `deleted`; give the slices that are full."""
        for element in elements:
            if self._size + self._cost(table, element) > self.budget and self._worth_sending:
                yield self._close()
            self._size += self._cost(table, element)
            self._tables.setdefault(table, {which: [] for which in _LISTS})[which].append(element)
            self._rows += 1

    def last(self, timestamp: int) -> Slice:
        """Give what is left, with its end; before any slice was full it is the whole answer."""
        slice_ = self._close()
        return Slice(slice_.content + f',"timestamp":{timestamp}}}'.encode(), slice_.rows)

    @property
    def _worth_sending(self) -> bool:
        return self._rows > 0 or self._told > 0

    def _cost(self, table: str, element: bytes) -> int:
        return len(element) + 1 + (0 if table in self._tables else len(_table(table, {})) + 1)

    def _close(self) -> Slice:
        changes = b",".join(_table(table, lists) for table, lists in self._tables.items())
        slice_ = Slice(self._opening + changes + b"}", self._rows)
        self._open()
        return slice_


def _table(table: str, lists: Mapping[str, list[bytes]]) -> bytes:
    written = b",".join(b'"%b":[%b]' % (which.encode(), b",".join(lists.get(which, ()))) for which in _LISTS)
    return b'"%b":{%b}' % (table.encode(), written)
