"""Rows of every entity, drawn by a seed: valid for SQL, and nothing more.

Owns: drawing a row from an entity's declaration, and a story of plain SQL over all tables.
Must not know: the rules of the trade, labels, who sees what.
Invariant: references, choices and agents are drawn anew each time, because labels follow from them; what the database refuses
(a row that others name) is rolled back and the story goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from random import Random
from typing import Any, Final

import asyncpg

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity, Field
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Row, Words
from sync_server.store import rows
from tests.harness.world import House

PEOPLE: Final = ("agent1", "agent2", "agent3")
FOUNDED: Final = ("organisation", "branch", "user", "role")
"""What the house has of itself."""
MOVING: Final = tuple(entity for entity in ENTITIES if entity.name not in FOUNDED)


def draw(random: Random, entity: Entity, id: str, ids: Mapping[str, list[str]]) -> Row:
    """Draw a row of `entity`; `ids`: table -> the ids that it may name."""
    drawn = {field.name: _value(random, entity, field, id, ids) for field in entity.fields}
    times = {"created_at": None, "updated_at": None, "created_by": None, "updated_by": None}
    row = {**entity.empty(), **drawn, **times}
    if entity.name == "setting":
        row["scope_id"] = random.choice({"org": [id], "branch": ["b1", "b2"], "user": list(PEOPLE)}[row["scope"]])
    if entity.name == "grant":
        for place in random.sample(("branch_id", "partner_id", "agent_id"), random.randint(2, 3)):
            row[place] = None
    return row


def _value(random: Random, entity: Entity, field: Field, id: str, ids: Mapping[str, list[str]]) -> Any:
    unique = any(field.name in names for names in entity.unique_keys)
    match field.type:
        case Reference(entity=target):
            known = ids.get(BY_NAME[target].table, [])
            return random.choice([*known, *([] if field.required else [None])])
        case Choice(words=words):
            return random.choice(words)
        case Integer(least=least) | Number(least=least):
            return max(least, 1)
        case Flag() | Day() | Instant() | Words() | Document() as kind:
            return _PLAIN[type(kind)]
    if field.name in (entity.assignee, "author_id", *entity.whose):
        return random.choice([*PEOPLE, *([] if field.required else [None])])
    return f"{field.name} {id}" if field.required or unique else None


_PLAIN: Final[Mapping[type, Any]] = {
    Flag: True,
    Day: date(2026, 11, 20),
    Instant: datetime(2026, 11, 20, tzinfo=UTC),
    Words: (),
    Document: {},
}
"""Values from which no label follows."""


class Story:
    """Steps of plain SQL in one house; each step is a transaction of some statements over rows of any table."""

    def __init__(self, house: House, random: Random) -> None:
        self.house, self.random = house, random
        self._count = 0

    async def ids(self) -> dict[str, list[str]]:
        return {entity.table: await self.house.ids(entity.table) for entity in ENTITIES}

    async def step(self) -> None:
        """Insert, change or delete some rows."""
        what = self.random.choice([self.insert, self.insert, self.change, self.change, self.change, self.delete])
        with contextlib.suppress(asyncpg.ForeignKeyViolationError, asyncpg.UniqueViolationError):
            await what()  # others name the row, or a drawn pair is taken: nothing happened

    async def insert(self, number: int = 3) -> None:
        ids = await self.ids()
        await self.insert_of(self.random.choice([e for e in MOVING if _possible(e, ids)]), number)

    async def insert_of(self, entity: Entity, number: int) -> None:
        """Insert up to `number` rows of `entity` in one statement."""
        ids = await self.ids()
        new = [f"{entity.table[:4]}{self._count + n}" for n in range(self.random.randint(1, number))]
        self._count += len(new)
        drawn = {id: draw(self.random, entity, id, ids) for id in new}
        async with self.house.database.acquire_everywhere() as connection:
            try:
                await rows.insert(connection, entity, self.house.org_id, drawn)
            except asyncpg.UniqueViolationError:
                if number == 1:
                    raise
        if new[0] not in await self.house.ids(
            entity.table
        ):  # two of them had one key: one row has no other to clash with
            await self.insert_of(entity, 1)

    async def change(self) -> None:
        """Change one column of many rows, or whole rows one by one."""
        ids = await self.ids()
        entity = self.random.choice([e for e in MOVING if ids[e.table]])
        chosen = self.random.sample(ids[entity.table], self.random.randint(1, min(3, len(ids[entity.table]))))
        async with self.house.database.acquire_everywhere() as connection:
            drawn = {id: draw(self.random, entity, id, ids) for id in chosen}
            await rows.update(connection, entity, self.house.org_id, drawn)

    async def delete(self) -> None:
        ids = await self.ids()
        entity = self.random.choice([e for e in MOVING if ids[e.table]])
        async with self.house.database.acquire_everywhere() as connection:
            chosen = self.random.sample(ids[entity.table], 1)
            await rows.delete(connection, entity, self.house.org_id, chosen)


def _possible(entity: Entity, ids: Mapping[str, list[str]]) -> bool:
    return all(ids[BY_NAME[target].table] for field, target in entity.references if field.required)
