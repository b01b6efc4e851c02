"""The message that an endpoint gets, in the form that Standard Webhooks gives it.

Owns: its JSON: type, timestamp, data.
Must not know: engine, store; what of an event may be told.
Invariant: one event has one form, so that what is signed can be parsed by whoever reads records over REST
(tests/integration/test_webhook_rights.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from sync_server.wire.moments import milliseconds


class Event(Protocol):
    """What is told of an event; see engine/webhooks.py:Told."""

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def table(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def operation(self) -> str: ...
    @property
    def by(self) -> str | None: ...
    @property
    def steps(self) -> Sequence[str]: ...
    @property
    def record(self) -> Mapping[str, Any] | None: ...
    @property
    def changes(self) -> Mapping[str, Mapping[str, Any]]: ...


def write_message(event: Event) -> bytes:
    """Write the message of an event, as far as its webhook's owner may be told."""
    data = {
        "table": event.table,
        "id": event.id,
        "position": event.position,
        "operation": event.operation,
        "steps": list(event.steps),
        "at": milliseconds(event.at),
        "by": event.by,
        "record": event.record,
        "changes": event.changes,
    }
    return _envelope(event.name, event.at, data)


def write_ping(at: datetime) -> bytes:
    """Write the message of a test."""
    return _envelope("webhook.ping", at, {})


def _envelope(type: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    timestamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return orjson.dumps({"type": type, "timestamp": timestamp, "data": data})
