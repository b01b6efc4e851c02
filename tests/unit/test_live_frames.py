"""Frames: what a client may say, strictly, and that nothing the server says could hold a record."""

from __future__ import annotations

import inspect
import json

import pytest

from sync_server.wire import live
from sync_server.wire.live import Authenticate, Ping, Said, Subscribe, Unsubscribe, read_frame


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"type":"subscribe","channel":"org:o"}', Subscribe("org:o")),
        ('{"type":"subscribe","channel":"org:o","presence":true}', Subscribe("org:o", presence=True)),
        ('{"type":"unsubscribe","channel":"org:o"}', Unsubscribe("org:o")),
        ('{"type":"auth","token":"t"}', Authenticate("t")),
        ('{"type":"ping"}', Ping()),
    ],
)
def test_what_a_client_may_say(text: str, said: Said) -> None:
    assert read_frame(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        '{"type":"subscribe"}',
        '{"type":"subscribe","channel":1}',
        '{"type":"subscribe","channel":"org:o","presence":1}',
        '{"type":"subscribe","channel":"org:o","more":1}',
        '{"type":"ping","more":1}',
        '{"type":"shout"}',
        json.dumps({"type": "subscribe", "channel": "x" * 201}),
    ],
)
def test_what_it_may_not(text: str) -> None:
    assert read_frame(text) is None


def test_hint_has_room_for_tables_channels_and_a_clock_only() -> None:
    assert set(inspect.signature(live.hint).parameters) == {"clock", "entities", "channels"}
    assert json.loads(live.hint(3, ("trades",), ("org:o",))) == {
        "type": "hint",
        "clock": 3,
        "entities": ["trades"],
        "channels": ["org:o"],
    }
    assert set(inspect.signature(live.heartbeat).parameters) == {"clock", "due"}
