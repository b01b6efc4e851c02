"""Channels: what somebody may listen to, by what they are entitled to.

Owns: the grammar of a channel's name, and who may have which.
Must not know: connections, SQL, how entitlements come about; they arrive as a sight.
Invariant: a channel that is not allowed is refused alike whether what it names exists or not
(tests/unit/test_live_hub.py).

`user:<id>` and `notifications:<id>`: oneself only. `org:<id>`: the own organisation: every record that one sees.
`branch:<id>`: the records of a branch that one sees. `entity:<table>:<id>`: one record, if one sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

Sight: TypeAlias = Mapping[str, frozenset[str]]
"""Label -> the tables whose records are seen if they carry it. What entitlements come to, for whoever listens."""

NOTHING: Final[frozenset[str]] = frozenset()
ACROSS_BRANCHES: Final = "branch"
"""The label of every record of a table that has branches: who sees by it, sees every branch's."""
NOTICES: Final = "notifications"

_ID: Final = r"[A-Za-z0-9_.-]{1,64}"
_FORM: Final = re.compile(rf"(user|org|branch|notifications):({_ID})|(entity):([a-z_]{{1,64}}):({_ID})")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's parts; `table` only of an entity's."""

    kind: str
    id: str
    table: str = ""


@lru_cache(4096)
def read_channel(name: str) -> Channel | None:
    """Read a channel's name; None if it is none.

    >>> read_channel("entity:trades:t1")
    Channel(kind='entity', id='t1', table='trades')
    >>> read_channel("branch:b1"), read_channel("branch:*"), read_channel("trades")
    (Channel(kind='branch', id='b1', table=''), None, None)
    """
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    kind, id, entity, table, record = found.groups()
    return Channel(entity, record, table) if entity else Channel(kind, id)


def sees(sight: Sight, table: str, labels: Iterable[str]) -> bool:
    """Say whether a record of `table` that carries `labels` is seen."""
    return any(table in sight.get(label, NOTHING) for label in labels)


def may_hear(channel: Channel, sight: Sight, org_id: str, user_id: str, labels: Iterable[str] = ()) -> bool:
    """Say whether a user may listen to `channel`; `labels`: those of the record that an entity's channel names."""
    match channel.kind:
        case "org":
            return channel.id == org_id
        case "user" | "notifications":
            return channel.id == user_id
        case "branch":
            return f"branch:{channel.id}" in sight or ACROSS_BRANCHES in sight
        case _:
            return sees(sight, channel.table, labels)
