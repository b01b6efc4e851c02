"""Reading for the office: a record as far as the asker may see it. Pages of a table: listing.py.

Owns: what of a record is shown, by the same policy as pulls (engine/entitlements.py), and which scopes a table's records carry.
Must not know: HTTP, JSON, SQL.
Invariant: a record that the asker cannot see is, in the answer and in what it costs, one that is not there
(tests/integration/test_records.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Entity
from erp_core.scopes import ANY_BRANCH, ORG, By, Everybody, Follows, Said, While
from sync_server.engine.entitlements import Entitlements, Holds, View, hidden_fields
from sync_server.engine.gate import require
from sync_server.engine.standing import Standings
from sync_server.store import lists
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.lists import GrantListed


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as somebody sees it: `payload` is its JSON, of which the fields `hidden` are to be left out."""

    id: str
    position: int
    payload: str
    hidden: frozenset[str]


async def read_record(database: Database, standings: Standings, actor: Actor, table: str, id: str) -> Seen | None:
    """Read a record; None: it is not there, or not for the asker. Raises `gate.NotEntitled`.

    Cost: a snapshot of two statements, two more if the asker's standing is not remembered.
    """
    async with database.snapshot(actor.org_id) as connection:
        entitled = await entitled_now(connection, standings, actor)
        require(entitled, *BY_TABLE[table].access.read)
        return await look(connection, actor.org_id, entitled, table, id)


async def look(connection: Connection, org_id: str, entitled: Entitlements, table: str, id: str) -> Seen | None:
    """Read a record as who has `entitled` sees it. Cost: one statement."""
    listed = await lists.read_listed(connection, org_id, table, id)
    mask = 0 if listed is None else entitled.mask(BY_TABLE[table], listed.scopes)
    return None if listed is None or not mask else as_seen(BY_TABLE[table], listed, mask)


async def entitled_now(connection: Connection, standings: Standings, actor: Actor) -> Entitlements:
    """Say what the asker is entitled to, as `connection` sees it."""
    clock = await read_clock(connection, actor.org_id)
    return (await standings.read(connection, actor, clock.rights)).entitled


def as_seen(entity: Entity, listed: lists.Listed, mask: int) -> Seen:
    """Give a record as whoever has `mask` for it sees it."""
    return Seen(listed.id, listed.position, listed.payload, hidden_fields(entity, mask))


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
