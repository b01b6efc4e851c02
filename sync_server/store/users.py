"""People and sessions in the database.

Owns: every statement on `app_user`, `login_name` and `session`.
Must not know: how a password is hashed or what a token looks like.
Invariant: a session's refresh hash is replaced only by the holder of its row lock (tests/integration/test_login.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """Who a login name belongs to, and what the login is checked against."""

    org_id: str
    user_id: str
    password_hash: str | None
    is_active: bool


async def find_person(connection: Connection, username: str) -> Person | None:
    """Find the person of a login name, over all organisations."""
    row = await connection.fetchrow(
        "SELECT u.org_id, u.id, u.password_hash, u.is_active FROM login_name n"
        " JOIN app_user u ON u.org_id = n.org_id AND u.id = n.user_id WHERE n.username = $1",
        username,
    )
    return None if row is None else Person(*row)


async def insert_person(
    connection: Connection,
    *,
    org_id: str,
    user_id: str,
    username: str,
    name: str,
    role: str,
    branch_id: str | None,
    password_hash: str,
) -> None:
    """Insert a person and their login name. Raises asyncpg.UniqueViolationError if either exists."""
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO app_user (org_id, id, username, name, role, branch_id, password_hash)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *(org_id, user_id, username, name, role, branch_id, password_hash),
        )
        await connection.execute(
            "INSERT INTO login_name (username, org_id, user_id) VALUES ($1, $2, $3)", username, org_id, user_id
        )


async def set_password_hash(
    connection: Connection, org_id: str, user_id: str, *, was: str | None, password_hash: str
) -> None:
    """Replace a password hash if it is still the one that was read: a password changed meanwhile stays changed."""
    await connection.execute(
        "UPDATE app_user SET password_hash = $4 WHERE org_id = $1 AND id = $2 AND password_hash IS NOT DISTINCT FROM $3",
        *(org_id, user_id, was, password_hash),
    )


async def insert_session(
    connection: Connection, org_id: str, session_id: str, user_id: str, *, refresh_hash: bytes, life: timedelta
) -> bool:
    """Begin a session that ends after `life` without a refresh; False if the user is no longer active."""
    status = await connection.execute(
        "INSERT INTO session (org_id, id, user_id, refresh_hash, expires_at)"
        " SELECT org_id, $2, id, $4, now() + $5 FROM app_user WHERE org_id = $1 AND id = $3 AND is_active",
        *(org_id, session_id, user_id, refresh_hash, life),
    )
    return bool(status == "INSERT 0 1")


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that has not ended, of an active user."""

    user_id: str
    refresh_hash: bytes


async def lock_session(connection: Connection, org_id: str, session_id: str) -> LiveSession | None:
    """Lock a session that may still be refreshed until the end of the transaction; None if there is none."""
    row = await connection.fetchrow(
        "SELECT s.user_id, s.refresh_hash FROM session s JOIN app_user u ON u.org_id = s.org_id AND u.id = s.user_id"
        " WHERE s.org_id = $1 AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.is_active"
        " FOR UPDATE OF s",
        *(org_id, session_id),
    )
    return None if row is None else LiveSession(*row)


async def renew_session(
    connection: Connection, org_id: str, session_id: str, *, refresh_hash: bytes, life: timedelta, whole_life: timedelta
) -> None:
    """Give a locked session its next refresh hash; it ends after `life` without a refresh, and `whole_life` after its start."""
    await connection.execute(
        "UPDATE session SET refresh_hash = $3, expires_at = least(now() + $4, created_at + $5)"
        " WHERE org_id = $1 AND id = $2",
        *(org_id, session_id, refresh_hash, life, whole_life),
    )
