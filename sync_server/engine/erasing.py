"""Erasing: a person is forgotten, in what is, in what was, and in all that repeats it; devices hear of it by their pulls.

Owns: what is done, and in which order.
Must not know: SQL, HTTP, which fields tell of whom (erp_core/privacy.py), who may ask.
Invariant: once it has committed, no table of the database holds what was known of the person, whatever was written to the
records before; the chain of seals still holds, and no push brings it back (tests/integration/test_privacy.py).

The log is read before the transaction, since what is in it does not change, and only its end again under the clock.
docs/decisions/0026-privacy.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from erp_core.catalogue import BY_NAME, BY_TABLE, ORDER
from erp_core.language import Entity
from erp_core.privacy import COPIES, Trace, forgotten, left_of, traces_of, where_to_look
from erp_core.values import Row
from sync_server.engine.holding import lock
from sync_server.store import erasing as store
from sync_server.store import log, rows
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.erasing import Kept, Key, Past
from sync_server.store.payloads import put_together, scrub, take_apart
from sync_server.store.seals import FOLLOWER
from sync_server.store.unit_of_work import LOST_RACES, SERVER, Busy, Outdated, act_as_server

ATTEMPTS_MAX: Final = 5

_COPIED: Final = frozenset(chain.from_iterable(COPIES.values()))


@dataclass(frozen=True, slots=True)
class Person:
    """Who is forgotten: a record of one of `privacy.SUBJECTS`, by the request `request_id`."""

    request_id: str
    entity: str
    id: str


@dataclass(slots=True)
class Erased:
    """What was done; `position`: of the last change, from which on a device has heard of all of it."""

    position: int = 0
    records: dict[str, int] = field(default_factory=dict)
    events: int = 0
    answers: int = 0

    def proof(self) -> Mapping[str, Any]:
        """Give what is told of it: numbers only."""
        return {"records": self.records, "events": self.events, "answers": self.answers}


async def erase(database: Database, org_id: str, person: Person) -> Erased:
    """Forget a person. Doing it again does what is left to do.

    Raises `Busy`. Cost: reads the organisation's log twice, then one transaction of some 60 statements that holds the clock.
    """
    return await database.shielded(_attempts(database, org_id, person))


async def _attempts(database: Database, org_id: str, person: Person) -> Erased:
    for _ in range(ATTEMPTS_MAX):
        try:
            async with database.acquire_everywhere() as connection:
                return await _Erasure(connection, org_id, person).go()
        except LOST_RACES:
            continue
    raise Busy


class _Erasure:
    """One attempt. `_fields`: of which records which fields are erased, those of past ones included."""

    def __init__(self, connection: Connection, org_id: str, person: Person) -> None:
        self._connection = connection
        self._org_id = org_id
        self._person = person
        self._traces = traces_of(person.entity)
        self._fields: dict[Key, set[str]] = defaultdict(set)
        self._past: dict[int, Past] = {}
        self._done = Erased()

    async def go(self) -> Erased:
        upto = await self._look_back(0, self._own())
        told = await self._look_back(0, self._copies())
        known = set(self._fields)
        async with self._connection.transaction():
            await FOLLOWER.hold(self._connection, self._org_id)  # nothing is sealed while it is rewritten
            await act_as_server(self._connection)
            await self._change_records()
            await self._look_back(upto, self._own())
            if not known >= self._fields.keys():
                raise Outdated  # what repeated the new ones was not looked for
            await self._change_copies()
            await self._look_back(told, self._copies())
            await store.note(self._connection, self._org_id, self._person.request_id, self._fields)
            await self._rewrite_log()
            await self._rewrite_kept()
            if self._person.entity == "user":
                await store.forget_logins(self._connection, self._org_id, self._person.id)
            self._done.position = (await read_clock(self._connection, self._org_id)).position
        return self._done

    # --- What there was -------------------------------------------------------------------------------------------------

    def _own(self) -> Sequence[tuple[str, str, str]]:
        return where_to_look(self._traces, self._person.id)

    def _copies(self) -> Sequence[tuple[str, str, str]]:
        ids = sorted({id for _, id in self._fields})
        return [(BY_NAME[name].table, "record_id", id) for name in COPIES for id in ids]

    async def _look_back(self, after: int, wanted: Sequence[tuple[str, str, str]]) -> int:
        """Find the events after a position that tell of the person, and note what is to go of their records."""
        found, upto = await store.read_past(self._connection, self._org_id, after, wanted)
        for past in found:
            if names := self._names(past):
                self._past[past.position] = past
                self._fields[past.table, past.id] |= names
        return upto

    def _names(self, past: Past) -> set[str]:
        """Say which fields of an event tell of the person."""
        entity, members = BY_TABLE[past.table], take_apart(past.new)
        if entity.name in COPIES:
            about = (members["table_name"], members["record_id"])
            return set(COPIES[entity.name]) if about in self._fields else set()
        return {
            name
            for trace in self._traces
            if trace.tells_of(self._person.id, past.table, past.id, members)
            for name in trace.names
        }

    # --- What there is --------------------------------------------------------------------------------------------------

    async def _change_records(self) -> None:
        """Empty what stays of the records that are there, delete the others."""
        going: dict[str, list[str]] = defaultdict(list)
        staying: dict[Key, Sequence[str]] = {}
        for trace in self._traces:
            for id in await self._ids(trace):
                self._fields[trace.entity.table, id] |= set(trace.names)
                if trace.goes:
                    going[trace.entity.table].append(id)
                else:
                    staying[trace.entity.table, id] = trace.names
        await lock(self._connection, self._org_id, self._fields)
        await self._empty(staying)
        for table in sorted(going, key=ORDER.__getitem__, reverse=True):
            await rows.delete(self._connection, BY_TABLE[table], self._org_id, going[table])
            self._done.records[table] = len(going[table])

    async def _ids(self, trace: Trace) -> Sequence[str]:
        if trace.field == "id":
            return [self._person.id]
        found = await rows.ids_by(self._connection, trace.entity, trace.field, self._org_id, [self._person.id])
        return [id for id, _ in found]

    async def _change_copies(self) -> None:
        """Empty what repeats the records, in the inbox and among the notifications; what still waits there is closed."""
        found: dict[Key, Sequence[str]] = {}
        ids = sorted({id for _, id in self._fields})
        for name, fields in COPIES.items():
            entity = BY_NAME[name]
            named = await rows.ids_by(self._connection, entity, "record_id", self._org_id, ids)
            states = await log.read_states(self._connection, self._org_id, [(entity.table, id) for id, _ in named])
            for key, state in states.items():
                if state.row is not None and (state.row["table_name"], state.row["record_id"]) in self._fields:
                    found[key] = fields
        await self._empty(found)

    async def _empty(self, wanted: Mapping[Key, Sequence[str]]) -> None:
        states = await log.read_states(self._connection, self._org_id, list(wanted))
        now, changed = datetime.now(UTC), defaultdict[str, dict[str, Row]](dict)
        for (table, id), names in wanted.items():
            state = states.get((table, id))
            if state is None or state.row is None:
                continue
            left = left_of(BY_TABLE[table], id, state.row, names)
            if table == BY_NAME["sync_issue"].table and left["state"] == "open":
                left = {**left, "state": "discarded"}  # of what was wanted nothing is left to be decided about
            if left != state.row:
                changed[table][id] = {**left, "updated_at": now, "updated_by": SERVER}
        for table in sorted(changed, key=ORDER.__getitem__):
            await rows.update(self._connection, BY_TABLE[table], self._org_id, changed[table])
            self._done.records[table] = self._done.records.get(table, 0) + len(changed[table])

    # --- What repeats it ------------------------------------------------------------------------------------------------

    async def _rewrite_log(self) -> None:
        news: dict[int, str] = {}
        for position, past in self._past.items():
            members = take_apart(past.new)
            left = _left(BY_TABLE[past.table], past.id, members, self._names(past))
            if left != members:
                news[position] = put_together(left)
        self._done.events = await store.rewrite(self._connection, self._org_id, news) if news else 0

    async def _rewrite_kept(self) -> None:
        await store.forget_outcomes(self._connection, self._org_id, self._fields)
        ids = {id for _, id in self._fields}
        by_id: dict[str, set[str]] = defaultdict(set)
        for (_, id), names in self._fields.items():
            by_id[id] |= names
        for table in store.KEEPING:
            kept = await store.read_kept(self._connection, self._org_id, table, ids)
            await store.rewrite_kept(
                self._connection,
                self._org_id,
                table,
                [Kept(one.place, scrub(one.body, by_id, _COPIED)) for one in kept],
            )
            self._done.answers += len(kept)


def _left(entity: Entity, id: str, members: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """Give what is left of a record's JSON."""
    emptied: dict[str, Any] = {}
    for name in names & members.keys():
        declared = entity.by_name[name]
        value = forgotten(declared, id)
        emptied[name] = None if value is None else declared.type.plain(value)
    return {**members, **emptied}
