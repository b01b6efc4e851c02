"""Frames of the live connection: what a client may say, what it is told, and with which codes a connection is closed.

Owns: the shapes; docs/PROTOCOL.md, "Live", is their description.
Must not know: sockets, who may listen to what.
Invariant: what the server says has no member that could hold a record (tests/unit/test_live_frames.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

import orjson

PROTOCOL: Final = "cotton.live.v1"
"""The subprotocol that the server agrees to."""
BEARER: Final = "cotton.bearer."
TICKET: Final = "cotton.ticket."
"""Subprotocols that a browser says beside it, as it can send no header; the server never repeats them."""

FRAME_MAX: Final = 64 * 1024
"""Bytes of one message of a client."""
NAME_MAX: Final = 200
"""Characters of a channel's name; the longest there can be has 136."""


class Close(IntEnum):
    """Why the server ends a connection (RFC 6455, 7.4): 4000 and above are ours."""

    STOPPING = 1001
    TOO_BIG = 1009
    SESSION_ENDED = 4001
    TOKEN_EXPIRED = 4002
    UNREADABLE = 4007
    TOO_SLOW = 4008
    TOO_MANY_MESSAGES = 4009
    SILENT = 4010


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client wants to listen to a channel; `presence`: to show that it is there, and to see who else is."""

    channel: str
    presence: bool = False


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The client wants to listen to a channel no more."""

    channel: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The client has a newer token."""

    token: str


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants to know that it is heard."""


Said: TypeAlias = Subscribe | Unsubscribe | Authenticate | Ping


def read_frame(text: str) -> Said | None:
    """Read what a client says; None if it is nothing that it may say."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    match frame:
        case {"type": "subscribe", "channel": str(channel), **more} if len(channel) <= NAME_MAX:
            presence = more.pop("presence", False)
            return Subscribe(channel, presence) if isinstance(presence, bool) and not more else None
        case {"type": "unsubscribe", "channel": str(channel), **more} if len(channel) <= NAME_MAX and not more:
            return Unsubscribe(channel)
        case {"type": "auth", "token": str(token), **more} if not more:
            return Authenticate(token)
        case {"type": "ping", **more} if not more:
            return Ping()
    return None


def hello(clock: int, heartbeat_seconds: int, expires_in: int, channels: Sequence[str]) -> str:
    """Write the first frame."""
    told = {"clock": clock, "heartbeat": heartbeat_seconds, "expires_in": expires_in, "channels": sorted(channels)}
    return _write("hello", told)


def hint(clock: int, entities: Sequence[str], channels: Sequence[str]) -> str:
    """Write that something changed; without entities: pull now."""
    return _write("hint", {"clock": clock, "entities": entities, "channels": channels})


def heartbeat(clock: int, due: int) -> str:
    """Write that all is well. `due`: the newest change that concerns this connection."""
    return _write("heartbeat", {"clock": clock, "due": due})


def subscribed(channel: str) -> str:
    """Write that the client listens to a channel now."""
    return _write("subscribed", {"channel": channel})


def unsubscribed(channel: str, code: str | None = None) -> str:
    """Write that the client listens to a channel no more; `code`: why, if it did not ask for that."""
    return _write("unsubscribed", {"channel": channel, **({} if code is None else {"code": code})})


def refused(channel: str, code: str) -> str:
    """Write that the client may not listen to a channel."""
    return _write("refused", {"channel": channel, "code": code})


def authenticated(expires_in: int) -> str:
    """Write that the newer token counts."""
    return _write("authenticated", {"expires_in": expires_in})


def expiring(expires_in: int) -> str:
    """Write that the token runs out soon."""
    return _write("expiring", {"expires_in": expires_in})


def pong() -> str:
    """Write that the client is heard."""
    return _write("pong", {})


def presence(channel: str, present: Mapping[str, Sequence[str]]) -> str:
    """Write who is there: user -> devices."""
    listed = [{"user": user, "devices": devices} for user, devices in sorted(present.items())]
    return _write("presence", {"channel": channel, "present": listed})


def _write(kind: str, members: Mapping[str, Any]) -> str:
    return orjson.dumps({"type": kind, **members}).decode()
