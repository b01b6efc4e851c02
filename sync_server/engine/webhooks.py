"""Webhooks: which events one is told of, and what of an event its owner may be told.

Owns: reading on in the log for a webhook, and what is in a message: by what the owner is entitled to at that moment, the same
policy as for pulls and histories.
Must not know: HTTP, JSON, signatures, when an attempt is made.
Invariant: nothing is told of a record that the owner does not see, or did not see when it happened, and no field that is hidden
from them now; who is disabled is told nothing (tests/integration/test_webhook_rights.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from erp_core.catalogue import BY_TABLE
from erp_core.happenings import is_asked, steps_between, tables_with_steps
from erp_core.language import Entity
from sync_server.engine.entitlements import Entitlements, hidden_fields
from sync_server.engine.history import compare
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import histories, webhook_deliveries, webhooks
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.following import Logged, read_on
from sync_server.store.histories import Course, Happened
from sync_server.store.payloads import take_apart
from sync_server.store.unit_of_work import unit_of_work
from sync_server.store.webhook_deliveries import Delivery, Queued
from sync_server.store.webhooks import PAUSED, Webhook

TURN_MAX: Final = 500
"""Events that are read on in one transaction."""

PENDING_MAX: Final = 10_000
"""Deliveries that wait for one webhook; beyond it the log is read on when some are settled. Nothing is lost by it."""


# --- Following the log --------------------------------------------------------------------------------------------------


async def follow(database: Database, org_id: str, id: str, now: datetime) -> int:
    """Read on in the log for a webhook and queue what concerns it, in one transaction; give how many events were read.

    Nothing is read if somebody else is at it, if it is paused, or while too much waits. Cost: some six statements.
    """

    async def work(connection: Connection) -> int:
        webhook = await webhooks.take_webhook(connection, org_id, id)
        if webhook is None or webhook.state == PAUSED:
            return 0
        if await webhook_deliveries.count_pending(connection, org_id, id, PENDING_MAX) >= PENDING_MAX:
            return 0
        whole = tables_with_steps(frozenset(webhook.events))
        news = await read_on(connection, org_id, webhook.position, whole, TURN_MAX)
        concerned = await _in_scope(connection, webhook, [one for one in news.events if _is_asked(webhook, one)])
        queued = [Queued(message_id(id, e.position), e.position, e.table, e.id, name_of(e)) for e in concerned]
        await webhook_deliveries.queue(
            connection, org_id, id, queued, now=now, expires_at=now + webhook_deliveries.WINDOW
        )
        if news.upto != webhook.position:
            await webhooks.change_webhook(connection, org_id, id, {"position": news.upto})
        return len(news.events)

    return await unit_of_work(database, org_id, work)


def message_id(webhook_id: str, position: int) -> str:
    """Name the message of an event to a webhook: the same whoever makes it, and whenever."""
    return f"msg_{webhook_id}_{position}"


def name_of(event: Logged | Happened) -> str:
    """Name an event as its message does."""
    return f"{event.table}.{event.operation}"


def _is_asked(webhook: Webhook, event: Logged) -> bool:
    if event.table not in BY_TABLE:
        return False
    known = event.before is not None and event.after is not None
    steps = steps_between(event.table, take_apart(event.before or ""), take_apart(event.after or "")) if known else ()
    return is_asked(frozenset(webhook.events), event.table, event.operation, steps)


async def _in_scope(connection: Connection, webhook: Webhook, events: Sequence[Logged]) -> Sequence[Logged]:
    """Keep the events of records that were in one of the webhook's scopes when it happened; all, if it names none."""
    if not webhook.scopes or not events:
        return events
    courses = await histories.read_courses(connection, webhook.org_id, list({(e.table, e.id) for e in events}))
    return [e for e in events if _carried(courses.get((e.table, e.id)), e.position) & set(webhook.scopes)]


def _carried(course: Course | None, position: int) -> set[str]:
    return set() if course is None else set(course.labels_at(position))


# --- What is told -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says of an event: `record`: the record after it as far as the owner sees it, None: it was deleted."""

    name: str
    at: datetime
    table: str
    id: str
    position: int
    operation: str
    by: str | None
    steps: Sequence[str]
    record: Mapping[str, Any] | None
    changes: Mapping[str, Mapping[str, Any]]


async def tell(
    database: Database, standings: Standings, webhook: Webhook, deliveries: Sequence[Delivery]
) -> Mapping[str, Told]:
    """Say what is to be told of events now, by delivery; what is left out is not for the owner, or no longer in the log.

    Pings are not asked for. Cost: a snapshot of three statements, two more if the owner's standing is not remembered.
    """
    places = {one.position: one.id for one in deliveries if one.position is not None}
    async with database.snapshot(webhook.org_id) as connection:
        entitled = await entitled_now(connection, standings, Actor(webhook.org_id, webhook.owner_id, ""))
        happened = await histories.read_at_positions(connection, webhook.org_id, list(places))
        courses = await histories.read_courses(connection, webhook.org_id, list({(e.table, e.id) for e in happened}))
    told = {places[e.position]: _told(entitled, courses.get((e.table, e.id)), e) for e in happened}
    return {id: one for id, one in told.items() if one is not None}


def _told(entitled: Entitlements, course: Course | None, event: Happened) -> Told | None:
    """Whoever does not see the record now, or did not see it then by what they hold now, is not told."""
    entity = BY_TABLE.get(event.table)
    if course is None or entity is None:
        return None
    then, now = (entitled.mask(entity, course.labels_at(at)) for at in (event.position, course.position))
    if not then or not now:
        return None
    hidden = hidden_fields(entity, then) | hidden_fields(entity, now)
    before = entitled.mask(entity, course.labels_at(event.previous)) if event.previous is not None else then
    hidden_before = hidden | hidden_fields(entity, before) if before else None
    record, old = _shown(entity, event.after, hidden), _shown(entity, event.before, hidden)
    steps = steps_between(event.table, old, record) if before and old is not None and record is not None else []
    what = (name_of(event), event.at, event.table, event.id, event.position, event.operation, event.actor)
    return Told(*what, steps, record, compare(entity, event, hidden, hidden_before))


def _shown(entity: Entity, payload: str | None, hidden: frozenset[str]) -> Mapping[str, Any] | None:
    """Give a record without what is hidden; None: it was not there."""
    if payload is None:
        return None
    document = take_apart(payload)
    return {name: document.get(name) for name in ("id", *entity.by_name) if name not in hidden}
