"""Notifications on their way out: wishes, addresses of phones, and messages until they are sent.

Owns: the statements on `notice_wish`, `push_address` and `notice_message`.
Must not know: when something is due, how it is sent, what it says.
Invariant: a message is written once, and taken by one process at a time (tests/integration/test_outward.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from erp_core.telling import Wishes
from sync_server.store.database import Connection

WAITING: Final = "waiting"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is reached by push."""

    device_id: str
    user_id: str
    service: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A notification on its way to somebody by a way; `tries`: this one included."""

    org_id: str
    id: str
    notification_id: str
    user_id: str
    way: str
    device_id: str
    due_at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is told: an active user's address and language."""

    email: str | None = field(repr=False)
    language: str


# --- Wishes and addresses -------------------------------------------------------------------------------------------------

_WISHES: Final = "email, push, quiet_from, quiet_until, daily_at, zone, muted"


async def read_wishes(connection: Connection, org_id: str, users: Collection[str]) -> Mapping[str, Wishes]:
    """Give the wishes of those who said any. Cost: one statement."""
    rows = await connection.fetch(
        f"SELECT user_id, {_WISHES} FROM notice_wish WHERE org_id = $1 AND user_id = ANY($2)", org_id, list(users)
    )
    return {row["user_id"]: _wishes(row) for row in rows}


def _wishes(row: Mapping[str, Any]) -> Wishes:
    return Wishes(**{name: row[name] for name in _WISHES.split(", ")} | {"muted": tuple(row["muted"])})


async def write_wishes(connection: Connection, org_id: str, user_id: str, wishes: Wishes) -> None:
    """Keep somebody's wishes. Cost: one statement."""
    names = _WISHES.split(", ")
    await connection.execute(
        f"INSERT INTO notice_wish (org_id, user_id, {_WISHES}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        f" ON CONFLICT (org_id, user_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in names)}",
        *(org_id, user_id, *(getattr(wishes, name) for name in names[:-1]), list(wishes.muted)),
    )


async def read_addresses(connection: Connection, org_id: str, users: Collection[str]) -> Sequence[Address]:
    """Give the addresses of those of users' active devices on which they are logged in. Cost: one statement."""
    rows = await connection.fetch(
        "SELECT a.device_id, a.user_id, a.service, a.token FROM push_address a"
        " JOIN device d ON d.org_id = a.org_id AND d.id = a.device_id AND d.user_id = a.user_id AND d.state = 'active'"
        " WHERE a.org_id = $1 AND a.user_id = ANY($2) AND EXISTS (SELECT FROM session s WHERE s.org_id = a.org_id"
        "  AND s.device_id = a.device_id AND s.user_id = a.user_id AND s.revoked_at IS NULL AND s.expires_at > now())"
        " ORDER BY a.device_id",
        *(org_id, list(users)),
    )
    return [Address(*row) for row in rows]


async def write_address(connection: Connection, org_id: str, address: Address) -> None:
    """Keep where a device is reached; an app that was installed anew has the token of the one before. Cost: two statements."""
    await connection.execute(
        "DELETE FROM push_address WHERE org_id = $1 AND service = $2 AND token = $3 AND device_id <> $4",
        *(org_id, address.service, address.token, address.device_id),
    )
    await connection.execute(
        "INSERT INTO push_address (org_id, device_id, user_id, service, token) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (org_id, device_id) DO UPDATE SET user_id = $3, service = $4, token = $5, set_at = now()",
        *(org_id, address.device_id, address.user_id, address.service, address.token),
    )


async def forget_address(connection: Connection, org_id: str, device_id: str, token: str | None = None) -> None:
    """Forget where a device is reached; `token`: only if it is still that one. Cost: one statement."""
    await connection.execute(
        "DELETE FROM push_address WHERE org_id = $1 AND device_id = $2 AND ($3::text IS NULL OR token = $3)",
        *(org_id, device_id, token),
    )


# --- Messages ---------------------------------------------------------------------------------------------------------------


async def add(connection: Connection, messages: Sequence[Message], now: datetime) -> None:
    """Write messages, those that are not there yet. Cost: one statement, none for none."""
    if messages:
        names = ("org_id", "id", "notification_id", "user_id", "way", "device_id", "due_at")
        await connection.execute(
            f"INSERT INTO notice_message ({', '.join(names)}, made_at) SELECT t.*, $8 FROM unnest($1::text[], $2::text[],"
            " $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) t ON CONFLICT DO NOTHING",
            *([getattr(one, name) for one in messages] for name in names),
            now,
        )


async def claim(
    connection: Connection, way: str, most: int, *, now: datetime, until: datetime, late: timedelta
) -> Sequence[Message]:
    """Take messages that are due by a way and not older than `late`, all of a user's together; nobody else takes them before
    `until`. For the owner.
    """
    rows = await connection.fetch(
        "WITH due AS (SELECT org_id, id FROM notice_message WHERE way = $1 AND state = 'waiting' AND due_at <= $2"
        " AND made_at >= $5"
        " ORDER BY org_id, user_id, due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)"
        " UPDATE notice_message m SET due_at = $3, tries = m.tries + 1 FROM due"
        " WHERE m.org_id = due.org_id AND m.id = due.id"
        " RETURNING m.org_id, m.id, m.notification_id, m.user_id, m.way, m.device_id, m.made_at AS due_at, m.tries",
        *(way, now, until, most, now - late),
    )
    return sorted((Message(*row) for row in rows), key=lambda one: (one.org_id, one.user_id, one.due_at, one.id))


async def settle(
    connection: Connection, messages: Sequence[Message], state: str, error: str = "", due_at: datetime | None = None
) -> None:
    """Note what became of messages that were taken and not taken again since; `due_at`: when they are tried. For the owner."""
    await connection.execute(
        "UPDATE notice_message m SET state = $3, error = $4, due_at = coalesce($5, m.due_at)"
        " FROM unnest($1::text[], $2::text[], $6::integer[]) t(org_id, id, tries)"
        " WHERE m.org_id = t.org_id AND m.id = t.id AND m.tries = t.tries AND m.state = 'waiting'",
        *([one.org_id for one in messages], [one.id for one in messages], state, error, due_at),
        [one.tries for one in messages],
    )


async def read_readers(connection: Connection, org_id: str, users: Collection[str]) -> Mapping[str, Reader]:
    """Give the addresses and languages of those users who are active. Cost: one statement."""
    rows = await connection.fetch(
        "SELECT id, email, language FROM users WHERE org_id = $1 AND id = ANY($2) AND is_active", org_id, list(users)
    )
    return {row["id"]: Reader(row["email"] or None, row["language"]) for row in rows}


async def forget(connection: Connection, now: datetime, *, kept: timedelta, late: timedelta) -> None:
    """Forget what was settled long ago, and give up what could not be sent for `late`: it is old news. For the owner."""
    await connection.execute(
        "UPDATE notice_message SET state = 'dropped', error = 'too late' WHERE state = 'waiting' AND made_at < $1",
        now - late,
    )
    await connection.execute("DELETE FROM notice_message WHERE state <> 'waiting' AND made_at < $1", now - kept)
