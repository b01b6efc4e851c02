"""Second factors: the secret of a user's authenticator, and the recovery codes beside it.

Owns: the statements on `totp` and `recovery_code`, and on what a session that must enrol may do.
Must not know: how a secret is encrypted or a code is made.
Invariant: codes of one user are checked one at a time, so that none is good twice (tests/integration/test_totp.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_server.store.actor import Actor
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Factor:
    """A user's authenticator. `secret`: encrypted; `last_step`: the newest time step whose code was used."""

    secret: bytes
    is_confirmed: bool
    last_step: int


async def lock_factor(connection: Connection, org_id: str, user_id: str) -> Factor | None:
    """Lock a user's authenticator until the end of the transaction; None: there is none."""
    row = await connection.fetchrow(
        "SELECT secret, confirmed_at IS NOT NULL, last_step FROM totp WHERE org_id = $1 AND user_id = $2 FOR UPDATE",
        *(org_id, user_id),
    )
    return None if row is None else Factor(*row)


async def write_secret(connection: Connection, actor: Actor, secret: bytes) -> bool:
    """Write a new secret that waits for its confirmation; False if one is confirmed already: that one stays."""
    status = await connection.execute(
        "INSERT INTO totp AS t (org_id, user_id, secret) VALUES ($1, $2, $3) ON CONFLICT (org_id, user_id)"
        " DO UPDATE SET secret = excluded.secret, made_at = now(), last_step = 0 WHERE t.confirmed_at IS NULL",
        *(actor.org_id, actor.user_id, secret),
    )
    return bool(status == "INSERT 0 1")


async def use_step(connection: Connection, org_id: str, user_id: str, step: int) -> None:
    """Use up a time step, and those before it."""
    await connection.execute(
        "UPDATE totp SET last_step = $3 WHERE org_id = $1 AND user_id = $2", *(org_id, user_id, step)
    )


async def confirm(connection: Connection, actor: Actor, hashes: Sequence[bytes]) -> Sequence[str]:
    """Put a user's authenticator into force, with the recovery codes; give the sessions that had to wait for it."""
    who = (actor.org_id, actor.user_id)
    await connection.execute("UPDATE totp SET confirmed_at = now() WHERE org_id = $1 AND user_id = $2", *who)
    await connection.execute(
        "INSERT INTO recovery_code (org_id, user_id, hash) SELECT $1, $2, unnest($3::bytea[])", *who, list(hashes)
    )
    rows = await connection.fetch(
        "UPDATE session SET must_enrol = false WHERE org_id = $1 AND user_id = $2 AND must_enrol RETURNING id", *who
    )
    return [row["id"] for row in rows]


async def use_recovery_code(connection: Connection, org_id: str, user_id: str, hash: bytes) -> bool:
    """Use a recovery code up; False if it is none, or was used."""
    status = await connection.execute(
        "DELETE FROM recovery_code WHERE org_id = $1 AND user_id = $2 AND hash = $3", *(org_id, user_id, hash)
    )
    return bool(status == "DELETE 1")


async def remove(connection: Connection, org_id: str, user_id: str) -> bool:
    """Take a user's authenticator and recovery codes away; False if there was none in force."""
    status = await connection.execute(
        "DELETE FROM totp WHERE org_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL", *(org_id, user_id)
    )
    return bool(status == "DELETE 1")


async def lacks_factor(connection: Connection, org_id: str, user_id: str, codes: Sequence[str]) -> bool:
    """Say whether a user has one of `codes`, wherever, by a grant that holds now, and no authenticator. Cost: one statement."""
    lacks: bool = await connection.fetchval(
        "SELECT NOT EXISTS (SELECT FROM totp WHERE org_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL)"
        " AND EXISTS (SELECT FROM grants g JOIN roles r ON r.org_id = g.org_id AND r.id = g.role_id"
        " WHERE g.org_id = $1 AND g.user_id = $2 AND r.codes && $3::text[]"
        " AND coalesce(g.valid_from <= now(), true) AND coalesce(g.valid_until > now(), true))",
        *(org_id, user_id, list(codes)),
    )
    return lacks


async def seconds_since_login(connection: Connection, actor: Actor) -> float | None:
    """Say how long ago the actor proved who it is; None: the session is not there.

    A session begins with a login, and refreshing it is none.
    """
    seconds: float | None = await connection.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM session WHERE org_id = $1 AND id = $2",
        *(actor.org_id, actor.session_id),
    )
    return seconds
