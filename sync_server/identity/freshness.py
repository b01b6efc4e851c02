"""What may be done only by somebody who has just logged in.

Owns: how long a login counts as just now.
Must not know: HTTP, or what is to be done.
Invariant: a refresh makes no session fresh again: whoever has stolen one cannot move its user to another number, give roles or
take the data away (tests/integration/test_phone_change.py).

OWASP ASVS 5.0, 7.5.1.
"""

from __future__ import annotations

from typing import Final

from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.totp import seconds_since_login

MINUTES: Final = 15
"""What is usual for such changes: time to find the page, too short for a device that was left lying about."""


async def fresh_within(database: Database, actor: Actor, minutes: float = MINUTES) -> bool:
    """Say whether the actor's session began, with a login, within so many minutes. Cost: one statement."""
    async with database.acquire(actor.org_id) as connection:
        seconds = await seconds_since_login(connection, actor)
    return seconds is not None and seconds <= minutes * 60
