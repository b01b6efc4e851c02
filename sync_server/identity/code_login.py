"""What a right code is good for: a session, or moving its asker to the number.

Owns: the way from a code to a session, and from a code to another number.
Must not know: HTTP.
Invariant: a code that gave no session, as the database was busy, is still good; a user is moved only by a code that was sent to
the new number, and the old number hears of it (tests/integration/test_codes.py, tests/integration/test_phone_change.py).
"""

from __future__ import annotations

import asyncpg
import structlog

from sync_server.identity import happenings, totp
from sync_server.identity.codes import Choose, CodeRefused, Codes, MoreNeeded, Proved, Wrong
from sync_server.identity.second_factor import SecondFactor
from sync_server.identity.sessions import DeviceClaim, Grant, begin_session
from sync_server.identity.tokens import Tokens
from sync_server.identity.totp import Verdict
from sync_server.store import codes as store
from sync_server.store import security
from sync_server.store.actor import Actor
from sync_server.store.codes import Moved
from sync_server.store.database import DISCONNECTED, NO_ORGANISATION, Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import Busy, attribute

log = structlog.get_logger(__name__)


async def log_in(
    codes: Codes,
    database: Database,
    tokens: Tokens,
    second: SecondFactor,
    *,
    request_id: str,
    code: str,
    org_id: str,
    second_code: str,
    device: DeviceClaim | None,
    refresh_days: int,
    address: str = "",
) -> Grant | Wrong | Choose:
    """Begin a session with a code, which is used up. `org_id`: "" where there is one only; `second_code`: "" if none was given.

    Raises `CodeRefused`, `MoreNeeded` (the second factor), `TooManyCodes` and `Busy`. A wrong second factor counts as a try of
    the code. Cost: two transactions.
    """

    async def gate(connection: Connection, org_id: str, user_id: str) -> bool:
        verdict = await totp.check(connection, second.secret, org_id, user_id, second_code)
        if verdict is Verdict.MISSING:
            raise MoreNeeded
        return verdict is not Verdict.WRONG

    claim = device or DeviceClaim()
    tried = await codes.try_login(request_id, code, device_id=claim.id or "", org_id=org_id, gate=gate)
    if isinstance(tried, Wrong):
        _note_failure(database, tried.phone, address)
    if not isinstance(tried, Proved):
        return tried
    try:
        grant = await begin_session(
            *(database, tokens),
            org_id=tried.org_id,
            user_id=tried.user_id,
            device=device,
            refresh_days=refresh_days,
            address=address,
            how="code",
            second=second,
        )
    except Busy:
        await codes.give_back(request_id)
        raise
    if grant is None:
        raise CodeRefused
    return grant


def _note_failure(database: Database, number: str, address: str) -> None:
    """Write a wrong code down with whoever has the number; after the answer, which is the same if nobody has it."""

    async def write() -> None:
        try:
            async with database.acquire(NO_ORGANISATION) as connection:
                holders = await store.holders_of(connection, number)
            for holder in holders:
                failure = Happening(holder.org_id, happenings.CODE_FAILED, holder.user_id, address=address)
                async with database.acquire(holder.org_id) as connection:
                    await security.write_down(connection, failure)
        except (asyncpg.PostgresError, TimeoutError, *DISCONNECTED) as fault:
            log.error("security_event_lost", kind=happenings.CODE_FAILED, exc_info=fault)

    database.in_background(write())


class NumberTaken(Exception):
    """A colleague has the number."""


async def move(codes: Codes, actor: Actor, *, request_id: str, code: str, address: str = "") -> Wrong | None:
    """Move the actor to the number that a code was sent to; None: done.

    Raises `CodeRefused`, `NumberTaken`, `TooManyCodes` and `Busy`.
    """
    moved: list[Moved] = []
    happening = Happening(
        *(actor.org_id, happenings.PHONE_MOVED, actor.user_id, actor.session_id, actor.device_id, address)
    )

    async def write(connection: Connection, number: str) -> bool:
        moved.clear()
        await attribute(connection, {("users", actor.user_id): (actor, "")})
        done = await store.move_phone(connection, actor, number)
        if done is None:
            return False
        if done.taken:
            raise NumberTaken
        moved.append(done)
        await security.write_down(connection, happening)
        return True

    tried = await codes.try_move(request_id, code, actor, write)
    if isinstance(tried, Wrong):
        return tried
    happenings.tell(happening)
    for done in moved:
        if done.before and not (isinstance(tried, Proved) and tried.phone == done.before):
            codes.notify(done.before, actor.org_id)
    return None
