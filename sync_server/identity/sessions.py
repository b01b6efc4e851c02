"""Sessions: how one begins, whatever somebody logged in with, and how it ends.

Owns: what a login gives, and that one installation has one session.
Must not know: how the person was recognised (login.py, codes.py), or HTTP.
Invariant: a session is of an active user on a device that is this user's; the sessions that the device had are over
(tests/integration/test_sessions.py).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from sync_server.identity import happenings
from sync_server.identity.opaque import OpaqueToken
from sync_server.identity.second_factor import SecondFactor
from sync_server.identity.tokens import Tokens
from sync_server.store import devices, refreshes, security, sessions
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

WHOLE_LIFE: Final = timedelta(days=90)
"""How long a session lives however often it is refreshed (OWASP ASVS 5.0, 10.4.8); without a refresh it ends sooner."""


@dataclass(frozen=True, slots=True)
class DeviceClaim:
    """What an app says of its device at a login, checked by whoever read it.

    `id`: the installation's, made by the app once; None: it says none. `public_key`: P-256 in PEM (device_keys.py).
    `token`: what the last login on this device gave, by which it is known again.
    """

    id: str | None = None
    name: str = ""
    platform: str = "unknown"
    app_version: str = ""
    schema_version: int | None = None
    public_key: str | None = None
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh gives. `device_token`: only a login's; None otherwise."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    actor: Actor
    device_token: str | None = field(default=None, repr=False)


def device_key(device_id: str) -> str:
    """Make the id under which a device's token is written: tokens have 32 hexadecimal digits there."""
    return hashlib.sha256(device_id.encode()).hexdigest()[:32]


async def begin_session(
    database: Database,
    tokens: Tokens,
    *,
    org_id: str,
    user_id: str,
    device: DeviceClaim | None,
    refresh_days: int,
    address: str = "",
    how: str = "password",
    second: SecondFactor | None = None,
) -> Grant | None:
    """Begin a session for a user who was recognised; None if the user is no longer active.

    The device is registered with it; its earlier sessions end. `how` and `address` go into the security events. `second`: says
    whether the user must set up a second factor first. Raises `unit_of_work.Busy`. Cost: one transaction of nine short
    statements; the clock, if the installation changes hands.
    """
    claim = device or DeviceClaim()
    actor = Actor(org_id, user_id, uuid.uuid4().hex, claim.id or uuid.uuid4().hex)
    refresh_token = OpaqueToken.make(org_id, actor.session_id)
    device_token = OpaqueToken.make(org_id, device_key(actor.device_id))
    said: list[Happening] = []

    async def work(connection: Connection) -> Actor | None:
        said.clear()
        written = devices.Claim(
            *(actor.device_id, claim.name, claim.platform, claim.app_version, claim.schema_version, claim.public_key)
        )
        registered = await devices.register(connection, org_id, user_id, written, device_token.digest())
        await sessions.end_sessions_of_device(connection, org_id, actor.device_id, ended_by="login")
        life = min(timedelta(days=refresh_days), WHOLE_LIFE)
        must_enrol = second is not None and await second.must_enrol(connection, org_id, user_id)
        if not await sessions.insert_session(
            connection, org_id, actor.session_id, user_id, actor.device_id, life=life, must_enrol=must_enrol
        ):
            return None
        await refreshes.insert_first(connection, org_id, actor.session_id, refresh_token.digest())
        said.extend(_happenings(actor, address, how, registered.changed_hands))
        await security.write_down(connection, *said)
        return replace(actor, must_enrol=must_enrol)

    begun = await unit_of_work(database, org_id, work)
    if begun is None:
        return None
    for happening in said:
        happenings.tell(happening)
    return grant(tokens, begun, refresh_token, device_token)


def grant(tokens: Tokens, actor: Actor, refresh_token: OpaqueToken, device_token: OpaqueToken | None = None) -> Grant:
    """Put together what the client gets."""
    kept = None if device_token is None else str(device_token)
    return Grant(tokens.issue(actor), str(refresh_token), tokens.access_seconds, actor, kept)


def _happenings(actor: Actor, address: str, how: str, changed_hands: bool) -> Sequence[Happening]:
    who = (actor.user_id, actor.session_id, actor.device_id, address)
    begun = Happening(actor.org_id, happenings.LOGGED_IN, *who, how)
    moved = Happening(actor.org_id, happenings.DEVICE_CHANGED_HANDS, *who)
    return [moved, begun] if changed_hands else [begun]


async def end_sessions(
    database: Database,
    org_id: str,
    user_id: str,
    *,
    ended_by: str,
    by: str,
    only: str | None = None,
    keep: str | None = None,
    address: str = "",
) -> Sequence[str]:
    """End a user's sessions, or `only` one, or all but `keep`; give the ids of those that lived.

    `ended_by`: a word for why; `by`: the user who did it. Nobody is let in by them `SessionWatch.FRESH_SECONDS` later.
    """

    async def work(connection: Connection) -> Sequence[str]:
        ended = await sessions.end_sessions(connection, org_id, user_id, ended_by=ended_by, only=only, keep=keep)
        if ended:
            await security.write_down(
                connection,
                *(
                    Happening(org_id, happenings.SESSIONS_ENDED, user_id, id, "", address, f"{ended_by} by {by}")
                    for id in ended
                ),
            )
        return ended

    ended = await unit_of_work(database, org_id, work)
    if ended:
        detail = f"{ended_by} by {by}: {len(ended)}"
        happenings.tell(Happening(org_id, happenings.SESSIONS_ENDED, user_id, only or "", "", address, detail))
    return ended
