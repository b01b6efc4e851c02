"""Passwords: which may be chosen; hashed with argon2id, in threads, a few at a time.

Owns: the parameters, the threads, the time that a check takes, and what is too easy to guess.
Must not know: whose password it is.
Invariant: a check takes the same work whether or not there is a hash to check against, and never runs on the event loop
(tests/integration/test_login.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_Result = TypeVar("_Result")

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP Password Storage Cheat Sheet (2025): argon2id with 19 MiB, 2 passes, 1 lane at least. About 40 ms of one core."""

_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$Awm7xDaBG9NQq40swTAsEA$Xw4fPeC8JhAxiGMNBDttaxWiYdzOQGqMUQFO1IzCA0k"
"""The hash that an unknown name's password is checked against: same parameters, no password known."""

THREADS: Final = 2
"""Checks under way at once: 19 MiB each, and logins must leave a core to everybody else's syncs."""

WAITING_MAX: Final = 64
"""Checks that may wait, about 1.5 s of them; beyond it a phone had better try again later."""

PASSWORD_MAX: Final = 256
"""Characters; nobody types more, and hashing must not be a way to keep us busy."""


PASSWORD_MIN: Final = 8
"""Characters, of any kind: OWASP ASVS 5.0, 6.2.1 and 6.2.5."""

_COMMON: Final = Path(__file__).with_name("common_passwords.txt")


class Overloaded(Exception):
    """Too many passwords wait for their check; the same request may be sent again."""


class _Lane:
    """A bounded queue in front of a few threads; they start with the first password, so a forked worker has its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._inside = 0

    async def run(self, work: Callable[..., _Result], *arguments: str) -> _Result:
        if self._inside >= THREADS + WAITING_MAX:
            raise Overloaded
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._inside -= 1


_LANE: Final = _Lane()


async def hash_password(password: str) -> str:
    """Hash a password into the text that is stored. Raises `Overloaded`. Cost: 40 ms in a thread."""
    return await _LANE.run(_HASHER.hash, password)


async def check_password(stored: str | None, password: str) -> bool:
    """Say whether `password` is the one that `stored` was made from; None, for nobody's, takes as long and is False.

    Raises `Overloaded`. Cost: 40 ms in a thread.
    """
    return (
        await _LANE.run(_matches, stored or _NOBODY, password[:PASSWORD_MAX])
        and bool(stored)
        and len(password) <= PASSWORD_MAX
    )


def is_outdated(stored: str) -> bool:
    """Say whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def fault_of(password: str, username: str) -> str:
    """Say what is wrong with a password that somebody chooses, as a sentence; "" if it may be chosen.

    >>> fault_of("Password1", "asha")
    'This password is among those that everybody tries first.'
    >>> fault_of("correct horse battery", "asha")
    ''
    """
    plain = password.casefold()
    if len(password) < PASSWORD_MIN:
        return f"A password has at least {PASSWORD_MIN} characters."
    if len(password) > PASSWORD_MAX:
        return f"A password has at most {PASSWORD_MAX} characters."
    if username and plain.replace(username.casefold(), "", 1).strip("0123456789!@#$ ._-") == "":
        return "A password is more than the username."
    if plain in _common():
        return "This password is among those that everybody tries first."
    return ""


@cache
def _common() -> frozenset[str]:
    return frozenset(line for line in _COMMON.read_text().splitlines() if not line.startswith("# "))
