"""Document numbers on the wire: requests for numbers, blocks, and the gap report.

Owns: the members of the requests and the answers.
Must not know: engine, store, aiohttp.
Invariant: an unknown member or a value out of its bounds is answered with a pointer and without any effect
(tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from erp_core.values import SAFE_ID
from sync_server.wire.members import read_members
from sync_server.wire.problems import Problem, pointer

COUNT_MAX: Final = 200
HOLDS_MAX: Final = 50
REASON_MAX: Final = 500
PAGE_MAX: Final = 1_000
NUMBER_MAX: Final = 999_999_999
_LEASE: Final = ("kind", "branch_id", "count", "on", "holds", "left")


def read_lease(body: Any) -> Mapping[str, Any]:
    """Read `{kind, branch_id, count, on?, holds?, left?}` (parsed JSON). Raises Problem."""
    said = read_members(body, _LEASE, needed=_LEASE[:3])
    return {
        "kind": _text(said, "kind", 64),
        "branch_id": _id(said["branch_id"], "branch_id"),
        "count": _whole(said, "count", 1, COUNT_MAX),
        "on": _day(said["on"]) if said.get("on") is not None else None,
        "holds": tuple(_id(one, "holds") for one in _list(said.get("holds", []), "holds")),
        "left": _whole(said, "left", 0, COUNT_MAX) if "left" in said else 0,
    }


def read_return(body: Any) -> Mapping[str, int]:
    """Read `{blocks: {id: first unused number}}`. Raises Problem."""
    blocks = read_members(body, ("blocks",), needed=("blocks",))["blocks"]
    if not isinstance(blocks, dict) or not 1 <= len(blocks) <= HOLDS_MAX:
        raise Problem("wrong_type", f"blocks must be an object of 1 to {HOLDS_MAX} blocks.", pointer="/blocks")
    return {_id(id, "blocks"): _whole(blocks, id, 1, NUMBER_MAX + 1) for id in blocks}


def read_reason(body: Any) -> tuple[int, int, str]:
    """Read `{first, last, reason}`. Raises Problem."""
    said = read_members(body, ("first", "last", "reason"), needed=("first", "last", "reason"))
    reason = _text(said, "reason", REASON_MAX)
    return _whole(said, "first", 1, NUMBER_MAX), _whole(said, "last", 1, NUMBER_MAX), reason


def _text(said: Mapping[str, Any], name: str, most: int) -> str:
    value = said[name]
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= most:
        raise Problem("wrong_type", f"{name} must be a text of 1 to {most} characters.", pointer=pointer(name))
    return value.strip()


def _whole(said: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = said[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Problem("invalid_value", f"A whole number from {least} to {most} is needed.", pointer=pointer(name))
    return value


def _id(value: Any, name: str) -> str:
    if not isinstance(value, str) or not SAFE_ID.fullmatch(value):
        raise Problem("unsafe_id", pointer=pointer(name))
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > HOLDS_MAX:
        raise Problem("wrong_type", f"{name} must be a list of at most {HOLDS_MAX}.", pointer=pointer(name))
    return value


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Problem("invalid_value", "on must be a day such as 2026-11-24.", pointer="/on") from None
