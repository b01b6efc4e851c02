"""Guesses at passwords: slowed down where they come from, and few a day for any one account wherever they come from.

Owns: the arithmetic, and when an attempt may be looked at.
Must not know: whether the account exists: a name that nobody has is treated alike.
Invariant: whoever guesses can make nobody wait who is on a device that has logged in before; and however many addresses guess,
an account takes `SHARED_BURST` guesses at once and `SHARED_BURST` more a day (tests/integration/test_guessing.py).

The arithmetic. Two buckets per login name, which leak with time:

- its source's: the address's network (IPv4 /24, IPv6 /48), or the device that proved with its token that it has logged in
  before. `FREE` failures are free; from then on the n-th makes the source wait 2^(n - FREE) seconds, `WAIT_MAX` at most. A
  day empties it; so does the right password.
- the shared one of all sources that are not known devices. It holds `SHARED_BURST` and leaks as much in a day. While it is
  full, only known devices get through. At most 2 · SHARED_BURST = 20 guesses fit into any 24 hours.

A password that may be chosen is none of the commonest (passwords.py), so that one guess is right for fewer than one account in
200 000: beyond the first few thousand of the passwords that leaked, each is used by fewer. 20 guesses: less than 1e-4 a day.

OWASP, Authentication Cheat Sheet: "Account Lockout", "Device Cookies".
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Final

from sync_server.store import guesses
from sync_server.store.database import NO_ORGANISATION, Database
from sync_server.store.guesses import Counted

FREE: Final = 4
"""Failures without a delay; people mistype."""

WAIT_MAX: Final = 900.0
"""Seconds; the longest delay of one source."""

SHARED_BURST: Final = 10.0
"""Failures that all unknown sources together may make at once, and again in a day."""

DAY: Final = 86_400.0

SHARED: Final = "*"


class TooManyGuesses(Exception):
    """This attempt was not looked at: there were too many before; `seconds`: wait so long."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


def network_of(address: str) -> str:
    """Give the network that an address is counted by.

    >>> network_of("203.0.113.77"), network_of("2001:db8:1:2::3"), network_of("::ffff:203.0.113.77"), network_of("")
    ('203.0.113.0/24', '2001:db8:1::/48', '203.0.113.0/24', 'unknown')
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            return str(ipaddress.ip_network((known, 48), strict=False))
        known = known.ipv4_mapped
    return str(ipaddress.ip_network((known, 24), strict=False))


def wait_of(counted: Counted) -> float:
    """Say how long a source has still to wait, in seconds; 0 or less: not at all.

    >>> wait_of(Counted(4, 0)), wait_of(Counted(5, 0)), wait_of(Counted(8, 10)), wait_of(Counted(40, 0))
    (0.0, 2.0, 6.0, 900.0)
    """
    over = counted.level - FREE
    if over < 1 or counted.seconds >= DAY:
        return 0.0
    wait: float = min(2.0 ** min(over, 30.0), WAIT_MAX)
    return wait - counted.seconds


def leaked(counted: Counted) -> float:
    """Say how full the shared bucket is now.

    >>> leaked(Counted(10, 0)), leaked(Counted(10, 43_200)), leaked(Counted(1, 86_400))
    (10.0, 5.0, 0.0)
    """
    return max(0.0, counted.level - counted.seconds * SHARED_BURST / DAY)


class Attempt:
    """One attempt at a login: counted as failed until it is known to have succeeded."""

    def __init__(self, database: Database, username: str, source: str, *, known: bool) -> None:
        """`source`: an address, or of a `known` device or session its name."""
        self._database = database
        self._name = hashlib.sha256(username.encode()).digest()
        self._known = known
        self._source = source if known else network_of(source)

    async def count(self) -> None:
        """Count the attempt. Raises `TooManyGuesses`; then it must not be looked at. Cost: a transaction of three statements.

        What is refused here is not counted: somebody who keeps on knocking does not push the end of the wait away.
        """
        sources = [self._source] if self._known else [self._source, SHARED]
        async with self._database.acquire(NO_ORGANISATION) as connection, connection.transaction():
            held = await guesses.lock_guesses(connection, self._name, sources)
            own = held[self._source]
            levels = {self._source: (0.0 if own.seconds >= DAY else own.level) + 1}
            wait = wait_of(own)
            if not self._known:
                levels[SHARED] = leaked(held[SHARED]) + 1
                wait = max(wait, (levels[SHARED] - SHARED_BURST) * DAY / SHARED_BURST)
            if wait > 0:
                raise TooManyGuesses(int(wait) + 1)
            await guesses.write_guesses(connection, self._name, levels)

    async def succeeded(self) -> None:
        """Take the count back: it was no guess. Cost: one statement."""
        shared = self._source if self._known else SHARED
        async with self._database.acquire(NO_ORGANISATION) as connection:
            await guesses.forgive(connection, self._name, self._source, shared)
