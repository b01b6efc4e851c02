"""The world that rules see: the rows around the changed ones, as they will be once the unit commits.

Owns: which rows a batch of drafts needs, loading them in a constant number of statements, and the overlay of what the
batch itself changes.
Must not know: what the rules are, SQL.
Invariant: a rule sees the present committed row or what an accepted draft of this unit makes of it, never what a refused
one wanted (tests/integration/test_rules_in_push.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import cache

from conflict.mutation import Key
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity, Gather
from erp_core.scopes import Follows
from erp_core.values import Row
from sync_server.engine.draft import Draft
from sync_server.store import log, rows
from sync_server.store.database import Connection


class LoadedWorld:
    """`World` of erp_core/language.py over rows in memory."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._rows: dict[Key, Row | None] = {}
        self._siblings: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._gathered: set[tuple[str, str]] = set()

    @property
    def today(self) -> date:
        return self._today

    def get(self, entity: str, id: str | None) -> Row | None:
        return None if id is None else self._rows.get((BY_NAME[entity].table, id))

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        assert (entity, field) in self._gathered, f"no entity of the batch declares Gather({entity!r}, {field!r})"
        if id is None:
            return []
        table = BY_NAME[entity].table
        found = (self._rows.get((table, sibling)) for sibling in sorted(self._siblings[entity, field, id]))
        return [row for row in found if row is not None and row[field] == id]

    # --- Overlay ------------------------------------------------------------------------------------------------------

    def put(self, entity: Entity, id: str, row: Row | None) -> None:
        """Let the world see `row` from now on (None: deleted)."""
        self._rows[entity.table, id] = row
        for name, field in self._gathered:
            if name == entity.name and row is not None and row[field] is not None:
                self._siblings[name, field, row[field]].add(id)

    def knows(self, key: Key) -> bool:
        """Whether a row was loaded or put, be it as deleted."""
        return key in self._rows

    def holds(self, key: Key) -> bool:
        return self._rows.get(key) is not None

    # --- Loading ------------------------------------------------------------------------------------------------------

    async def load(self, connection: Connection, org_id: str, drafts: Collection[Draft]) -> None:
        """Load what the drafts' rules may look at, and what those rows follow (a slip its lorry, that one its trade).

        Cost: one statement per declared gather, one for all rows, and one per further step of what they follow.
        """
        wanted = set(_named(drafts))
        for gather in {gather for draft in drafts for gather in gathers_of(draft.entity)}:
            wanted |= await self._gather(connection, org_id, gather, drafts)
        asked: set[Key] = set()
        while missing := wanted - self._rows.keys() - asked:
            for key, state in (await log.read_states(connection, org_id, missing)).items():
                self._rows[key] = state.row
            asked |= missing
            wanted = set(_followed(self._rows, missing))

    async def _gather(self, connection: Connection, org_id: str, gather: Gather, drafts: Iterable[Draft]) -> set[Key]:
        named = {
            draft.mutation.id if gather.via == "id" else row[gather.via]
            for draft in drafts
            if gather in gathers_of(draft.entity)
            for row in (draft.before, draft.after)
            if row is not None
        }
        entity = BY_NAME[gather.entity]
        self._gathered.add((gather.entity, gather.field))
        found = await rows.ids_by(connection, entity, gather.field, org_id, named - {None})
        for id, value in found:
            self._siblings[gather.entity, gather.field, value].add(id)
        return {(entity.table, id) for id, _ in found}


@cache
def gathers_of(entity: Entity) -> tuple[Gather, ...]:
    """Give what an entity gathers, the rows that its rollups add up included."""
    added = (Gather(entity.name, rollup.via, rollup.via) for rollup in entity.rollups)
    return tuple(dict.fromkeys((*entity.gathers, *added)))


def _named(drafts: Iterable[Draft]) -> Iterable[Key]:
    """Name the rows that the drafts refer to, before and after, and as their authors wanted them."""
    for draft in drafts:
        for row in (draft.before, draft.after, draft.wanted):
            if row is not None:
                for field, target in draft.entity.references:
                    if row[field.name] is not None:
                        yield (BY_NAME[target].table, row[field.name])


def _followed(rows: Mapping[Key, Row | None], keys: Iterable[Key]) -> Iterable[Key]:
    """Name the rows whose labels those of `keys` carry."""
    for key in keys:
        row = rows.get(key)
        for label in () if row is None else BY_TABLE[key[0]].labels:
            if isinstance(label, Follows) and row is not None and row[label.field] is not None:
                yield (BY_NAME[label.entity].table, row[label.field])


def lock_targets(drafts: Iterable[Draft]) -> Mapping[Key, None]:
    """Name the rows that must stand still while the drafts are judged: those whose siblings a rule adds up.

    Two phones that book the last bales of one lot both hold the lot's row, so one waits for the other.
    """
    targets: dict[Key, None] = {}
    for draft in drafts:
        references = {field.name: target for field, target in draft.entity.references}
        for via in {gather.via for gather in gathers_of(draft.entity)} & references.keys():
            for row in (draft.before, draft.after):
                if row is not None and row[via] is not None:
                    targets[BY_NAME[references[via]].table, row[via]] = None
    return targets
