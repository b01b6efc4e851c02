"""Refresh tokens: every generation that a session was ever given, as hashes.

Owns: the statements on `refresh_token`.
Must not know: how a token is made or what it is worth (identity/refreshing.py).
Invariant: generations are added only by the holder of the session's row lock (tests/integration/test_login.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync_server.store.actor import Actor
from sync_server.store.database import Connection
from sync_server.store.sessions import LIVE


@dataclass(frozen=True, slots=True)
class Family:
    """A live session whose row is locked, and what is known of the token that was shown.

    `generation`: of the token that was shown, None: it never was one. `newest`: the newest generation there is.
    `salt`: makes the successor, if the token has been used and the successor has not. `used_ago`: time since its use.
    """

    actor: Actor
    public_key: str | None
    generation: int | None
    hash: bytes
    salt: bytes | None
    used_ago: timedelta | None
    newest: int


_LOCK = f"""
SELECT s.org_id, s.user_id, s.id, coalesce(s.device_id, ''), d.public_key
{LIVE} AND s.org_id = $1 AND s.id = $2 FOR UPDATE OF s
"""

_SHOWN = """
SELECT t.generation, t.hash, t.salt, clock_timestamp() - t.used_at AS used_ago, n.newest
FROM (SELECT max(generation) AS newest FROM refresh_token WHERE org_id = $1 AND session_id = $2) n
LEFT JOIN refresh_token t ON t.org_id = $1 AND t.session_id = $2 AND t.hash = $3
"""


async def lock_family(connection: Connection, org_id: str, session_id: str, hash: bytes) -> Family | None:
    """Lock a live session until the end of the transaction and look a token up; None: there is no such session.

    Cost: two statements: the second must see what the holder of the lock before us wrote.
    """
    session = await connection.fetchrow(_LOCK, org_id, session_id)
    if session is None:
        return None
    shown = await connection.fetchrow(_SHOWN, org_id, session_id, hash)
    *actor, public_key = session
    return Family(
        Actor(*actor),
        public_key,
        shown["generation"],
        shown["hash"] or b"",
        shown["salt"],
        shown["used_ago"],
        shown["newest"] or 0,
    )


async def insert_first(connection: Connection, org_id: str, session_id: str, hash: bytes) -> None:
    """Give a new session its first refresh token."""
    await connection.execute(
        "INSERT INTO refresh_token (org_id, session_id, generation, hash) VALUES ($1, $2, 1, $3)",
        *(org_id, session_id, hash),
    )


_ROTATE = """
WITH used AS (
  UPDATE refresh_token SET used_at = clock_timestamp(), salt = $5
  WHERE org_id = $1 AND session_id = $2 AND generation = $3
), settled AS (
  UPDATE refresh_token SET salt = NULL WHERE org_id = $1 AND session_id = $2 AND generation = $3 - 1
), renewed AS (
  UPDATE session SET renewed_at = now(), expires_at = least(now() + $6, created_at + $7) WHERE org_id = $1 AND id = $2
)
INSERT INTO refresh_token (org_id, session_id, generation, hash) VALUES ($1, $2, $3 + 1, $4)
"""


async def rotate(
    connection: Connection, family: Family, *, successor: bytes, salt: bytes, life: timedelta, whole_life: timedelta
) -> None:
    """Use up the newest token of a locked family and add its successor's hash.

    The session ends after `life` without a refresh, and `whole_life` after its start. The salt before is wiped: nobody can
    make this token out of the one before it any more.
    """
    actor = family.actor
    await connection.execute(
        _ROTATE, actor.org_id, actor.session_id, family.generation, successor, salt, life, whole_life
    )
