"""Submissions: mutations that one replica, or one page of the office, sends together.

Owns: what is known of them when they come: who, from which cursor, by which way.
Must not know: SQL, JSON, what becomes of them (draft.py).
Invariant: made of a verified session and a body that was read strictly, and never changed on the way
(tests/integration/test_push.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from conflict.mutation import Key, Mutation
from sync_server.engine.entitlements import Entitlements
from sync_server.store.actor import Actor


class Channel(Enum):
    """Which way mutations came: a phone changes only what is synced both ways."""

    PHONE = "phone"
    OFFICE = "office"


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """Mutations that one replica sends together: who, from which cursor, under which name (a digest), and what.

    `holds_issues`: the replica can be told of refusals in its table sync_issues. `poison`: records that are refused
    unread, because they break us (quarantine.py). `entitled`: what the actor may do, read inside the unit of work.
    `counter`: the number that the installation gives its pushes, `arrived` (time.monotonic) when it came: devices.py.
    `settles`: the merge policies decide a clash, not the replica, and each record's verdict is told (exchange). `body`: a
    digest of what it says, where its name does not follow from that. `skew_ms`: how far the device's clock is behind ours.
    """

    actor: Actor
    cursor: int
    digest: bytes
    mutations: Sequence[Mutation]
    holds_issues: bool = True
    poison: frozenset[Key] = frozenset()
    entitled: Entitlements = field(default_factory=lambda: Entitlements({}))
    channel: Channel = Channel.PHONE
    counter: int | None = None
    arrived: float = field(default_factory=time.monotonic)
    settles: bool = False
    body: bytes = b""
    skew_ms: int = 0
    received: datetime = field(default_factory=lambda: datetime.now(UTC))
