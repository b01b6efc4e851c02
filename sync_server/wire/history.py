"""Histories over REST: what is asked for, and events as JSON.

Owns: the shape of an event, and the parameters `at`, `position` and those of the audit trail.
Must not know: engine, store, aiohttp.
Invariant: a moment is written in milliseconds, as in a record, and read as RFC 3339 too (tests/integration/test_history.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from erp_core.catalogue import BY_TABLE
from erp_core.values import SAFE_ID
from sync_server.wire.listing import read_limit
from sync_server.wire.problems import Problem, pointer, shown

HISTORY_MAX: Final = 100
NEWEST: Final = 2**62
FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

AUDIT_PARAMETERS: Final[Mapping[str, str]] = {
    "limit": f"Events of a page, at most: 1 to {HISTORY_MAX}.",
    "after": "The `next` of the page before.",
    "table": "Only changes of this table.",
    "id": "Only changes of records with this id.",
    "user": "Only changes by this user.",
    "device": "Only changes made on this device.",
    "since": "Only changes from this moment on (RFC 3339, or milliseconds).",
    "until": "Only changes before this moment.",
}

_POSITION: Final = re.compile("[0-9]{1,16}")


class Happening(Protocol):
    """An event to give; see engine/history.py:Entry."""

    @property
    def table(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def operation(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def authored(self) -> datetime | None: ...
    @property
    def by(self) -> str | None: ...
    @property
    def channel(self) -> str: ...
    @property
    def session(self) -> str | None: ...
    @property
    def device(self) -> str | None: ...
    @property
    def push(self) -> str | None: ...
    @property
    def changes(self) -> Mapping[str, Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which events: `after`: below this position; what is None does not count."""

    limit: int
    after: int
    table: str | None
    id: str | None
    user: str | None
    device: str | None
    since: datetime | None
    until: datetime | None


def read_history(query: Mapping[str, str]) -> tuple[int, int | None]:
    """Read `?limit=&after=` of a record's history: (limit, the position to begin at). Raises Problem."""
    _known(query, ("limit", "after"))
    after = query.get("after", "")
    return read_limit(query.get("limit", "50"), HISTORY_MAX), _position("after", after) if after else None


def read_audit(query: Mapping[str, str]) -> AuditQuery:
    """Read the parameters of the audit trail. Raises Problem."""
    _known(query, AUDIT_PARAMETERS)
    table, after = query.get("table"), query.get("after", "")
    if table is not None and table not in BY_TABLE:
        raise Problem("bad_parameter", f"There is no table {shown(table)}.")
    since, until = (None if name not in query else _moment(name, query[name]) for name in ("since", "until"))
    id, user, device = (_id(name, query[name]) if name in query else None for name in ("id", "user", "device"))
    limit = read_limit(query.get("limit", "50"), HISTORY_MAX)
    return AuditQuery(limit, _position("after", after) if after else NEWEST, table, id, user, device, since, until)


def read_at(text: str) -> tuple[int, datetime]:
    """Read `at`: a position, or a moment as RFC 3339 writes it: (position, moment), of which the other is for ever."""
    if _POSITION.fullmatch(text):
        return int(text), FOR_EVER
    return NEWEST, _moment("at", text)


def read_restore(body: Any) -> int:
    """Read the body of a restore, {"position": n}. Raises Problem."""
    if not isinstance(body, dict) or type(body.get("position")) is not int:
        raise Problem("wrong_type", "position must be a whole number: that of an event.", pointer=pointer("position"))
    other = next((name for name in body if name != "position"), None)
    if other is not None:
        raise Problem("unknown_member", pointer=pointer(other))
    if not 0 <= body["position"] < NEWEST:
        raise Problem("invalid_value", "There is no such position.", pointer=pointer("position"))
    return int(body["position"])


def write_events(events: Sequence[Happening], following: int | None) -> bytes:
    """Write a page of events and where it goes on; null at the end."""
    return orjson.dumps(
        {"events": [_event(one) for one in events], "next": None if following is None else str(following)}
    )


def _event(one: Happening) -> dict[str, Any]:
    told = {"session": one.session, "device": one.device, "push": one.push, "authored": _ms(one.authored)}
    return {
        "table": one.table,
        "id": one.id,
        "position": one.position,
        "operation": one.operation,
        "at": _ms(one.at),
        "by": one.by,
        "channel": one.channel,
        **{name: value for name, value in told.items() if value is not None},
        "changes": one.changes,
    }


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _known(query: Mapping[str, str], names: Iterable[str]) -> None:
    known = list(names)
    for name in query:
        if name not in known:
            raise Problem("bad_parameter", f"{shown(name)} is none of {', '.join(known)}.")


def _position(name: str, text: str) -> int:
    if not _POSITION.fullmatch(text):
        raise Problem("bad_parameter", f"{name} must be the `next` of the page before.")
    return int(text)


def _id(name: str, text: str) -> str:
    if not SAFE_ID.fullmatch(text):
        raise Problem("bad_parameter", f"{name} is not an id.")
    return text


def _moment(name: str, text: str) -> datetime:
    try:
        if re.fullmatch("[0-9]{1,14}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem("bad_parameter", f"{name} is a moment such as 2026-11-23T10:00:00Z.") from None
