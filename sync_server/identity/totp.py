"""Second factors: an authenticator app (RFC 6238), and recovery codes for when the phone with it is gone.

Owns: secrets, codes and recovery codes, and who needs them.
Must not know: HTTP, or how the first factor was shown.
Invariant: a code is good once, within a step of now; what the database keeps is neither a secret nor a recovery code
(tests/integration/test_totp.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import pyotp
import structlog

from sync_server.identity import happenings
from sync_server.identity.secret_key import SecretKey
from sync_server.store import security, totp
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work

ISSUER: Final = "Cotton Sync"
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 1
"""RFC 6238, 5.2: one step for the way of the code and for a wrong clock, each way."""

RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 bits: not to be guessed, so that a plain hash keeps them."""

POWERFUL: Final = (
    *(
        "user.create",
        "user.update",
        "user.disable",
        "role.create",
        "role.update",
        "role.delete",
        "grant.give",
        "grant.take",
    ),
    *("session.revoke", "device.manage", "setting.update", "organisation.update", "privacy.erase_approve"),
    *("privacy.export_any", "audit.export"),
)
"""Permission codes whose holders need a second factor: managers, administrators, and whoever else may change people's rights or
take everything away."""

_CODE: Final = re.compile(r"\d{6}")
_RECOVERY: Final = re.compile(r"[A-Z2-7]{16}")

log = structlog.get_logger(__name__)


class Verdict(Enum):
    """What a second factor is worth."""

    NOT_ENROLLED = auto()
    MISSING = auto()
    """There is one, and it was not shown."""
    WRONG = auto()
    RIGHT = auto()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret, in base32, and the same as a URI, which is shown as a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def right_step(secret: str, code: str, last_step: int, now: float) -> int | None:
    """Give the time step whose code this is, if it is within `STEPS_AROUND` of now and after `last_step`; else None.

    Every step is compared, in constant time.

    >>> right_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "287082", 0, 59.0)  # RFC 6238, appendix B
    1
    >>> right_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "287082", 1, 59.0) is None
    True
    """
    generator = pyotp.TOTP(secret, interval=STEP_SECONDS)
    step = int(now) // STEP_SECONDS
    found = None
    for each in range(max(step - STEPS_AROUND, 0), step + STEPS_AROUND + 1):
        is_it = hmac.compare_digest(generator.generate_otp(each), code)
        if is_it and each > last_step:
            found = each
    return found


def new_recovery_codes() -> Sequence[str]:
    """Draw the recovery codes of one user, in groups of four letters and digits."""
    drawn = (base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES))
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in drawn]


def _hash(recovery_code: str) -> bytes:
    return hashlib.sha256(recovery_code.encode()).digest()


def _plain(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed).upper()


async def check(
    connection: Connection, secret: SecretKey, org_id: str, user_id: str, code: str, *, now: float | None = None
) -> Verdict:
    """Check the second factor of a user who has shown the first; in a transaction. A right code is used up.

    `code`: "" if none was given. Whoever calls counts what is wrong. Cost: one statement, two with a right code.
    """
    factor = await totp.lock_factor(connection, org_id, user_id)
    if factor is None or not factor.is_confirmed:
        return Verdict.NOT_ENROLLED
    typed = _plain(code)
    if not typed:
        return Verdict.MISSING
    if _RECOVERY.fullmatch(typed):
        used = await totp.use_recovery_code(connection, org_id, user_id, _hash(typed))
        return Verdict.RIGHT if used else Verdict.WRONG
    return Verdict.RIGHT if await _use(connection, secret, factor, org_id, user_id, typed, now) else Verdict.WRONG


async def _use(
    connection: Connection,
    secret: SecretKey,
    factor: totp.Factor,
    org_id: str,
    user_id: str,
    typed: str,
    now: float | None,
) -> bool:
    opened = secret.unseal(factor.secret, f"{org_id}/{user_id}")
    if opened is None:  # another secret than the one that it was sealed with; recovery codes are good all the same
        log.error("authenticator_unreadable", org=org_id, user=user_id)
        return False
    if not _CODE.fullmatch(typed):
        return False
    step = right_step(opened.decode(), typed, factor.last_step, time.time() if now is None else now)
    if step is None:
        return False
    await totp.use_step(connection, org_id, user_id, step)
    return True


# --- Enrolling --------------------------------------------------------------------------------------------------------


async def enrol(database: Database, secret: SecretKey, actor: Actor, username: str) -> Enrolment | None:
    """Make a secret for the actor's authenticator, in place of one that was not confirmed; None: one is in force.

    It is in force after `confirm`.
    """
    made = pyotp.random_base32()
    sealed = secret.seal(made.encode(), f"{actor.org_id}/{actor.user_id}")

    async def work(connection: Connection) -> bool:
        return await totp.write_secret(connection, actor, sealed)

    if not await unit_of_work(database, actor.org_id, work):
        return None
    return Enrolment(made, pyotp.TOTP(made, interval=STEP_SECONDS).provisioning_uri(name=username, issuer_name=ISSUER))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Recovery codes, shown once; `sessions`: those that may do more now than enrol."""

    recovery_codes: Sequence[str] = field(repr=False)
    sessions: Sequence[str]


async def confirm(
    database: Database, secret: SecretKey, actor: Actor, code: str, *, address: str = "", now: float | None = None
) -> Confirmed | None:
    """Put the actor's authenticator into force with a code of it; None: wrong, or nothing waits for it."""
    recovery_codes = new_recovery_codes()
    happening = Happening(
        *(actor.org_id, happenings.TOTP_ENROLLED, actor.user_id, actor.session_id, actor.device_id, address)
    )

    async def work(connection: Connection) -> Sequence[str] | None:
        factor = await totp.lock_factor(connection, actor.org_id, actor.user_id)
        if factor is None or factor.is_confirmed:
            return None
        if not await _use(connection, secret, factor, actor.org_id, actor.user_id, _plain(code), now):
            return None
        await security.write_down(connection, happening)
        return await totp.confirm(connection, actor, [_hash(_plain(each)) for each in recovery_codes])

    freed = await unit_of_work(database, actor.org_id, work)
    if freed is None:
        return None
    happenings.tell(happening)
    return Confirmed(recovery_codes, freed)


async def disable(database: Database, org_id: str, user_id: str, *, by: Actor, address: str = "") -> bool:
    """Take a user's authenticator away; False: there is none in force. Whoever calls has seen to it that `by` may."""
    detail = "" if by.user_id == user_id else f"by {by.user_id}"
    happening = Happening(*(org_id, happenings.TOTP_DISABLED, user_id, by.session_id, by.device_id, address, detail))

    async def work(connection: Connection) -> bool:
        removed = await totp.remove(connection, org_id, user_id)
        if removed:
            await security.write_down(connection, happening)
        return removed

    removed = await unit_of_work(database, org_id, work)
    if removed:
        happenings.tell(happening)
    return removed
