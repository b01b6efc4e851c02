"""Seeding: the demo organisation in the database, and the people who can log in to look at it.

Owns: the demo logins, the order of writing, and the note of how far the demo has come.
Must not know: how demo rows are made (erp_core/demo), SQL.
Invariant: seeding again, after a crash or for more records, goes on where it stopped and never undoes what people changed
meanwhile; nobody's rows but the two demo organisations' are touched (tests/integration/test_seed.py).

How far it has come is a setting of the organisation, `demo.seeded`, written in the transaction of the rows it counts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import asyncpg

from erp_core.demo.generate import Portion, generate, other_organisation
from erp_core.demo.places import REGIONS
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID
from erp_core.entities.organisation import ORGANISATION
from erp_core.entities.setting import SETTING
from erp_core.values import Row
from sync_server.identity.passwords import hash_password
from sync_server.identity.people import login_name
from sync_server.store import log, rows
from sync_server.store.database import Connection, Database
from sync_server.store.users import find_person, insert_person

PASSWORD: Final = "cotton-demo"  # noqa: S105 - meant to be known: demo mode only
RECORDS: Final = 2_000
"""A few hundred partners and their documents."""

_PROGRESS_ID: Final = "demoSeedProgress"
_PROGRESS_KEY: Final = "demo.seeded"
_PROGRESS: Final = re.compile(r"seed=(\d+) blocks=(\d+) records=(\d+)")


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


@dataclass(frozen=True, slots=True)
class SeedReport:
    """How many records of the demo there are now, how many of them and how many users this call made."""

    records: int
    made: int
    users: int


@dataclass(frozen=True, slots=True)
class _Progress:
    """Where the stream of demo rows has come to."""

    seed: int
    blocks: int
    records: int

    def __str__(self) -> str:
        return f"seed={self.seed} blocks={self.blocks} records={self.records}"


async def seed_demo(
    url: str,
    *,
    records: int = RECORDS,
    seed: int = 1,
    demo_users: bool = True,
    progress: Callable[[int], None] | None = None,
) -> SeedReport:
    """Do what `seed` does in the database at `url`."""
    database = await Database.open(url, pool_max=2, statement_timeout_ms=120_000)
    try:
        return await seed_database(database, records=records, seed=seed, demo_users=demo_users, progress=progress)
    finally:
        await database.close()


async def seed_database(
    database: Database,
    *,
    records: int = RECORDS,
    seed: int = 1,
    demo_users: bool = True,
    progress: Callable[[int], None] | None = None,
) -> SeedReport:
    """Bring the demo organisation to about `records` records, and with `demo_users` make the logins that are missing.

    A demo that is already as large is left alone; a smaller one grows, with the seed it began with. `progress` is called
    with the number of records there are. Cost: a transaction per 4 000 records, about 10 000 records a second.
    """
    begun = await _reached(database, seed)
    reached = begun
    while reached is not None and not await _grow(database, reached, records, progress):
        reached = await _reached(database, seed)
    ended = await _reached(database, seed)
    await _add_other_organisation(database)
    users = await _add_users(database) if demo_users else 0
    if begun is None or ended is None:
        return SeedReport(records=0, made=0, users=users)
    return SeedReport(ended.records, ended.records - begun.records, users)


async def _reached(database: Database, seed: int) -> _Progress | None:
    """Tell how far the demo has come; None: its organisation is here, and without the note it is not ours to touch."""
    async with database.acquire() as connection:
        noted = await _noted(connection)
        if noted is not None:
            return noted
        known = await log.read_states(connection, ORG_ID, [(ORGANISATION.table, ORG_ID)])
        return None if known else _Progress(seed, 0, 0)


async def _noted(connection: Connection) -> _Progress | None:
    states = await log.read_states(connection, ORG_ID, [(SETTING.table, _PROGRESS_ID)])
    row = next((state.row for state in states.values()), None)
    found = None if row is None else _PROGRESS.fullmatch(row["value"])
    return None if found is None else _Progress(*map(int, found.groups()))


async def _grow(database: Database, reached: _Progress, records: int, progress: Callable[[int], None] | None) -> bool:
    """Write what is missing up to `records`; False as soon as another process has written some of it."""
    for portion in generate(records, reached.seed, blocks=reached.blocks, done=reached.records):
        following = _Progress(reached.seed, portion.blocks, portion.records)
        if not await _write(database, portion, reached, following):
            return False
        reached = following
        if progress is not None:
            progress(reached.records)
    return True


async def _write(database: Database, portion: Portion, reached: _Progress, following: _Progress) -> bool:
    """Write one portion and the note of it, unless the note no longer says `reached`."""
    try:
        async with database.acquire() as connection, connection.transaction():
            await rows.lock(connection, ORGANISATION, ORG_ID, [ORG_ID])
            if reached.records and await _noted(connection) != reached:
                return False
            await _insert(connection, portion)
            await rows.update(connection, SETTING, ORG_ID, {_PROGRESS_ID: _note(following)})
    except asyncpg.UniqueViolationError:
        if reached.records:
            raise
        return False  # there was no organisation to lock: another process has begun at the same time
    return True


async def _insert(connection: Connection, portion: Portion) -> None:
    for entity, made in portion.tables:
        await rows.insert(connection, entity, portion.org_id, made)


def _note(reached: _Progress) -> Row:
    given = {"scope": "org", "scope_id": ORG_ID, "key": _PROGRESS_KEY, "value": str(reached)}
    return {field.name: given.get(field.name, field.default) for field in SETTING.all_fields}


async def _add_other_organisation(database: Database) -> None:
    portion = other_organisation()
    async with database.acquire() as connection:
        if await log.read_states(connection, portion.org_id, [(ORGANISATION.table, portion.org_id)]):
            return
        with suppress(asyncpg.UniqueViolationError):  # another process was faster
            async with connection.transaction():
                await _insert(connection, portion)


async def _add_users(database: Database) -> int:
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
