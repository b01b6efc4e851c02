"""Histories for the office: what happened to a record, how it was, and what happened in the organisation.

Owns: what of the past somebody is shown: of each event what they would have seen of the record when it happened, by what they
are entitled to now.
Must not know: HTTP, SQL.
Invariant: nothing of the past is shown that was not in one's scopes then, and no field that is hidden now; of a record that is
out of sight, or was deleted out of it, nothing at all (tests/integration/test_history.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity
from sync_server.engine.entitlements import Entitlements, hidden_fields, label_of_all
from sync_server.engine.gate import require
from sync_server.engine.reading import Seen, entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import histories
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.histories import Course, Happened, LogAsked
from sync_server.store.payloads import put_together, take_apart
from sync_server.store.unit_of_work import SERVER

AUDIT: Final = "audit.read"
_STAMPS: Final = frozenset({"updated_at", "updated_by", "created_at", "created_by", "id"})
"""What an event says of itself already."""

Changes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Field -> {"from": value, "to": value}, in plain form; without `from` where that was not to be seen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as somebody sees it; `channel`: phone, office, server or sql. Who may not see where others work is told no
    session, device or push of theirs."""

    table: str
    id: str
    position: int
    operation: str
    at: datetime
    authored: datetime | None
    by: str | None
    channel: str
    session: str | None
    device: str | None
    push: str | None
    changes: Changes


async def read_history(
    database: Database, standings: Standings, actor: Actor, key: tuple[str, str], start: int | None, limit: int
) -> tuple[Sequence[Entry], int | None] | None:
    """Give what happened to a record, newest first, from the event at `start` on, and where to go on; None: it is not there.

    Raises `gate.NotEntitled`. Cost: a snapshot of three statements.
    """
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *BY_TABLE[key[0]].access.read)
        course = (await histories.read_courses(connection, actor.org_id, [key])).get(key)
        happened = await histories.read_events(connection, actor.org_id, key, start, limit)
    if course is None or not _mask(entitled, BY_TABLE[key[0]], course, course.position):
        return None
    entries = [entry for one in happened if (entry := _entry(entitled, actor, course, one)) is not None]
    return entries, happened[-1].previous if len(happened) == limit else None


async def read_as_it_was(
    database: Database, standings: Standings, actor: Actor, key: tuple[str, str], position: int, at: datetime
) -> Seen | None:
    """Give a record as it was at a position and a time; None: it was not there, or is or was not for the asker."""
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *BY_TABLE[key[0]].access.read)
        return await _as_it_was(connection, actor.org_id, entitled, key, position, at)


async def restoring(
    database: Database, standings: Standings, actor: Actor, key: tuple[str, str], position: int
) -> tuple[Mutation, int] | None:
    """Make the change that brings a record back to how it was at a position, as far as its author sees both: (change, base).

    None: it is not there, or was not. Fields that only the server writes follow by themselves.
    """
    entity = BY_TABLE[key[0]]
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *entity.access.read)
        now = await _as_it_was(connection, actor.org_id, entitled, key, histories.NEWEST, histories.FOR_EVER)
        then = await _as_it_was(connection, actor.org_id, entitled, key, position, histories.FOR_EVER)
    if now is None or then is None:
        return None
    old, new = take_apart(then.payload), take_apart(now.payload)
    shown = [f.name for f in entity.fields if not f.derived and f.name not in then.hidden | now.hidden]
    values = {name: old.get(name) for name in shown if old.get(name) != new.get(name)}
    return Mutation(*key, Operation.UPDATED, values), now.position


async def read_audit(
    database: Database, standings: Standings, actor: Actor, asked: LogAsked, below: int, limit: int
) -> tuple[Sequence[Entry], int | None]:
    """Give what happened in the organisation, newest first, below a position, and where to go on; None: nothing more.

    Only of records that one may both read and audit where they were. Raises `gate.NotEntitled`. Cost: three statements.
    """
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, AUDIT)
        happened, following = await histories.read_log(connection, actor.org_id, asked, below, limit)
        known = [one for one in happened if one.table in BY_TABLE]
        courses = await histories.read_courses(connection, actor.org_id, list({(one.table, one.id) for one in known}))
    entries = []
    for one in known:
        course = courses.get((one.table, one.id)) or _forgotten(BY_TABLE[one.table], one.position)
        codes = entitled.codes((*course.labels_at(one.position), "org"))
        entry = _entry(entitled, actor, course, one) if AUDIT in codes else None
        entries += [] if entry is None else [entry]
    return entries, following


def _forgotten(entity: Entity, position: int) -> Course:
    """Give the course of a record whose tombstone is purged: nothing is known but what every record carries."""
    label = label_of_all(entity)
    return Course(position + 1, deleted=True, labels=[] if label is None else [(label, 0, None)])


async def _as_it_was(
    connection: Connection, org_id: str, entitled: Entitlements, key: tuple[str, str], position: int, at: datetime
) -> Seen | None:
    entity = BY_TABLE[key[0]]
    course = (await histories.read_courses(connection, org_id, [key])).get(key)
    event = await histories.read_event_at(connection, org_id, key, position, at)
    if course is None or event is None or event.after is None:
        return None
    mask = _mask(entitled, entity, course, event.position)
    if not mask or not _mask(entitled, entity, course, course.position):
        return None
    document = take_apart(event.after)
    present = {name: document.get(name) for name in ("id", *entity.by_name)}
    return Seen(event.id, event.position, put_together(present), hidden_fields(entity, mask))


def _mask(entitled: Entitlements, entity: Entity, course: Course, position: int) -> int:
    return entitled.mask(entity, course.labels_at(position))


def _entry(entitled: Entitlements, actor: Actor, course: Course, one: Happened) -> Entry | None:
    entity = BY_TABLE[one.table]
    mask = _mask(entitled, entity, course, one.position)
    if not mask:
        return None
    before = _mask(entitled, entity, course, one.previous) if one.previous is not None else mask
    mine = one.actor == actor.user_id or entitled.has(AUDIT)
    return Entry(
        *(one.table, one.id, one.position, one.operation, one.at, one.authored, one.actor, _channel(one)),
        *((one.session, one.device, one.push) if mine else (None, None, None)),
        compare(entity, one, hidden_fields(entity, mask), hidden_fields(entity, before) if before else None),
    )


def _channel(one: Happened) -> str:
    if one.actor is None:
        return "sql"
    return SERVER if one.actor == SERVER else "phone" if one.push else "office"


def compare(entity: Entity, one: Happened, hidden: frozenset[str], hidden_before: frozenset[str] | None) -> Changes:
    """Compare the record before and after; `hidden_before` None: nothing of it was to be seen before."""
    if one.after is None:
        return {}
    new, old = take_apart(one.after), take_apart(one.before or "{}")
    names = [n for n in entity.by_name if n not in _STAMPS | hidden and new.get(n) != old.get(n)]
    if hidden_before is None:
        return {name: {"to": new.get(name)} for name in names}
    return {name: {**({} if name in hidden_before else {"from": old.get(name)}), "to": new.get(name)} for name in names}
