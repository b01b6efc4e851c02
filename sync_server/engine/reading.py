"""Reading for the office: a record, or a page of a table, as far as the asker may see it.

Owns: what of a record is shown, by the same policy as pulls (engine/entitlements.py), and which records a page holds.
Must not know: HTTP, JSON, SQL.
Invariant: a record that the asker cannot see is, in the answer and in what it costs, one that is not there; nothing is found
by a field that is not shown (tests/integration/test_records.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity
from erp_core.scopes import ANY_BRANCH, ORG, By, Everybody, Follows, Said, While
from sync_server.engine.entitlements import Entitlements, Holds, View, hidden_fields, view_of
from sync_server.engine.gate import require
from sync_server.engine.standing import Standings
from sync_server.store import lists
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.lists import GrantListed, Match


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as somebody sees it: `payload` is its JSON, of which the fields `hidden` are to be left out."""

    id: str
    position: int
    payload: str
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A page as asked: records behind the id `after`, at most `limit`, whose fields are equal to `equal` (values in JSON)."""

    limit: int
    after: str = ""
    equal: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Records by id, and whether there are more."""

    records: Sequence[Seen]
    more: bool


class NotShown(Exception):
    """The asker never sees the field `name` of this table, so nothing is found by it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


async def read_record(database: Database, standings: Standings, actor: Actor, table: str, id: str) -> Seen | None:
    """Read a record; None: it is not there, or not for the asker. Raises `gate.NotEntitled`.

    Cost: a snapshot of two statements, two more if the asker's standing is not remembered.
    """
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *BY_TABLE[table].access.read)
        return await look(connection, actor.org_id, entitled, table, id)


async def read_page(database: Database, standings: Standings, actor: Actor, table: str, asked: Asked) -> Page:
    """Read a page. Raises `gate.NotEntitled`, `NotShown`. Cost: as `read_record`, however long the page."""
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *BY_TABLE[table].access.read)
        view = reachable(view_of(BY_TABLE[table], entitled.holds))
        matches = [_match(view, name, value) for name, value in asked.equal]
        listed, more = await lists.list_records(
            connection, actor.org_id, table, view.masks, matches=matches, after=asked.after, limit=asked.limit
        )
    return Page([_seen(view, one, view.mask(one.scopes)) for one in listed], more)


async def look(connection: Connection, org_id: str, entitled: Entitlements, table: str, id: str) -> Seen | None:
    """Read a record as who has `entitled` sees it. Cost: one statement."""
    listed = await lists.read_listed(connection, org_id, table, id)
    mask = 0 if listed is None else entitled.mask(BY_TABLE[table], listed.scopes)
    return None if listed is None or not mask else _seen(View(BY_TABLE[table], {}), listed, mask)


async def entitled_now(connection: Connection, standings: Standings, actor: Actor) -> Entitlements:
    """Say what the asker is entitled to, as `connection` sees it."""
    clock = await read_clock(connection, actor.org_id)
    return (await standings.read(connection, actor, clock.rights)).entitled


def _seen(view: View, listed: lists.Listed, mask: int) -> Seen:
    return Seen(listed.id, listed.position, listed.payload, hidden_fields(view.entity, mask))


def _match(view: View, name: str, value: str) -> Match:
    """Ask for a field only of records of which the asker sees it: else being found would tell it. Raises `NotShown`."""
    groups = enumerate(view.entity.read_groups, start=1)
    bit = next((n for n, (_, names) in groups if name in names), 0)
    if not bit:
        return Match(name, value)
    scopes = [scope for scope, mask in view.masks.items() if mask >> bit & 1]
    if not scopes:
        raise NotShown(name)
    return Match(name, value, scopes)


# --- Which scopes a table's records can carry ---------------------------------------------------------------------------


def reachable(view: View) -> View:
    """Leave out the scopes that no record of the table carries: a walk for them would pass every record and find none."""
    kinds = _kinds(view.entity)
    return View(view.entity, {s: mask for s, mask in view.masks.items() if s.partition(":")[0] in kinds})


@cache
def _kinds(entity: Entity) -> frozenset[str]:
    return frozenset(kind for label in entity.labels for kind in _kinds_of(label))


def _kinds_of(label: object) -> Iterator[str]:
    match label:
        case Everybody():
            yield ORG
        case By(kind=kind):
            yield kind
        case Said():
            yield from (ORG, ANY_BRANCH, "user")
        case While(label=word):
            yield word
        case Follows(entity=leader):
            yield from _kinds(BY_NAME[leader])


# --- Oneself ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Oneself:
    """Who asks: the own record and the organisation's, the grants, and what they come to until a moment."""

    user: Seen | None
    organisation: Seen | None
    grants: Sequence[GrantListed]
    holds: Holds
    until: datetime | None


async def read_oneself(database: Database, standings: Standings, actor: Actor) -> Oneself:
    """Read who asks. Cost: a snapshot of four statements."""
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        return Oneself(
            await look(connection, actor.org_id, entitled, "users", actor.user_id),
            await look(connection, actor.org_id, entitled, "organisations", actor.org_id),
            await lists.list_grants(connection, actor.org_id, actor.user_id),
            entitled.holds,
            entitled.until,
        )
