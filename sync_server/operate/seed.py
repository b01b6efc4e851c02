"""Seeding: the demo organisation in the database, and the people who can log in to look at it.

Owns: the order of writing, and the note of how far the demo has come.
Must not know: how demo rows are made (erp_core/demo), SQL.
Invariant: seeding again, after a crash or for more records, goes on where it stopped and never undoes what people changed
meanwhile; nobody's rows but the two demo organisations' are touched (tests/integration/test_seed.py).

How far it has come is a setting of the organisation, `demo.seeded`, written in the transaction of the rows it counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from erp_core.demo.generate import Portion, generate, other_organisation
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID
from erp_core.entities.organisation import ORGANISATION
from erp_core.entities.setting import SETTING
from erp_core.values import Row
from sync_server.operate.founding import found_organisation
from sync_server.operate.seed_people import LOGINS, PASSWORD, VERSION, add_people
from sync_server.store import log, rows
from sync_server.store.database import Connection, Database
from sync_server.store.organisations import holds_others

__all__ = ["LOGINS", "PASSWORD", "RECORDS", "SeedReport", "seed_database", "seed_demo"]

RECORDS: Final = 2_000
"""A few hundred partners and their documents."""

NOT_EMPTY: Final = (
    "The database holds another organisation: no demo, and no logins with a known password, beside real data."
)
NOT_OURS: Final = "The demo organisation has lost its note of how far it had come, so nothing is added to it."

_NOTE_ID: Final = "demoSeedProgress"
_NOTE_KEY: Final = "demo.seeded"
_NOTE: Final = re.compile(r"seed=(\d+) blocks=(\d+) records=(\d+) wanted=(\d+) logins=(\d+)")


@dataclass(frozen=True, slots=True)
class SeedReport:
    """How many records of the demo there are now, how many of them and how many users this call made.

    `left_alone`: why nothing was done, in a sentence; empty if the demo is as it should be.
    """

    records: int
    made: int
    users: int
    left_alone: str = ""


@dataclass(frozen=True, slots=True)
class _Progress:
    """Where the stream of demo rows has come to and was to come to, and which people were added (seed_people.VERSION)."""

    seed: int
    blocks: int = 0
    records: int = 0
    wanted: int = RECORDS
    logins: int = 0

    def __str__(self) -> str:
        came = f"seed={self.seed} blocks={self.blocks} records={self.records}"
        return f"{came} wanted={self.wanted} logins={self.logins}"

    @classmethod
    def read(cls, note: str) -> _Progress | None:
        found = _NOTE.fullmatch(note)
        if found is None:
            return None
        seed, blocks, records, wanted, logins = map(int, found.groups())
        return cls(seed, blocks, records, wanted, logins)


async def seed_demo(
    url: str,
    *,
    records: int | None = None,
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
    records: int | None = None,
    seed: int = 1,
    demo_users: bool = True,
    progress: Callable[[int], None] | None = None,
) -> SeedReport:
    """Bring the demo organisation to about `records` records, and with `demo_users` add its people, once.

    A demo that is already as large is left alone; a smaller one grows, with the seed it began with. `records` None: what
    was asked for the last time, so that a start completes an interrupted demo and grows no other; RECORDS the first time.
    A database that holds another organisation gets no demo. `progress` is called with the number of records there are.
    Cost: a transaction per 4 000 records, about 3 000 records a second.
    """
    begun = await _reached(database, seed)
    if begun is None:
        return SeedReport(records=0, made=0, users=0, left_alone=NOT_OURS)
    if not begun.records and await _holds_others(database):
        return SeedReport(records=0, made=0, users=0, left_alone=NOT_EMPTY)
    reached: _Progress | None = begun
    wanted = begun.wanted if records is None else records
    while reached is not None and not await _grow(database, reached, wanted, progress):
        reached = await _reached(database, seed)
    await _add_other_organisation(database)
    ended = await _reached(database, seed) or begun
    users = 0
    if demo_users and ended.logins < VERSION:
        users = await add_people(database, ended.seed)
        await _note_logins(database)
    return SeedReport(ended.records, ended.records - begun.records, users)


async def _holds_others(database: Database) -> bool:
    async with database.acquire_everywhere() as connection:
        return await holds_others(connection, (ORG_ID, OTHER_ORG_ID))


async def _reached(database: Database, seed: int) -> _Progress | None:
    """Tell how far the demo has come; None: its organisation is here, and without the note it is not ours to touch."""
    async with database.acquire_everywhere() as connection:
        noted = await _noted(connection)
        if noted is not None:
            return noted
        known = await log.read_states(connection, ORG_ID, [(ORGANISATION.table, ORG_ID)])
        return None if known else _Progress(seed)


async def _noted(connection: Connection) -> _Progress | None:
    states = await log.read_states(connection, ORG_ID, [(SETTING.table, _NOTE_ID)])
    row = next((state.row for state in states.values()), None)
    return None if row is None else _Progress.read(row["value"])


async def _grow(database: Database, reached: _Progress, records: int, progress: Callable[[int], None] | None) -> bool:
    """Write what is missing up to `records`; False as soon as another process has written some of it."""
    if progress is not None:
        progress(reached.records)
    for portion in generate(records, reached.seed, blocks=reached.blocks, done=reached.records):
        following = replace(reached, blocks=portion.blocks, records=portion.records, wanted=records)
        if not await _write(database, portion, reached, following):
            return False
        reached = following
        if progress is not None:
            progress(reached.records)
    return True


async def _write(database: Database, portion: Portion, reached: _Progress, following: _Progress) -> bool:
    """Write one portion and the note of it, unless the note no longer says `reached`."""
    try:
        async with database.acquire_everywhere() as connection, connection.transaction():
            await rows.lock(connection, ORGANISATION, ORG_ID, [ORG_ID])
            if reached.records and await _noted(connection) != reached:
                return False
            await _insert(connection, portion)
            await rows.update(connection, SETTING, ORG_ID, {_NOTE_ID: _note(following)})
    except asyncpg.UniqueViolationError:
        if reached.records:
            raise
        return False  # there was no organisation to lock: another process has begun at the same time
    return True


async def _insert(connection: Connection, portion: Portion) -> None:
    for entity, made in portion.tables:
        if entity is ORGANISATION:
            (row,) = made.values()
            fields = {field.name: row[field.name] for field in ORGANISATION.fields}
            await found_organisation(connection, org_id=portion.org_id, **fields)
        else:
            await rows.insert(connection, entity, portion.org_id, made)


def _note(reached: _Progress) -> Row:
    given = {"scope": "org", "scope_id": ORG_ID, "key": _NOTE_KEY, "value": str(reached)}
    return SETTING.empty() | given


async def _note_logins(database: Database) -> None:
    async with database.acquire_everywhere() as connection, connection.transaction():
        await rows.lock(connection, ORGANISATION, ORG_ID, [ORG_ID])
        noted = await _noted(connection)
        if noted is not None:
            await rows.update(connection, SETTING, ORG_ID, {_NOTE_ID: _note(replace(noted, logins=VERSION))})


async def _add_other_organisation(database: Database) -> None:
    portion = other_organisation()
    async with database.acquire_everywhere() as connection:
        if await log.read_states(connection, portion.org_id, [(ORGANISATION.table, portion.org_id)]):
            return
        with suppress(asyncpg.UniqueViolationError):  # another process was faster
            async with connection.transaction():
                await _insert(connection, portion)
