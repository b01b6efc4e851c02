"""Webhooks on the wire: what is asked for, and what is told of them and of their deliveries.

Owns: the JSON of webhooks and deliveries, and what is wrong with a body.
Must not know: engine, store, aiohttp; which URLs may be reached.
Invariant: a secret is in the answer that makes it and in no other (tests/integration/test_webhooks.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from erp_core.happenings import known_events
from sync_server.wire.members import read_members
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem, pointer, shown

EVENTS_MAX: Final = 100
SCOPES_MAX: Final = 100
NAME_MAX: Final = 100
URL_MAX: Final = 2_000
STATES: Final = ("active", "paused")
DELIVERY_STATES: Final = ("pending", "delivered", "dead", "withheld")
PAGE_MAX: Final = 100

_SCOPE: Final = re.compile(r"org|branch|partners|(branch|partner|side|agent|user):[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body says; None: it says nothing of it. `skip_missed`: do not catch up with what happened while it was paused.

    `take_over`: it is the asker's from now on, and their rights count.
    """

    url: str | None = None
    name: str | None = None
    events: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    state: str | None = None
    skip_missed: bool = False
    take_over: bool = False


def read_new(body: Any) -> Asked:
    """Read the body that makes a webhook. Raises Problem."""
    asked = _read(body, ("url", "name", "events", "scopes"))
    for name in ("url", "events"):
        if getattr(asked, name) is None:
            raise Problem("missing_field", f"{name} is missing.", pointer=pointer(name))
    return asked


def read_change(body: Any) -> Asked:
    """Read the body that changes one. Raises Problem."""
    return _read(body, ("url", "name", "events", "scopes", "state", "skip_missed", "take_over"))


def _read(body: Any, names: Sequence[str]) -> Asked:
    said: dict[str, Any] = {name: _READERS[name](name, value) for name, value in read_members(body, names).items()}
    return Asked(**said)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Problem("wrong_type", f"{name} must be a string.", pointer=pointer(name))
    most = URL_MAX if name == "url" else NAME_MAX
    if len(value) > most:
        raise Problem("invalid_value", f"{name} has at most {most} characters.", pointer=pointer(name))
    return value


def _state(name: str, value: Any) -> str:
    if _text(name, value) not in STATES:
        raise Problem("invalid_value", f"{name} is {' or '.join(STATES)}.", pointer=pointer(name))
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Problem("wrong_type", f"{name} must be true or false.", pointer=pointer(name))
    return value


def _words(name: str, value: Any, most: int) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise Problem("wrong_type", f"{name} must be an array of strings.", pointer=pointer(name))
    if len(value) > most:
        raise Problem("invalid_value", f"{name} has at most {most} members.", pointer=pointer(name))
    return list(dict.fromkeys(value))


def _events(name: str, value: Any) -> Sequence[str]:
    words = _words(name, value, EVENTS_MAX)
    if not words:
        raise Problem("invalid_value", "Name at least one event, or * for all.", pointer=pointer(name))
    unknown = next((word for word in words if word not in known_events()), None)
    if unknown is not None:
        raise Problem("invalid_value", f"There is no event {shown(unknown)}.", pointer=pointer(name))
    return words


def _scopes(name: str, value: Any) -> Sequence[str]:
    words = _words(name, value, SCOPES_MAX)
    unknown = next((word for word in words if _SCOPE.fullmatch(word) is None), None)
    if unknown is not None:
        raise Problem("invalid_value", f"{shown(unknown)} is no scope; one is branch:<id>.", pointer=pointer(name))
    return words


_READERS: Final = {
    "url": _text,
    "name": _text,
    "events": _events,
    "scopes": _scopes,
    "state": _state,
    "skip_missed": _flag,
    "take_over": _flag,
}


def read_page(query: Mapping[str, str]) -> tuple[str | None, int | None, int]:
    """Read `?state=&after=&limit=` of a delivery log: (state, number to go on below, limit). Raises Problem."""
    for name in query:
        if name not in ("state", "after", "limit"):
            raise Problem("bad_parameter", f"{shown(name)} is none of state, after, limit.")
    state, after, limit = query.get("state"), query.get("after", ""), query.get("limit", "50")
    if state is not None and state not in DELIVERY_STATES:
        raise Problem("bad_parameter", f"state is one of {', '.join(DELIVERY_STATES)}.")
    if after and not re.fullmatch("[0-9]{1,18}", after, re.ASCII):
        raise Problem("bad_parameter", "after must be the `next` of the page before.")
    if not re.fullmatch("[0-9]{1,3}", limit, re.ASCII) or not 1 <= int(limit) <= PAGE_MAX:
        raise Problem("bad_parameter", f"limit is 1 to {PAGE_MAX}.")
    return state, int(after) if after else None, int(limit)


# --- Answers ------------------------------------------------------------------------------------------------------------


class Kept(Protocol):
    """A webhook to give; see store/webhooks.py:Webhook."""

    @property
    def id(self) -> str: ...
    @property
    def owner_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def events(self) -> Sequence[str]: ...
    @property
    def scopes(self) -> Sequence[str]: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def failures(self) -> int: ...
    @property
    def closed_until(self) -> datetime | None: ...
    @property
    def secret_before_until(self) -> datetime | None: ...
    @property
    def made_at(self) -> datetime: ...
    @property
    def changed_at(self) -> datetime: ...


class Attempted(Protocol):
    """A delivery to give; see store/webhook_deliveries.py:Delivery."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def made_at(self) -> datetime: ...
    @property
    def next_at(self) -> datetime: ...
    @property
    def tried_at(self) -> datetime | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def error(self) -> str: ...
    @property
    def ms(self) -> int | None: ...


def write_webhook(kept: Kept, secret: str | None = None) -> dict[str, Any]:
    """Write a webhook, with its secret if that has just been made."""
    return {
        "id": kept.id,
        "owner_id": kept.owner_id,
        "name": kept.name,
        "url": kept.url,
        "events": list(kept.events),
        "scopes": list(kept.scopes),
        "state": kept.state,
        "reason": kept.reason,
        "failures": kept.failures,
        "closed_until": milliseconds(kept.closed_until),
        "secret_before_until": milliseconds(kept.secret_before_until),
        "made_at": milliseconds(kept.made_at),
        "changed_at": milliseconds(kept.changed_at),
        **({} if secret is None else {"secret": secret}),
    }


def write_delivery(one: Attempted) -> dict[str, Any]:
    """Write a delivery; which record it is about, its message says to whoever may be told."""
    return {
        "id": one.id,
        "type": one.type,
        "state": one.state,
        "attempts": one.attempts,
        "made_at": milliseconds(one.made_at),
        "next_at": milliseconds(one.next_at) if one.state == "pending" else None,
        "tried_at": milliseconds(one.tried_at),
        "status": one.status,
        "error": one.error,
        "ms": one.ms,
    }
