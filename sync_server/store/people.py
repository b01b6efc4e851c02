"""People and what they log in with.

Owns: every statement on `users`, `credential`, `login_name` and `password_reset` that a login needs.
Must not know: how a password is hashed or what a token looks like.
Invariant: a password that was changed meanwhile stays changed, and a reset is used once (tests/integration/test_passwords.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """Who a login name belongs to, and what the login is checked against.

    `trust_hash`: of the secret of the device that was named, if the device is this person's and active.
    """

    org_id: str
    user_id: str
    username: str
    password_hash: str | None
    is_active: bool
    trust_hash: bytes | None = None


_PERSON = "SELECT u.org_id, u.id, u.username, c.password_hash, u.is_active, d.trust_hash"
_THEIRS = """
 LEFT JOIN credential c ON c.org_id = u.org_id AND c.user_id = u.id
 LEFT JOIN device d ON d.org_id = u.org_id AND d.id = $2 AND d.user_id = u.id AND d.state = 'active'
"""


async def find_person(connection: Connection, username: str, device_id: str = "") -> Person | None:
    """Find the person of a login name, over all organisations. Cost: one statement, of look-ups by key."""
    row = await connection.fetchrow("SELECT * FROM find_login($1, $2)", username, device_id)
    return None if row is None else Person(*row)


async def read_person(connection: Connection, org_id: str, user_id: str) -> Person | None:
    """Read a person of an organisation by id."""
    row = await connection.fetchrow(
        f"{_PERSON} FROM users u {_THEIRS} WHERE u.org_id = $1 AND u.id = $3", *(org_id, "", user_id)
    )
    return None if row is None else Person(*row)


async def insert_person(
    connection: Connection,
    *,
    org_id: str,
    user_id: str,
    username: str,
    name: str,
    password_hash: str | None,
    branch_id: str | None = None,
    phone: str | None = None,
) -> None:
    """Insert a person, as whoever the transaction acts for; a trigger keeps the directory of login names.

    Raises asyncpg.UniqueViolationError if the id, the name or the phone is taken. Cost: two statements, and the clock.
    """
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO users (org_id, id, username, name, branch_id, phone) VALUES ($1, $2, $3, $4, $5, $6)",
            *(org_id, user_id, username, name, branch_id, phone),
        )
        await connection.execute(
            "INSERT INTO credential (org_id, user_id, password_hash) VALUES ($1, $2, $3)",
            org_id,
            user_id,
            password_hash,
        )


async def renew_hash(connection: Connection, org_id: str, user_id: str, *, was: str, password_hash: str) -> None:
    """Replace the hash of an unchanged password, if it is still the one that was read."""
    await connection.execute(
        "UPDATE credential SET password_hash = $4 WHERE org_id = $1 AND user_id = $2 AND password_hash = $3",
        *(org_id, user_id, was, password_hash),
    )


async def write_password(connection: Connection, org_id: str, user_id: str, password_hash: str) -> None:
    """Give a user a new password; a reset that waits for its use is void."""
    await connection.execute(
        "INSERT INTO credential (org_id, user_id, password_hash) VALUES ($1, $2, $3) ON CONFLICT (org_id, user_id)"
        " DO UPDATE SET password_hash = excluded.password_hash, password_changed_at = now()",
        *(org_id, user_id, password_hash),
    )
    await connection.execute("DELETE FROM password_reset WHERE org_id = $1 AND user_id = $2", org_id, user_id)


async def insert_reset(
    connection: Connection, org_id: str, user_id: str, *, id: str, hash: bytes, made_by: str, life: timedelta
) -> bool:
    """Write down a reset, in place of an earlier one of this user; False if there is no such active user."""
    status = await connection.execute(
        "INSERT INTO password_reset (org_id, id, user_id, hash, made_by, expires_at)"
        " SELECT org_id, $3, id, $4, $5, now() + $6 FROM users WHERE org_id = $1 AND id = $2 AND is_active"
        " ON CONFLICT (org_id, user_id) DO UPDATE SET id = excluded.id, hash = excluded.hash,"
        " made_by = excluded.made_by, expires_at = excluded.expires_at",
        *(org_id, user_id, id, hash, made_by, life),
    )
    return bool(status == "INSERT 0 1")


@dataclass(frozen=True, slots=True)
class Reset:
    """A reset that waits for its use."""

    user_id: str
    username: str
    hash: bytes


async def lock_reset(connection: Connection, org_id: str, id: str) -> Reset | None:
    """Lock a reset that is still good, until the end of the transaction; None if there is none."""
    row = await connection.fetchrow(
        "SELECT r.user_id, u.username, r.hash FROM password_reset r"
        " JOIN users u ON u.org_id = r.org_id AND u.id = r.user_id"
        " WHERE r.org_id = $1 AND r.id = $2 AND r.expires_at > now() AND u.is_active FOR UPDATE OF r",
        *(org_id, id),
    )
    return None if row is None else Reset(*row)
