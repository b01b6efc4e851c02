"""Login and refresh: from a password, or the last refresh token, to the next pair of tokens.

Owns: sessions, their life, and the rotation of refresh tokens.
Must not know: HTTP. A refusal is None, for whatever reason: an answer that told the reasons apart would name the users.
Invariant: of any number of uses of one refresh token exactly one gets a successor (tests/integration/test_login.py).
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sync_server.identity.passwords import check_password, hash_password, is_outdated
from sync_server.identity.people import login_name
from sync_server.identity.tokens import RefreshToken, Tokens
from sync_server.store import users
from sync_server.store.actor import Actor
from sync_server.store.database import Database

WHOLE_LIFE: Final = timedelta(days=90)
"""How long a session lives however often it is refreshed (OWASP ASVS 5.0, 10.4.8); without a refresh it ends sooner."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login gives."""

    access_token: str
    refresh_token: str
    expires_in: int
    actor: Actor


async def log_in(
    database: Database, tokens: Tokens, *, username: str, password: str, refresh_days: int
) -> Grant | None:
    """Begin a session for the active user whose name and password these are; None: refused.

    Raises `passwords.Overloaded`. Cost: three statements and 40 ms in a thread, during which no connection is held.
    """
    async with database.acquire() as connection:
        person = await users.find_person(connection, login_name(username))
    stored = None if person is None else person.password_hash
    matches = await check_password(stored, password)
    if person is None or stored is None or not matches or not person.is_active:
        return None
    newer = await hash_password(password) if is_outdated(stored) else None
    session_id = uuid.uuid4().hex
    refresh_token = RefreshToken.make(person.org_id, session_id)
    async with database.acquire() as connection:
        if newer is not None:
            await users.set_password_hash(connection, person.org_id, person.user_id, was=stored, password_hash=newer)
        begun = await users.insert_session(
            *(connection, person.org_id, session_id, person.user_id),
            refresh_hash=refresh_token.digest(),
            life=timedelta(days=refresh_days),
        )
    return _grant(tokens, Actor(person.org_id, person.user_id, session_id), refresh_token) if begun else None


async def refresh(database: Database, tokens: Tokens, *, refresh_token: str, refresh_days: int) -> Grant | None:
    """Exchange a refresh token for the next pair; it is used up. None: refused. Cost: one transaction of two statements."""
    shown = RefreshToken.read(refresh_token)
    if shown is None:
        return None
    following = RefreshToken.make(shown.org_id, shown.session_id)
    async with database.acquire() as connection, connection.transaction():
        session = await users.lock_session(connection, shown.org_id, shown.session_id)
        if session is None or not hmac.compare_digest(session.refresh_hash, shown.digest()):
            return None
        await users.renew_session(
            *(connection, shown.org_id, shown.session_id),
            refresh_hash=following.digest(),
            life=timedelta(days=refresh_days),
            whole_life=WHOLE_LIFE,
        )
    return _grant(tokens, Actor(shown.org_id, session.user_id, shown.session_id), following)


def _grant(tokens: Tokens, actor: Actor, refresh_token: RefreshToken) -> Grant:
    return Grant(tokens.issue(actor), str(refresh_token), tokens.access_seconds, actor)
