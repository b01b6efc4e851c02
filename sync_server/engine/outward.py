"""Outward: notifications told outside of the app, to who may still see what they are about.

Owns: which messages a notification makes, and what of those that are due is told to whom.
Must not know: SQL, how anything is sent (operate/outward.py), when it is due (erp_core/telling.py).
Invariant: nobody is told by mail or push of what they cannot see at that moment, have read, or asked not to hear
(tests/integration/test_outward.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.consents import MESSAGES
from erp_core.telling import DEFAULT, EMAIL, PUSH
from erp_core.values import Row
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import consents, log
from sync_server.store import outward as store
from sync_server.store.actor import Actor
from sync_server.store.database import Connection
from sync_server.store.outward import Address, Message, Reader

NOTIFICATIONS = BY_NAME["notification"].table


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says: of which notification, and which record it is about."""

    id: str
    title: str
    body: str
    table: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What is told to one reader at once: several notifications by mail, one by push. `address`: of the phone, for a push."""

    messages: Sequence[Message]
    told: Sequence[Told]
    reader: Reader
    address: Address | None = None


async def plan(connection: Connection, org_id: str, notices: Mapping[str, Row], now: datetime) -> None:
    """Write the messages of notifications (id -> row), in the transaction that writes these. Cost: four statements."""
    readers = {str(row["reader_id"]) for row in notices.values()}
    readers -= set(await consents.read_objecting(connection, org_id, readers, MESSAGES.name))
    wishes = await store.read_wishes(connection, org_id, readers)
    phones = await store.read_addresses(connection, org_id, readers)
    made = []
    for id, row in notices.items():
        reader, kind = str(row["reader_id"]), str(row["kind"])
        if reader not in readers:
            continue
        devices = [one.device_id for one in phones if one.user_id == reader]
        for way, device in [(EMAIL, ""), *((PUSH, device) for device in devices)]:
            due = wishes.get(reader, DEFAULT).due(way, kind, now)
            if due is not None:
                made.append(Message(org_id, message_id(id, way, device), id, reader, way, device, due))
    await store.add(connection, made, now)


def message_id(notification_id: str, way: str, device_id: str) -> str:
    """Name the message of a notification by a way: the same whoever makes it, and as often as it is sent."""
    return hashlib.sha256(repr((notification_id, way, device_id)).encode()).hexdigest()[:24]


async def letters_of(
    connection: Connection, standings: Standings, messages: Sequence[Message]
) -> tuple[Sequence[Letter], Sequence[Message]]:
    """Put together what messages of one organisation and way say, and give those that nobody is to be told any more."""
    org_id = messages[0].org_id
    users = sorted({one.user_id for one in messages})
    readers = await store.read_readers(connection, org_id, users)
    phones = {one.device_id: one for one in await store.read_addresses(connection, org_id, users)}
    letters: list[Letter] = []
    dropped: list[Message] = []
    for user, own in groupby(messages, key=lambda one: one.user_id):
        waiting = list(own)
        told = await _told(connection, standings, Actor(org_id, user, ""), waiting) if user in readers else {}
        kept = [one for one in waiting if one.notification_id in told and _reaches(one, readers[user], phones)]
        dropped += [one for one in waiting if one not in kept]
        if not kept:
            continue
        together = [kept] if kept[0].way == EMAIL else [[one] for one in kept]
        letters += [
            Letter(some, [told[one.notification_id] for one in some], readers[user], phones.get(some[0].device_id))
            for some in together
        ]
    return letters, dropped


def _reaches(message: Message, reader: Reader, phones: Mapping[str, Address]) -> bool:
    if message.way == EMAIL:
        return reader.email is not None
    phone = phones.get(message.device_id)
    return phone is not None and phone.user_id == message.user_id


async def _told(
    connection: Connection, standings: Standings, actor: Actor, messages: Sequence[Message]
) -> Mapping[str, Told]:
    """Give what may still be told to a reader: notification -> what it says. Cost: four statements at most."""
    keys = [(NOTIFICATIONS, one.notification_id) for one in messages]
    notices = {key[1]: state.row for key, state in (await log.read_states(connection, actor.org_id, keys)).items()}
    unread = {id: row for id, row in notices.items() if row is not None and row["read_at"] is None}
    about = {id: (str(row["table_name"]), str(row["record_id"])) for id, row in unread.items()}
    states = await log.read_states(connection, actor.org_id, set(about.values()))
    entitled = await entitled_now(connection, standings, actor)
    return {
        id: Told(id, str(row["title"]), str(row["body"] or ""), *about[id])
        for id, row in unread.items()
        if (state := states.get(about[id])) is not None
        and state.row is not None
        and entitled.mask(BY_TABLE[about[id][0]], state.scopes)
    }
