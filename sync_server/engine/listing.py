"""Lists for the office: a page of a table as far as the asker may see it, with what it names, and how many there are.

Owns: which records a page holds for whom, and what of each.
Must not know: HTTP, JSON but for the ids that a record names, SQL.
Invariant: nothing is returned, found, sorted by, included or counted that the asker does not see: a field that is hidden in
some records counts, in conditions and in the order, only where it is shown (tests/integration/test_listing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity
from erp_core.values import Reference
from sync_server.engine.entitlements import Entitlements, View, label_of_all, view_of
from sync_server.engine.gate import require
from sync_server.engine.reading import Seen, as_seen, entitled_now, reachable
from sync_server.engine.standing import Standings
from sync_server.store import lists, pages
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.pages import Condition, Order, Place
from sync_server.store.payloads import take_apart
from sync_server.store.searching import searched


@dataclass(frozen=True, slots=True)
class Asked:
    """A page as asked. `fields`: those that are to be given (the engine only says if one is never seen); `include`: references
    whose records come along; `counts`: say how many records all pages hold."""

    limit: int = 50
    after: Place | None = None
    conditions: Sequence[Condition] = ()
    orders: Sequence[Order] = ()
    fields: Sequence[str] = ()
    words: Sequence[str] = ()
    include: Sequence[str] = ()
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order that was asked for, and whether there are more; `keys`: the sort keys of the last one.

    `included`: table -> records that these name, by id. `count`: of all pages, if asked for; `counted_all`: there are no more.
    """

    records: Sequence[Seen]
    more: bool
    keys: tuple[str | None, ...] = ()
    included: Mapping[str, Sequence[Seen]] = field(default_factory=dict)
    count: int | None = None
    counted_all: bool = True


class NotShown(Exception):
    """The asker never sees the field `name` of this table, so nothing is found by it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotSearched(Exception):
    """Records of this table have no names to search."""


async def read_page(database: Database, standings: Standings, actor: Actor, table: str, asked: Asked) -> Page:
    """Read a page. Raises `gate.NotEntitled`, `NotShown`, `NotSearched`.

    Cost: a snapshot of three statements, two more if the asker's standing is not remembered, one for everything included, one
    for the count; however long the page.
    """
    entity = BY_TABLE[table]
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *entity.access.read)
        view = reachable(view_of(entity, entitled.holds))
        if asked.words and not searched(entity):
            raise NotSearched
        wanted = _wanted(view, asked)
        found = await pages.read_page(connection, actor.org_id, wanted)
        records = [as_seen(entity, one, view.mask(one.scopes)) for one in found.records]
        page = Page(records, found.more, found.keys)
        if asked.include:
            page = replace(
                page, included=await include(connection, actor.org_id, entitled, entity, records, asked.include)
            )
        if asked.counts:
            counted = await pages.count(connection, actor.org_id, wanted)
            page = replace(page, count=min(counted, pages.COUNT_MAX), counted_all=counted <= pages.COUNT_MAX)
    return page


async def include(
    connection: Connection,
    org_id: str,
    entitled: Entitlements,
    entity: Entity,
    records: Collection[Seen],
    references: Sequence[str],
) -> Mapping[str, Sequence[Seen]]:
    """Read what `records` name in `references`, as far as the asker sees the name and what is named: table -> records by id.

    Raises `NotShown`. Cost: one statement.
    """
    named: set[tuple[str, str]] = set()
    for name in references:
        kind = entity.by_name[name].type
        assert isinstance(kind, Reference)
        _scopes_of_field(reachable(view_of(entity, entitled.holds)), name)
        table = BY_NAME[kind.entity].table
        ids = (take_apart(one.payload).get(name) for one in records if name not in one.hidden)
        named |= {(table, id) for id in ids if id}
    found = await lists.read_several(connection, org_id, named)
    masked = {
        table: [
            as_seen(BY_TABLE[table], one, mask)
            for one in several
            if (mask := entitled.mask(BY_TABLE[table], one.scopes))
        ]
        for table, several in found.items()
    }
    return {table: seen for table, seen in masked.items() if seen}


def _wanted(view: View, asked: Asked) -> pages.Wanted:
    label = label_of_all(view.entity)
    whole = label is not None and bool(view.masks.get(label, 0) & 1)
    for name in (*asked.fields, *asked.include):
        _scopes_of_field(view, name)
    return pages.Wanted(
        view.entity,
        view.masks.keys(),
        whole,
        [replace(one, scopes=_scopes_of_field(view, one.field)) for one in asked.conditions],
        asked.words,
        [replace(one, scopes=_scopes_of_field(view, one.field)) for one in asked.orders],
        asked.after,
        asked.limit,
    )


def _scopes_of_field(view: View, name: str) -> Sequence[str] | None:
    """Give the scopes in which the asker sees a field: else being found would tell it. None: all. Raises `NotShown`."""
    groups = enumerate(view.entity.read_groups, start=1)
    bit = next((n for n, (_, names) in groups if name in names), 0)
    if not bit:
        return None
    scopes = [scope for scope, mask in view.masks.items() if mask >> bit & 1]
    if not scopes:
        raise NotShown(name)
    return scopes if len(scopes) < len(view.masks) else None
