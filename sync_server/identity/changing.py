"""Changing a password: by its owner, who knows the old one, or through a reset that an administrator gives.

Owns: both ways, and that the sessions of before end with them.
Must not know: HTTP, or who may give a reset.
Invariant: whoever had the old password, or a session by it, has neither afterwards; a reset is used once
(tests/integration/test_passwords.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sync_server.identity import happenings
from sync_server.identity.guesses import Attempt
from sync_server.identity.opaque import OpaqueToken
from sync_server.identity.passwords import check_password, fault_of, hash_password
from sync_server.store import people, security, sessions
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

RESET_LIFE: Final = timedelta(hours=24)


class WeakPassword(Exception):
    """The password may not be chosen; the text says why."""


class Refused(Exception):
    """The old password, or the reset, is not good."""


async def change_password(database: Database, actor: Actor, *, old: str, new: str, address: str = "") -> Sequence[str]:
    """Give the actor another password; the other sessions end, and their ids are given back.

    Raises `Refused`, `WeakPassword`, `guesses.TooManyGuesses` (a session guesses for itself only: nobody else has to wait),
    and `passwords.Overloaded`.
    """
    async with database.acquire(actor.org_id) as connection:
        person = await people.read_person(connection, actor.org_id, actor.user_id)
    if person is None:
        raise Refused
    attempt = Attempt(database, person.username, f"session {actor.session_id}", known=True)
    await attempt.count()
    if not await check_password(person.password_hash, old):
        raise Refused
    await attempt.succeeded()
    _check(new, person.username)
    made = await hash_password(new)
    happening = Happening(
        *(actor.org_id, happenings.PASSWORD_CHANGED, actor.user_id, actor.session_id, actor.device_id, address)
    )

    async def work(connection: Connection) -> Sequence[str]:
        await people.write_password(connection, actor.org_id, actor.user_id, made)
        await security.write_down(connection, happening)
        return await sessions.end_sessions(
            connection, actor.org_id, actor.user_id, ended_by="password", keep=actor.session_id
        )

    ended = await unit_of_work(database, actor.org_id, work)
    happenings.tell(happening)
    return ended


async def give_reset(database: Database, actor: Actor, user_id: str, *, address: str = "") -> OpaqueToken | None:
    """Make the token with which a user of the actor's organisation sets a password, once within `RESET_LIFE`.

    An earlier one is void. None: there is no such active user. The password of now stays good until then.
    """
    token = OpaqueToken.make(actor.org_id, uuid.uuid4().hex)
    happening = Happening(
        actor.org_id, happenings.PASSWORD_RESET_GIVEN, user_id, address=address, detail=f"by {actor.user_id}"
    )

    async def work(connection: Connection) -> bool:
        made = await people.insert_reset(
            connection,
            actor.org_id,
            user_id,
            id=token.id,
            hash=token.digest(),
            made_by=actor.user_id,
            life=RESET_LIFE,
        )
        if made:
            await security.write_down(connection, happening)
        return made

    if not await unit_of_work(database, actor.org_id, work):
        return None
    happenings.tell(happening)
    return token


async def use_reset(database: Database, *, token: str, password: str, address: str = "") -> Sequence[tuple[str, str]]:
    """Set a password with a reset; all sessions of the user end, and their (org_id, id) are given back.

    Raises `Refused`, `WeakPassword` (the reset stays good), and `passwords.Overloaded`.
    """
    shown = OpaqueToken.read(token)
    if shown is None:
        raise Refused
    _check(password, "")
    made = await hash_password(password)
    said: list[Happening] = []

    async def work(connection: Connection) -> Sequence[str]:
        said.clear()
        reset = await people.lock_reset(connection, shown.org_id, shown.id)
        if reset is None or not shown.is_of(reset.hash):
            raise Refused
        _check(password, reset.username)
        await people.write_password(connection, shown.org_id, reset.user_id, made)
        said.append(Happening(shown.org_id, happenings.PASSWORD_RESET, reset.user_id, address=address))
        await security.write_down(connection, *said)
        return await sessions.end_sessions(connection, shown.org_id, reset.user_id, ended_by="password")

    ended = await unit_of_work(database, shown.org_id, work)
    for happening in said:
        happenings.tell(happening)
    return [(shown.org_id, id) for id in ended]


def _check(password: str, username: str) -> None:
    fault = fault_of(password, username)
    if fault:
        raise WeakPassword(fault)
