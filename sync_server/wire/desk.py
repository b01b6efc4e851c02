"""The desk on the wire: what a page is asked by, and its lines.

Owns: the parameters and the members of the answers.
Must not know: engine, store, who may read.
Invariant: what depends on the day is worked out here for the day that the answer names (tests/integration/test_desk.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol

import orjson

from erp_core.desk import aged, days_left
from erp_core.values import SAFE_ID
from sync_server.wire.listing import read_limit
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem, shown

PAGE_MAX: Final = 1_000
KEY_MAX: Final = 200
"""Characters; a key is up to three ids."""


class AsOf(Protocol):
    """Up to where lines are."""

    @property
    def cursor(self) -> int: ...
    @property
    def at(self) -> Any: ...
    @property
    def behind(self) -> int: ...


def read_query(query: Mapping[str, str], filters: Collection[str]) -> tuple[dict[str, str], str, int]:
    """Read the query of a page: (value by filter, after, limit). Raises Problem."""
    for name in query:
        if name not in (*filters, "after", "limit"):
            raise Problem(
                "bad_parameter", f"There is no {shown(name)} here; ask by {', '.join(filters)}, after and limit."
            )
    asked = {name: query[name] for name in filters if name in query}
    for name, value in asked.items():
        if not SAFE_ID.fullmatch(value):
            raise Problem("bad_parameter", f"{name} must be an id.")
    after = query.get("after", "")
    if len(after) > KEY_MAX or not all(part == "" or SAFE_ID.fullmatch(part) for part in after.split("/")):
        raise Problem("bad_parameter", "after must be the next of the page before.")
    return asked, after, read_limit(query.get("limit", str(PAGE_MAX)), PAGE_MAX)


def write_page(
    name: str, lines: Mapping[str, Mapping[str, Any]], following: str | None, as_of: AsOf, today: date
) -> bytes:
    """Write a page of a read model as it is on the day `today`."""
    return orjson.dumps(
        {
            "lines": [{"key": key, **_on(name, line, today)} for key, line in lines.items()],
            "next": following,
            "on": today.isoformat(),
            "as_of": {"cursor": as_of.cursor, "at": milliseconds(as_of.at), "behind": as_of.behind},
        },
        default=_plain,
    )


def _on(name: str, line: Mapping[str, Any], today: date) -> Mapping[str, Any]:
    if name == "deliveries":
        return {**line, "days_left": days_left(line["deliver_until"], today)}
    if name == "ageing":
        kept = {column: value for column, value in line.items() if column not in ("due_days", "amounts")}
        return {**kept, **aged(line["due_days"], line["amounts"], today)}
    return line


def _plain(value: Any) -> float:
    assert isinstance(value, Decimal)
    return float(value)  # 14 digits at most: a double holds them
