"""Knowing: everything that is known of a person, and nothing of others, for the person to have.

Owns: which records and which past values tell of whom.
Must not know: SQL, JSON, who may ask (privacy.py), which fields tell of whom (erp_core/privacy.py).
Invariant: of a record that tells also of others no more is given than tells of the person
(tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erp_core.catalogue import BY_NAME
from erp_core.privacy import Trace, traces_of, where_to_look
from sync_server.store import erasing, known, log
from sync_server.store.database import Connection
from sync_server.store.erasing import Past
from sync_server.store.payloads import take_apart

_OTHERS = ("created_by", "updated_by", "assigned_agent_id")
"""Fields of one's own record that name others."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a record says of a person, from a position on: name -> value, in plain form."""

    table: str
    id: str
    position: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a person: now, what else was before, and for a user what the doors know, by kind."""

    table: str
    id: str
    now: Sequence[Told]
    before: Sequence[Told]
    doors: Mapping[str, Sequence[Mapping[str, Any]]]


async def what_is_known(connection: Connection, org_id: str, subject: str, id: str) -> Known:
    """Gather what is known of a person. In a snapshot. Cost: reads the organisation's log once."""
    traces = traces_of(subject)
    past, _ = await erasing.read_past(connection, org_id, 0, where_to_look(traces, id))
    states = await log.read_states(connection, org_id, {(one.table, one.id) for one in past})
    there = {key for key, state in states.items() if state.row is not None}
    told: dict[tuple[str, str], Told] = {}
    before: list[Told] = []
    for one in past:
        values = _values(traces, one, id)
        earlier = told.get((one.table, one.id))
        if earlier is not None and earlier.values != values:
            before.append(earlier)
        told[one.table, one.id] = Told(one.table, one.id, one.position, values)
    now = [one for key, one in told.items() if key in there]
    before += [one for key, one in told.items() if key not in there]
    doors = await known.read_known(connection, org_id, id) if subject == "user" else {}
    return Known(BY_NAME[subject].table, id, now, sorted(before, key=lambda one: one.position), doors)


def _values(traces: Sequence[Trace], past: Past, id: str) -> Mapping[str, Any]:
    """Give what an event says of the person: all of a record of their own, of others what tells of them."""
    members = take_apart(past.new)
    meant = [trace for trace in traces if trace.tells_of(id, past.table, past.id, members)]
    if any(trace.goes or trace.field == "id" for trace in meant):
        return {name: value for name, value in members.items() if name not in _OTHERS}
    names = {name for trace in meant for name in trace.names}
    return {name: value for name, value in members.items() if name in names}
