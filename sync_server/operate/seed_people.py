"""The people of the demo, who can log in with a password that everybody knows.

Owns: who they are, and adding those that are missing.
Must not know: the rows of the demo, and whether its people are wanted (seed.py).
Invariant: a login name that somebody has, in whatever organisation, stays theirs (tests/integration/test_seed.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import asyncpg

from erp_core.demo.places import REGIONS
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID
from sync_server.identity.passwords import hash_password
from sync_server.identity.people import login_name
from sync_server.store.database import Database
from sync_server.store.users import find_person, insert_person

PASSWORD: Final = "cotton-demo"  # noqa: S105 - meant to be known: demo mode only


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Someone of the demo; `shown` says who it is to whoever starts the server."""

    username: str
    name: str
    role: str
    shown: str
    branch_id: str | None = None
    org_id: str = ORG_ID


_BRANCH: Final = {region.branch: region.branch_id for region in REGIONS}

USERS: Final = (
    DemoUser("agent1", "Bhavesh Vekariya", "agent", "field agent, Rajkot", _BRANCH["Rajkot"]),
    DemoUser("agent2", "Hetal Sorathiya", "agent", "field agent, Rajkot", _BRANCH["Rajkot"]),
    DemoUser("agent3", "Jignesh Dobariya", "agent", "field agent, Rajkot", _BRANCH["Rajkot"]),
    DemoUser("agent4", "Sunita Wankhade", "agent", "field agent, Akola", _BRANCH["Akola"]),
    DemoUser("manager", "Dipak Mehta", "manager", "manager, all branches"),
    DemoUser("admin", "Rekha Kothari", "administrator", "administrator"),
    DemoUser("other", "Imran Shaikh", "administrator", "administrator of a second organisation", org_id=OTHER_ORG_ID),
)
LOGINS: Final[Mapping[str, str]] = MappingProxyType({user.username: user.shown for user in USERS})
"""Login name -> who it is."""


async def add_users(database: Database) -> int:
    """Add the users whose login name nobody has; give how many. The hashes are made side by side, without a connection."""
    async with database.acquire() as connection:
        missing = [user for user in USERS if await find_person(connection, login_name(user.username)) is None]
    hashes = await asyncio.gather(*(hash_password(PASSWORD) for _ in missing))
    return sum([await _add_user(database, user, made) for user, made in zip(missing, hashes, strict=True)])


async def _add_user(database: Database, user: DemoUser, password_hash: str) -> bool:
    async with database.acquire() as connection:
        try:
            await insert_person(
                connection,
                org_id=user.org_id,
                user_id=user.username,
                username=login_name(user.username),
                name=user.name,
                role=user.role,
                branch_id=user.branch_id,
                password_hash=password_hash,
            )
        except asyncpg.UniqueViolationError:
            return False  # another process was faster
    return True
