"""Login with a password.

Owns: the way from a name and a password to a session.
Must not know: HTTP. A refusal is None, for whatever reason: an answer that told the reasons apart would name the users.
Invariant: a name that nobody has, a wrong password and a user who has left cost the same statements and the same hashing
(tests/integration/test_login.py).
"""

from __future__ import annotations

import asyncpg
import structlog

from sync_server.identity import happenings
from sync_server.identity.guesses import Attempt
from sync_server.identity.opaque import OpaqueToken
from sync_server.identity.passwords import check_password, hash_password, is_outdated
from sync_server.identity.people import login_name
from sync_server.identity.second_factor import SecondFactor
from sync_server.identity.sessions import DeviceClaim, Grant, begin_session, device_key
from sync_server.identity.tokens import Tokens
from sync_server.store import people, security
from sync_server.store.database import DISCONNECTED, NO_ORGANISATION, Database
from sync_server.store.people import Person
from sync_server.store.security import Happening

log = structlog.get_logger(__name__)


async def log_in(
    database: Database,
    tokens: Tokens,
    *,
    username: str,
    password: str,
    refresh_days: int,
    device: DeviceClaim | None = None,
    address: str = "",
    second: SecondFactor | None = None,
    code: str = "",
) -> Grant | None:
    """Begin a session for the active user whose name and password these are; None: refused.

    `second`: how the server asks for second factors, None: not at all; `code`: the one that was given, "" for none. Raises
    `SecondFactorNeeded`, `SecondFactorWrong`, `guesses.TooManyGuesses`, `passwords.Overloaded` and `unit_of_work.Busy`. Cost:
    40 ms in a thread, during which no connection is held, and four transactions.
    """
    person = await recognise(database, username, password, device, address)
    if person is None:
        return None
    shown = False
    if second is not None:
        claim = device or DeviceClaim()
        known = _is_known(person, claim)
        source = f"device {claim.id}" if known else address
        shown = await second.ask(database, person.org_id, person.user_id, code, source=source, known=known)
    return await begin_session(
        database,
        tokens,
        org_id=person.org_id,
        user_id=person.user_id,
        device=device,
        refresh_days=refresh_days,
        address=address,
        how="password and second factor" if shown else "password",
        second=second,
    )


async def recognise(
    database: Database, username: str, password: str, device: DeviceClaim | None, address: str
) -> Person | None:
    """Give the active person whose name and password these are, None if there is none; raises as `log_in` does."""
    claim = device or DeviceClaim()
    name = login_name(username)
    async with database.acquire(NO_ORGANISATION) as connection:
        person = await people.find_person(connection, name, claim.id or "")
    known = _is_known(person, claim)
    attempt = Attempt(database, name, f"device {claim.id}" if known else address, known=known)
    await attempt.count()
    stored = None if person is None else person.password_hash
    matches = await check_password(stored, password)
    if person is None or stored is None or not matches or not person.is_active:
        _note_failure(database, person, claim, address)
        return None
    await attempt.succeeded()
    if is_outdated(stored):
        newer = await hash_password(password)
        async with database.acquire(person.org_id) as connection:
            await people.renew_hash(connection, person.org_id, person.user_id, was=stored, password_hash=newer)
    return person


def _is_known(person: Person | None, claim: DeviceClaim) -> bool:
    """Say whether the device has logged in as this person before and kept what it got."""
    kept = OpaqueToken.read(claim.token)
    if person is None or kept is None or claim.id is None or person.trust_hash is None:
        return False
    return (kept.org_id, kept.id) == (person.org_id, device_key(claim.id)) and kept.is_of(person.trust_hash)


def _note_failure(database: Database, person: Person | None, claim: DeviceClaim, address: str) -> None:
    """Write a failure down after the answer, so that it takes no longer for a name that somebody has."""
    if person is None:
        happenings.tell(Happening("", happenings.LOGIN_FAILED, address=address, detail="unknown name"))
        return
    happening = Happening(
        person.org_id, happenings.LOGIN_FAILED, person.user_id, device_id=claim.id or "", address=address
    )
    happenings.tell(happening)

    async def write() -> None:
        try:
            async with database.acquire(happening.org_id) as connection:
                await security.write_down(connection, happening)
        except (asyncpg.PostgresError, TimeoutError, *DISCONNECTED) as fault:
            log.error("security_event_lost", kind=happening.kind, exc_info=fault)

    database.in_background(write())
