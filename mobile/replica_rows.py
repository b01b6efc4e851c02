"""Rows on a device: what WatermelonDB's RawRecord, resolveConflict and areRecordsEqual do to them.

Owns: cleaning a value to its column's type, per-column conflict resolution, the `_changed` list.
Must not know: transports, the steps of a sync.
Invariant: every function gives what its namesake of WatermelonDB 0.28 gives (named in its docstring), JavaScript's
equality and number rules included (tests/acceptance/test_watermelondb.py compares whole databases on random traces).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias

from mobile.replica_schema import Column

Row: TypeAlias = dict[str, Any]
"""`id`, `_status` (synced, created, updated), `_changed` (comma list of columns) and every column of its table."""

ConflictResolver: TypeAlias = Callable[[str, Row, Mapping[str, Any], Row], Row]
"""(table, local, remote, resolved) -> the row to keep; may change and return `resolved`."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ID_LENGTH: Final = 16  # utils/common/randomId
_STATUSES: Final = frozenset({"created", "updated", "deleted", "synced"})
_LARGEST_WHOLE_DOUBLE: Final = 2**53


def random_id(random: Random) -> str:
    """Make an id as WatermelonDB does: 16 letters and digits."""
    return "".join(random.choices(_ALPHABET, k=_ID_LENGTH))


def clean(value: Any, column: Column) -> Any:
    """RawRecord `_setRaw`: keep the value if it is of the column's type, else give the column's empty value."""
    if column.type == "any":
        return value
    if column.type == "string":
        return value if isinstance(value, str) else column.empty
    if column.type == "boolean":
        return bool(value) if isinstance(value, bool) or _is_zero_or_one(value) else column.empty
    return _double(value) if _is_number(value) else column.empty


def sanitized(dirty: Mapping[str, Any], columns: Sequence[Column], random: Random) -> Row:
    """RawRecord `sanitizedRaw`: exactly the table's columns, each of its type; a row without a text id is a new row."""
    row: Row = {"id": dirty.get("id"), "_status": "created", "_changed": ""}
    if isinstance(row["id"], str):
        status, changed = dirty.get("_status"), dirty.get("_changed")
        row["_status"] = status if isinstance(status, str) and status in _STATUSES else "created"
        row["_changed"] = changed if isinstance(changed, str) else ""
    else:
        row["id"] = random_id(random)
    for column in columns:
        row[column.name] = clean(dirty.get(column.name), column)
    return row


def resolve_conflict(local: Row, remote: Mapping[str, Any]) -> Row:
    """sync/impl/helpers `resolveConflict`: the remote row, except the columns that were changed here."""
    resolved = {**local, **remote, "id": local["id"], "_status": local["_status"], "_changed": local["_changed"]}
    for column in filter(None, local["_changed"].split(",")):
        resolved[column] = local.get(column)
    return resolved


def requires_update(local: Row, remote: Mapping[str, Any], columns: Sequence[Column], random: Random) -> bool:
    """sync/impl/helpers `requiresUpdate`: an unchanged row that is already equal need not be written."""
    return local["_status"] != "synced" or not equal(local, {**sanitized(remote, columns, random), "_status": "synced"})


def mark_changed(row: Row, column: str) -> None:
    """sync/helpers `setRawColumnChange`: note that the user changed the column."""
    changed = row["_changed"].split(",") if row["_changed"] else []
    row["_changed"] = ",".join(dict.fromkeys([*changed, column]))
    if row["_status"] != "created":
        row["_status"] = "updated"


def equal(left: Row, right: Row) -> bool:
    """utils/fp/areRecordsEqual: the same keys and `===` values."""
    return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)


def same(left: Any, right: Any) -> bool:
    """JavaScript's `===` on plain values: true is not 1, and 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(_double(value))


def _is_zero_or_one(value: Any) -> bool:
    return isinstance(value, (int, float)) and value in (0, 1)


def _double(value: int | float) -> int | float:
    """Give the number as a JavaScript double holds it; -0 becomes 0, as `value || 0` makes it."""
    if isinstance(value, int) and abs(value) > _LARGEST_WHOLE_DOUBLE:
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return value or 0
