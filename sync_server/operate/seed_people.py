"""The people of the demo in the database, who can log in with a password that everybody knows.

Owns: adding those that are missing, each with the grant.
Must not know: who they are (erp_core/demo/people.py), and whether they are wanted (seed.py).
Invariant: a login name that somebody has, in whatever organisation, stays theirs (tests/integration/test_seed.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import asyncpg

from erp_core.demo.people import PEOPLE, Person, grant_of
from erp_core.entities.grant import GRANT
from sync_server.identity.people import add_user, login_name
from sync_server.store import rows
from sync_server.store.database import Database
from sync_server.store.people import find_person

PASSWORD: Final = "cotton-demo"  # noqa: S105 - meant to be known: demo mode only

LOGINS: Final[Mapping[str, str]] = MappingProxyType({person.username: person.shown for person in PEOPLE})
"""Login name -> who it is."""

VERSION: Final = 2
"""Counts how often people were added to the demo: one that was seeded before gets those who came since. 1: without roles of
partners, graders, dispatchers, traders, accountants and auditors."""


async def add_people(database: Database, seed: int) -> int:
    """Add the people whose login name nobody has, with their grants in the demo of `seed`; give how many."""
    return sum([await _add(database, person, seed) for person in PEOPLE])


async def _add(database: Database, person: Person, seed: int) -> bool:
    async with database.acquire_everywhere() as connection:
        if await find_person(connection, login_name(person.username)) is not None:
            return False
        try:
            async with connection.transaction():
                await add_user(
                    connection,
                    org_id=person.org_id,
                    user_id=person.username,
                    username=person.username,
                    name=person.name,
                    password=PASSWORD,
                    branch_id=person.branch_id,
                    phone=person.phone,
                )
                await rows.insert(connection, GRANT, person.org_id, dict([grant_of(person, seed)]))
        except asyncpg.UniqueViolationError:
            return False  # another process was faster
    return True
