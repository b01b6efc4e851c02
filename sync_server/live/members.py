"""Members: the connections of one organisation, what each listens to, and what it has yet to be told.

Owns: the state that the hub (live/hub.py) moves, and the smallest steps of it.
Must not know: sockets, SQL, positions of other organisations.
Invariant: `by_label`, `watchers` and `labels` say the same as the sights and channels of the members, and hold nothing of those
who left (tests/unit/test_live_hub.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sync_server.live.channels import NOTICES, Channel, Sight, may_hear, read_channel
from sync_server.live.news import Touched

MERGED_MAX: Final = 64
"""Batches that a hint sums up, at most; after that it says "pull now"."""

SUBSCRIPTIONS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Hint:
    """What a connection is told: tables and channels that were touched, by the clock. Without tables: pull now."""

    clock: int
    entities: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(slots=True)
class Pending:
    """What a connection has yet to be told."""

    tables: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    merged: int = 0
    everything: bool = False


@dataclass(slots=True, eq=False)
class Viewer:
    """A user with at least one connection: what they see, until when at most (Unix seconds), and their connections."""

    user_id: str
    sight: Sight
    until: float | None = None
    members: set[Member] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Member:
    """A connection. `due`: the position of the newest change that concerns it."""

    viewer: Viewer
    org: House
    due: int
    channels: dict[str, Channel] = field(default_factory=dict)
    pending: Pending | None = None


@dataclass(slots=True, eq=False)
class House:
    """An organisation with at least one connection, and the newest position heard of it.

    `rights`: when rights changed last, under which the sights of its viewers were worked out.
    """

    org_id: str
    clock: int
    rights: tuple[int, int]
    viewers: dict[str, Viewer] = field(default_factory=dict)
    by_label: dict[str, set[Viewer]] = field(default_factory=dict)
    watchers: dict[str, set[Member]] = field(default_factory=dict)
    """Channel -> connections, of branches, entities and notices: those of which only some of the changes seen are told."""
    labels: dict[str, Sequence[str]] = field(default_factory=dict)
    """Entity channel -> the labels that its record carries, as far as was heard."""


class Stale(Enum):
    """Why a batch changed nothing."""

    OLD = "old"
    GAP = "gap"
    TURNED = "rights have changed"
    NOBODY = "nobody listens"


@dataclass(slots=True)
class Heard:
    """What came of a batch: connections with something to be told, channels that they lost, channels to be looked at.

    `since`: when the oldest commit of this process that is in it was made (time.monotonic), if one is.
    """

    ready: set[Member] = field(default_factory=set)
    lost: list[tuple[Member, str]] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    since: float | None = None


def subscribe(member: Member, name: str, labels: Sequence[str] = ()) -> bool:
    """Let a connection listen to a channel; False: it may not. `labels`: of the record of an entity's channel."""
    channel, house = read_channel(name), member.org
    if channel is None or not may_hear(channel, member.viewer.sight, house.org_id, member.viewer.user_id, labels):
        return False
    if name not in member.channels and len(member.channels) >= SUBSCRIPTIONS_MAX:
        return False
    member.channels[name] = channel
    if channel.kind not in ("org", "user"):
        house.watchers.setdefault(name, set()).add(member)
    if channel.kind == "entity":
        house.labels[name] = labels
    return True


def unsubscribe(member: Member, name: str) -> None:
    """Let a connection listen to a channel no more."""
    member.channels.pop(name, None)
    watchers = member.org.watchers.get(name)
    if watchers is not None:
        watchers.discard(member)
        if not watchers:
            del member.org.watchers[name]
            member.org.labels.pop(name, None)


def narrow(member: Member, heard: Heard) -> None:
    """Take from a connection the channels that its user may not listen to any more."""
    house, viewer = member.org, member.viewer
    for name, channel in list(member.channels.items()):
        if not may_hear(channel, viewer.sight, house.org_id, viewer.user_id, house.labels.get(name, ())):
            unsubscribe(member, name)
            heard.lost.append((member, name))


def show(house: House, viewer: Viewer, sight: Sight) -> None:
    """Let a viewer see `sight` and nothing else."""
    for label in viewer.sight.keys() - sight.keys():
        holders = house.by_label[label]
        holders.discard(viewer)
        if not holders:
            del house.by_label[label]
    for label in sight.keys() - viewer.sight.keys():
        house.by_label.setdefault(label, set()).add(viewer)
    viewer.sight = sight


def pend(member: Member, due: int, tables: Iterable[str], channel: str | None, heard: Heard) -> None:
    """Have a connection told; `channel` None: whatever it listens to."""
    if channel is not None and channel not in member.channels:
        return
    member.due = max(member.due, due)
    heard.ready.add(member)
    pending = member.pending
    if pending is None:
        pending = member.pending = Pending()
    pending.merged += 1
    if channel is None or pending.merged > MERGED_MAX:
        pending.everything = True
        pending.tables.clear()
        pending.channels.clear()
    if not pending.everything:
        pending.tables.update(tables)
        pending.channels.add(channel or "")


def channels_of(touched: Touched, labels: Iterable[str], watched: Mapping[str, object]) -> Iterable[str]:
    """Name the watched channels that a touched record is in; `watched`: the entity channels, for a batch without ids."""
    for label in labels:
        kind, _, id = label.partition(":")
        if kind == "branch" and id:
            yield label
        elif kind == "user" and touched.table == NOTICES:
            yield f"{NOTICES}:{id}"
    if touched.id:
        yield f"entity:{touched.table}:{touched.id}"
    else:
        yield from (name for name in watched if name.startswith(f"entity:{touched.table}:"))
